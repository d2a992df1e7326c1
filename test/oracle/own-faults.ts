/**
 * What can be said of our clone alone: the idx is the one of `git index-pack`, packs are read-only, the
 * index has the very stat data of the files, and the first `git status` reads none of them.
 */
import { lstatSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CLEAN_GIT_ENVIRONMENT } from '../fixtures/cache.ts';
import { run } from '../host/host-fixture.ts';
import { bytesOf, indexEntries } from './facts.ts';

export async function faultsOf(worktree: string): Promise<string[]> {
  return [...statFaults(worktree), ...(await packFaults(join(worktree, '.git/objects/pack')))];
}

/** Each of the nine fields of stat data, as 32 bits. */
function statFaults(worktree: string): string[] {
  const index = bytesOf(join(worktree, '.git'), 'index');
  if (index === null) return [];
  const root = Buffer.from(`${worktree}/`);
  return [...indexEntries(index)].flatMap(({ at, nameEnd }) => {
    const name = index.subarray(at + 62, nameEnd);
    const stat = lstatSync(Buffer.concat([root, name]), { bigint: true });
    const second = 1_000_000_000n;
    const expected = [
      ...[stat.ctimeNs / second, stat.ctimeNs % second, stat.mtimeNs / second],
      ...[stat.mtimeNs % second, stat.dev, stat.ino],
    ];
    const fields = expected.map((_field, position) => index.readUInt32BE(at + position * 4));
    const isDirectory = stat.isDirectory();
    expected.push(stat.uid, stat.gid, isDirectory ? 0n : stat.size);
    fields.push(...[28, 32, 36].map((position) => index.readUInt32BE(at + position)));
    if (isDirectory) fields[8] = 0;
    const isSame = expected.every((field, i) => BigInt.asUintN(32, field) === BigInt(fields[i]!));
    return isSame ? [] : [`stat data of ${name.toString()}: ${fields.join(' ')}`];
  });
}

async function packFaults(packDir: string): Promise<string[]> {
  const faults: string[] = [];
  for (const name of readdirSync(packDir)) {
    const mode = lstatSync(join(packDir, name)).mode & 0o7777;
    if (mode !== 0o444) faults.push(`${name} has mode ${mode.toString(8)}`);
    if (!name.endsWith('.pack')) continue;
    const directory = mkdtempSync(join(tmpdir(), 'oracle-idx-'));
    try {
      const idx = join(directory, 'pack.idx');
      const args = ['index-pack', '--rev-index', '-o', idx, join(packDir, name)];
      const { code, stderr } = await run('git', args, {
        cwd: directory,
        env: CLEAN_GIT_ENVIRONMENT,
      });
      if (code !== 0) faults.push(`git index-pack: ${stderr}`);
      for (const extension of ['idx', 'rev']) {
        const ours = bytesOf(packDir, name.replace(/pack$/, extension));
        const theirs = readFileSync(join(directory, `pack.${extension}`));
        if (ours?.equals(theirs) !== true) faults.push(`${extension} differs from git's`);
      }
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }
  return faults;
}

/** By strace; attribute and ignore files aside, which git reads in any case. */
export async function filesThatStatusReads(worktree: string): Promise<string[]> {
  const directory = mkdtempSync(join(tmpdir(), 'oracle-strace-'));
  try {
    const trace = join(directory, 'trace');
    const strace = ['-f', '-qq', '-e', 'trace=openat,open,readlink', '-o', trace];
    const status = ['git', '--no-optional-locks', 'status', '--porcelain'];
    const env = CLEAN_GIT_ENVIRONMENT;
    const { code, stderr } = await run('strace', [...strace, ...status], { cwd: worktree, env });
    if (code !== 0) return [`(failed: ${stderr})`];
    return readFileSync(trace, 'latin1')
      .split('\n')
      .filter((line) => !line.includes('O_DIRECTORY') && !line.includes('ENOENT'))
      .map(
        (line) => /(?:open|readlink)(?:at)?\((?:AT_FDCWD, )?"([^/"][^"]*)"/.exec(line)?.[1] ?? '',
      )
      .filter(
        (path) => path !== '' && !/^\.git(?:\/|$)|(?:^|\/)\.git(?:ignore|attributes)$/.test(path),
      );
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
