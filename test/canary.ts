/**
 * Where a secret ended up: every end-to-end test closes with this search over directories (file
 * contents, names, link targets, and what git keeps compressed), texts, and running processes, for
 * every form that tokenForms() knows. Files meant to hold a token are allowed by name and must be private.
 */
import { spawn } from 'node:child_process';
import { lstat, open, readFile, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { Token, tokenForms } from '../agent/token.ts';

export interface Places {
  /** Searched recursively. */
  readonly directories?: readonly string[];
  readonly files?: readonly string[];
  /** Logs, answers of endpoints, output of programs: name to text. */
  readonly texts?: Readonly<Record<string, string>>;
  /** Command lines and environments: of these, or of every process of this user but this one. */
  readonly processes?: 'all' | readonly number[];
  /** Variables that may hold a token in a process meant to have it. */
  readonly allowVariables?: readonly string[];
  /** Files meant to hold a token; a path that ends in `/` allows everything below it. */
  readonly allow?: readonly string[];
}

export interface Finding {
  /** A path, the name of a text, or `/proc/PID/environ`. */
  readonly where: string;
  /** Which token, and how: `token 0, raw`; or what is wrong with an allowed file: `mode 644`. */
  readonly form: string;
}

interface Needle {
  readonly bytes: Buffer;
  readonly form: string;
}

const CHUNK_BYTES = 4 << 20;

export async function searchForTokens(
  tokens: readonly string[],
  places: Places,
): Promise<Finding[]> {
  const needles = tokens.flatMap(needlesOf);
  const findings: Finding[] = [];
  for (const directory of places.directories ?? []) {
    await searchPath(directory, needles, places.allow ?? [], findings);
  }
  for (const file of places.files ?? []) {
    await searchPath(file, needles, places.allow ?? [], findings);
  }
  for (const [where, text] of Object.entries(places.texts ?? {})) {
    searchBytes(where, Buffer.from(text), needles, findings);
  }
  for (const pid of await pidsOf(places.processes ?? [])) {
    await searchProcess(pid, needles, new Set(places.allowVariables ?? []), findings);
  }
  return findings;
}

function needlesOf(token: string, at: number): Needle[] {
  return tokenForms(new Token(token)).map((form) => {
    const plain = form === token ? 'raw' : form === encodeURIComponent(token) ? 'url' : 'base64';
    return { bytes: Buffer.from(form), form: `token ${at}, ${plain}` };
  });
}

function searchBytes(
  where: string,
  bytes: Buffer,
  needles: readonly Needle[],
  findings: Finding[],
): void {
  for (const { bytes: needle, form } of needles) {
    if (bytes.includes(needle) && !has(findings, where, form)) findings.push({ where, form });
  }
}

function has(findings: readonly Finding[], where: string, form: string): boolean {
  return findings.some((finding) => finding.where === where && finding.form === form);
}

async function searchPath(
  path: string,
  needles: readonly Needle[],
  allow: readonly string[],
  findings: Finding[],
): Promise<void> {
  searchBytes(`name of ${path}`, Buffer.from(path), needles, findings);
  const stats = await unlessGone(lstat(path));
  if (stats === null) return;
  if (stats.isSymbolicLink()) {
    const target = await unlessGone(readlink(path));
    searchBytes(`target of ${path}`, Buffer.from(target ?? ''), needles, findings);
  } else if (stats.isDirectory()) {
    const names = (await unlessGone(readdir(path))) ?? [];
    if (names.includes('HEAD') && names.includes('objects')) {
      await searchGitObjects(path, needles, findings);
    }
    for (const name of names) await searchPath(join(path, name), needles, allow, findings);
  } else if (stats.isFile()) {
    if (!allow.some((each) => each === path || (each.endsWith('/') && path.startsWith(each)))) {
      await searchFile(path, needles, findings);
    } else if ((stats.mode & 0o177) !== 0) {
      findings.push({ where: path, form: `mode ${(stats.mode & 0o777).toString(8)}` });
    }
  }
}

/** Objects and packs are compressed: git writes them out, whether anything refers to them or not. */
async function searchGitObjects(
  gitdir: string,
  needles: readonly Needle[],
  findings: Finding[],
): Promise<void> {
  const args = ['cat-file', '--batch-all-objects', '--unordered', '--batch'];
  const child = spawn('git', [`--git-dir=${gitdir}`, ...args], {
    env: { PATH: process.env['PATH'], GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  // Of a repository that was left half-made, whatever can be read is searched.
  await searchStream(`objects of ${gitdir}`, child.stdout, needles, findings);
}

async function searchFile(
  path: string,
  needles: readonly Needle[],
  findings: Finding[],
): Promise<void> {
  const file = await unlessGone(open(path));
  if (file === null) return;
  const stream = file.createReadStream({ highWaterMark: CHUNK_BYTES });
  await searchStream(path, stream, needles, findings);
}

/** Piece by piece with the end of the one before, so that content of any size can be searched. */
async function searchStream(
  where: string,
  stream: Readable,
  needles: readonly Needle[],
  findings: Finding[],
): Promise<void> {
  const overlap = Math.max(0, ...needles.map(({ bytes }) => bytes.length - 1));
  let end = Buffer.alloc(0);
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    const piece = Buffer.concat([end, chunk]);
    searchBytes(where, piece, needles, findings);
    end = Buffer.from(piece.subarray(Math.max(0, piece.length - overlap)));
  }
}

async function pidsOf(processes: 'all' | readonly number[]): Promise<readonly number[]> {
  if (processes !== 'all') return processes;
  const pids = (await readdir('/proc')).map(Number).filter((pid) => pid > 0 && pid !== process.pid);
  const own: number[] = [];
  for (const pid of pids) {
    const stats = await unlessGone(lstat(`/proc/${pid}`));
    if (stats?.uid === process.getuid?.()) own.push(pid);
  }
  return own;
}

async function searchProcess(
  pid: number,
  needles: readonly Needle[],
  allowVariables: ReadonlySet<string>,
  findings: Finding[],
): Promise<void> {
  const cmdline = await unlessGone(readFile(`/proc/${pid}/cmdline`));
  searchBytes(`/proc/${pid}/cmdline`, cmdline ?? Buffer.alloc(0), needles, findings);
  const environ = await unlessGone(readFile(`/proc/${pid}/environ`, 'latin1'));
  const searched = (environ ?? '')
    .split('\0')
    .filter((each) => !allowVariables.has(each.slice(0, each.indexOf('='))))
    .join('\0');
  searchBytes(`/proc/${pid}/environ`, Buffer.from(searched, 'latin1'), needles, findings);
}

/** Files and processes come and go during a search; what is gone holds nothing. */
async function unlessGone<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    // A process of another user shows its name but not its environment.
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES') return null;
    throw error;
  }
}
