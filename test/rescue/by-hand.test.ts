import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { capture } from '../../agent/rescue/capture.ts';
import { parseManifest } from '../../agent/rescue/format.ts';
import { DOCS } from '../setup/documents.ts';
import { copyTemplate, createTemplate, runGit } from '../work/scratch-repository.ts';
import type { ScratchRepository } from '../work/scratch-repository.ts';
import { takeStep } from '../work/steps.ts';

const STEPS = [
  [
    'commit',
    'stash with untracked',
    'edit',
    'names in other encodings',
    'symlink changed',
    'empty directories',
  ],
  [
    'edit and add',
    'commit',
    'amend',
    'rm of a file',
    'file becomes a directory',
    'directory becomes a file',
  ],
];

/** The block that docs/rescue.md tells people to type. */
function commandsOfDocument(): string {
  const text = readFileSync(new URL('rescue.md', DOCS), 'utf8');
  const [, block] = /```sh\n([^]*?)```/.exec(text) ?? [];
  if (block === undefined) throw new Error('docs/rescue.md has no block of commands');
  return block;
}

/** What its table says of the repositories inside the mount, for those of this rescue. */
function commandsOfTable(file: string): string {
  const { repositories } = parseManifest(
    execFileSync('tar', ['-xzOf', file, 'manifest.json'], { stdio: 'pipe' }),
  );
  const lines = repositories.slice(1).map(({ number, kind, path, head }) => {
    const oid = head.oid ?? "''";
    const make = kind === 'linked' ? `worktree add -q --detach ${path} ${oid}` : `init -q ${path}`;
    return `(git ${make} && cd ${path} && take_back ${number} ${oid})\n`;
  });
  return lines.join('');
}

/** A repository of its own and a linked worktree in the mount, each with changes. */
function addRepositories(lost: ScratchRepository): void {
  lost.git('worktree', 'add', '-q', '-b', 'linked', lost.path('linked'));
  lost.write('linked/file0.txt', 'changed in the linked one\n');
  runGit(lost.worktree, ['init', '-q', 'nested']);
  lost.write('nested/file', 'one\n');
  runGit(lost.path('nested'), ['add', '-A']);
  runGit(lost.path('nested'), ['commit', '-qm', 'nested']);
  for (const name of ['nested/file', 'nested/odd\nname']) lost.write(name, 'two\n');
}

/** Names, kinds, permissions and contents of a worktree. */
function filesOf(worktree: string): string[] {
  const lines: string[] = [];
  const visit = (directory: Buffer, prefix: string): void => {
    for (const entry of readdirSync(directory, { encoding: 'buffer', withFileTypes: true })) {
      const raw = entry.name as unknown as Buffer;
      const name = prefix + raw.toString('latin1');
      if (raw.equals(Buffer.from('.git'))) continue;
      const place = Buffer.concat([directory, Buffer.from('/'), raw]);
      const stats = lstatSync(place);
      if (stats.isDirectory()) {
        lines.push(`${name}/ ${stats.mode & 0o777}`);
        visit(place, `${name}/`);
      } else if (stats.isSymbolicLink()) lines.push(`${name} -> ${readlinkSync(place)}`);
      else
        lines.push(
          `${name} ${stats.mode & 0o777} ${JSON.stringify(readFileSync(place, 'latin1'))}`,
        );
    }
  };
  visit(Buffer.from(worktree), '');
  return lines.sort();
}

test.each(STEPS.map((steps) => [steps.join(', '), steps] as const))(
  'the commands of docs/rescue.md bring back commits, stashes and files after: %s',
  async (_name, steps) => {
    const template = createTemplate();
    const lost = copyTemplate(template);
    const base = mkdtempSync(join(tmpdir(), 'by-hand-'));
    try {
      const url = join(lost.base, 'origin.git');
      lost.git('remote', 'set-url', 'origin', 'https://git.example/acme/web');
      for (const [at, step] of steps.entries()) takeStep(lost, step, at);
      addRepositories(lost);
      symlinkSync('target', lost.path('odd\nlink'));
      for (const name of ['read "only"', 'odd\nread only']) {
        lost.write(name, 'x');
        chmodSync(lost.path(name), 0o444);
      }
      const empty = lost.path('empty');
      if (lost.exists('empty')) chmodSync(empty, 0o755);
      mkdirSync(lost.path('closed/inner'), { recursive: true });
      for (const name of ['closed/inner', 'closed']) chmodSync(lost.path(name), 0o555);
      // Clean to Git.
      chmodSync(lost.path('crlf.txt'), 0o640);
      chmodSync(lost.path('src'), 0o750);
      const { file } = await capture({
        mount: lost.worktree,
        url,
        sessionId: null,
        mountPath: '/app/web',
        out: join(base, 'out'),
        includeIgnored: false,
        selfContained: false,
        signal: new AbortController().signal,
      });
      const work = join(base, 'work');
      mkdirSync(work);
      const env = { PATH: process.env['PATH'], HOME: base, GIT_CONFIG_NOSYSTEM: '1', LC_ALL: 'C' };
      execFileSync('sh', ['-eu', '-c', commandsOfDocument() + commandsOfTable(file)], {
        cwd: work,
        env: { ...env, FILE: file, URL: url },
      });
      const web = join(work, 'web');
      expect(filesOf(web)).toEqual(filesOf(lost.worktree));
      const oids = lost.git('rev-list', '--all', '--reflog', 'HEAD').trimEnd().split('\n');
      for (const oid of oids) runGit(web, ['cat-file', '-e', `${oid}^{commit}`]);
    } finally {
      lost.remove();
      rmSync(template, { recursive: true, force: true });
      rmSync(base, { recursive: true, force: true });
    }
  },
);
