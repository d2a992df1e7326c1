/**
 * Everything about a clone that somebody could see, as lists of lines under names: two clones are the
 * same when all lists are. Left out are times, inodes, who a reflog says it was, and what a template
 * directory of git brings (sample hooks, `branches`).
 */
import { createHash } from 'node:crypto';
import { lstatSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { CLEAN_GIT_ENVIRONMENT } from '../fixtures/cache.ts';
import { run } from '../host/host-fixture.ts';
import { errnoOf } from '../../agent/errors.ts';

export type Facts = Readonly<Record<string, readonly string[]>>;

const REF_FORMAT = '%(refname) %(objectname) %(objecttype) %(symref) %(*objectname) %(*objecttype)';
const TEMPLATE_ONLY = /^(?:branches|hooks\/.*\.sample)$/;
/** Git writes it since 2.41; whether ours is git's, own-faults.ts asks. */
const REVERSE_INDEX = /^objects\/pack\/pack-.*\.rev$/;

export async function factsOf(worktree: string): Promise<Facts> {
  const gitdir = join(worktree, '.git');
  const git = (...args: string[]): Promise<string> => gitIn(worktree, ...args);
  const [refs, config, status, fsck, objects] = [
    await git('for-each-ref', `--format=${REF_FORMAT}`),
    await git('config', '--local', '--list', '--null'),
    await git('--no-optional-locks', 'status', '--porcelain=v2', '--branch', '--ignored', '-z'),
    await git('fsck', '--full', '--strict'),
    await git('cat-file', '--batch-all-objects', '--unordered', '--batch-check'),
  ];
  return {
    worktree: worktreeFacts(worktree),
    gitdir: gitdirFacts(gitdir),
    HEAD: [textOf(gitdir, 'HEAD')],
    refs: refs.split('\n'),
    'packed-refs': textOf(gitdir, 'packed-refs').split('\n'),
    'loose refs': filesUnder(gitdir, 'refs').map((name) => `${name}: ${textOf(gitdir, name)}`),
    reflogs: filesUnder(gitdir, 'logs').flatMap((name) => reflogFacts(name, textOf(gitdir, name))),
    config: config.split('\0').sort(),
    description: [textOf(gitdir, 'description')],
    'info/exclude': [textOf(gitdir, 'info/exclude')],
    shallow: [textOf(gitdir, 'shallow')],
    index: indexFacts(gitdir),
    status: status.split('\0'),
    fsck: fsck.split('\n').sort(),
    objects: objects.split('\n').sort(),
  };
}

/** One line for each difference, the first few of each list. */
export function differences(ours: Facts, theirs: Facts): string[] {
  return Object.keys(theirs).flatMap((name) => {
    const [us, them] = [ours[name] ?? [], theirs[name] ?? []];
    if (us.length === them.length && us.every((line, at) => line === them[at])) return [];
    const [inOurs, inTheirs] = [new Set(us), new Set(them)];
    const lines = [
      ...us.filter((line) => !inTheirs.has(line)).map((line) => `${name}: only ours: ${line}`),
      ...them.filter((line) => !inOurs.has(line)).map((line) => `${name}: only git's: ${line}`),
    ];
    return lines.length === 0 ? [`${name}: another order`] : lines.slice(0, 8);
  });
}

/** git with nobody's configuration; what it says of errors becomes part of the answer. */
export async function gitIn(cwd: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run('git', args, { cwd, env: CLEAN_GIT_ENVIRONMENT });
  return code === 0 ? stdout + stderr : `${stdout}${stderr}git ${args[0]} ended with ${code}`;
}

/** Path, type, mode and content of all below the worktree. */
function worktreeFacts(worktree: string): string[] {
  return walk(worktree, (path) => path === '.git').map(({ path, absolute, mode }) => {
    const head = `${JSON.stringify(path)} ${mode.toString(8)}`;
    const type = mode & 0o170000;
    if (type === 0o120000) return `${head} ${readlinkSync(absolute, 'latin1')}`;
    if (type !== 0o100000) return head;
    return `${head} ${createHash('sha1').update(readFileSync(absolute)).digest('hex')}`;
  });
}

/** Names and modes; packs are named after their content, which differs from one to the next. */
function gitdirFacts(gitdir: string): string[] {
  const isLeftOut = (path: string): boolean => TEMPLATE_ONLY.test(path) || REVERSE_INDEX.test(path);
  return walk(gitdir, isLeftOut).map(({ path, mode }) => {
    const name = path.replace(/^(objects\/pack\/pack-)[0-9a-f]{40}/, '$1*');
    return `${JSON.stringify(name)} ${mode.toString(8)}`;
  });
}

interface Found {
  /** Bytes as latin1. */
  readonly path: string;
  readonly absolute: Buffer;
  readonly mode: number;
}

/** All below `root` by path; a loop, because trees may be thousands deep. */
function walk(root: string, isLeftOut: (path: string) => boolean): Found[] {
  const found: Found[] = [];
  const directories = [''];
  for (let next = directories.pop(); next !== undefined; next = directories.pop()) {
    const at = Buffer.concat([Buffer.from(`${root}/`), Buffer.from(next, 'latin1')]);
    for (const name of readdirSync(at, { encoding: 'buffer' })) {
      const path = next + name.toString('latin1');
      if (isLeftOut(path)) continue;
      const absolute = Buffer.concat([at, name]);
      const stat = lstatSync(absolute);
      found.push({ path, absolute, mode: stat.mode });
      if (stat.isDirectory()) directories.push(`${path}/`);
    }
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function filesUnder(gitdir: string, name: string): string[] {
  return walk(gitdir, (path) => path !== name && !path.startsWith(`${name}/`))
    .filter(({ mode }) => (mode & 0o170000) === 0o100000)
    .map(({ path }) => path);
}

/** Old oid, new oid and message. */
function reflogFacts(name: string, text: string): string[] {
  const lines = text.split('\n').slice(0, -1);
  return lines.map((line) => `${name}: ${line.slice(0, 81)} ${line.slice(line.indexOf('\t'))}`);
}

/**
 * The index but for ctime, mtime and inode of its entries, and its checksum: flags, sizes, the cache
 * tree and whatever else there is, byte for byte (gitformat-index, version 2).
 */
function indexFacts(gitdir: string): string[] {
  const bytes = bytesOf(gitdir, 'index');
  if (bytes === null) return ['absent'];
  let end = 12;
  const lines = [bytes.toString('hex', 0, end)];
  for (const { at, nameEnd, next } of indexEntries(bytes)) {
    const device = bytes.toString('hex', at + 16, at + 20);
    const rest = bytes.toString('hex', at + 24, at + 62);
    lines.push(`${device} ${rest} ${JSON.stringify(bytes.toString('latin1', at + 62, nameEnd))}`);
    end = next;
  }
  return [...lines, bytes.toString('hex', end, bytes.length - 20)];
}

/** Where each entry and its name stand. */
export function* indexEntries(
  bytes: Buffer,
): Generator<{ readonly at: number; readonly nameEnd: number; readonly next: number }> {
  let at = 12;
  for (let count = bytes.readUInt32BE(8); count > 0; count--) {
    const nameEnd = bytes.indexOf(0, at + 62);
    const next = at + ((nameEnd - at + 8) & ~7);
    yield { at, nameEnd, next };
    at = next;
  }
}

function textOf(gitdir: string, name: string): string {
  return bytesOf(gitdir, name)?.toString('latin1') ?? 'absent';
}

/** null where there is no such file. */
export function bytesOf(gitdir: string, name: string): Buffer | null {
  try {
    return readFileSync(Buffer.from(`${Buffer.from(gitdir).toString('latin1')}/${name}`, 'latin1'));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
}
