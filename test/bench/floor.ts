/**
 * What no clone of a subject can do without, each part alone in one thread with all its input at hand:
 * every entry of the pack inflated once, every object's content and the pack hashed, the pack and the
 * worktree's files written. Deltas are not applied here: how they are is the program's choice.
 */
import { execFile } from 'node:child_process';
import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, writeSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { EntryHeader, OBJECT_TYPE } from '../../agent/pack/entry-header.ts';
import { createInflater } from '../../agent/pack/inflate.ts';
import { HEADROOM, hashObject } from '../../agent/pack/object-hash.ts';
import { CLEAN_GIT_ENVIRONMENT } from '../fixtures/cache.ts';
import type { Subject } from './subjects.ts';

export interface Floor {
  readonly inflateMs: number;
  readonly hashMs: number;
  readonly packMs: number;
  readonly worktreeMs: number;
  readonly packBytes: number;
}

interface TreeFile {
  readonly path: string;
  readonly size: number;
}

const PACK_HEADER_BYTES = 12;
const TRAILER_BYTES = 20;
const SCRATCH_BYTES = 2 ** 24;
const PIECE_BYTES = 2 ** 20;
const ROUNDS = 3;

/** The fastest of three rounds of each part. */
export async function measureFloor(subject: Subject, parent: string): Promise<Floor> {
  const directory = join(parent, `${subject.name}-floor`);
  await mkdir(directory);
  const packFile = join(directory, 'sent.pack');
  await shell(subject, SENT_PACK, packFile);
  const sizes = (await shell(subject, OBJECT_SIZES)).trim().split('\n').map(Number);
  const files = (await shell(subject, TREE_FILES)).split('\0').filter(Boolean).map(parseTreeFile);
  const pack = readFileSync(packFile);
  let round = 0;
  return {
    packBytes: pack.length,
    inflateMs: fastest(() => {
      inflateEntries(pack);
    }),
    hashMs: fastest(() => {
      hashContents(sizes, pack);
    }),
    packMs: fastest(() => {
      writePack(pack, join(directory, `${++round}.pack`));
    }),
    worktreeMs: fastest(() => {
      writeFiles(files, join(directory, `worktree${++round}`));
    }),
  };
}

const RANGE = `git rev-parse HEAD; git for-each-ref --format='%(objectname)' refs/heads refs/tags`;
/** As upload-pack would send it; "$1" is the file. */
const SENT_PACK = `(${RANGE}) | git pack-objects -q --revs --stdout --delta-base-offset >"$1"`;
const OBJECT_SIZES = `(${RANGE}) | git rev-list --objects --no-object-names --stdin | git cat-file --batch-check='%(objectsize)'`;
const TREE_FILES = `git ls-tree -r -l -z HEAD`;

async function shell({ bareDir }: Subject, script: string, ...args: string[]): Promise<string> {
  const env = { ...CLEAN_GIT_ENVIRONMENT, GIT_DIR: bareDir };
  const options = { env, maxBuffer: 2 ** 28 };
  const { stdout } = await promisify(execFile)('sh', ['-euc', script, 'sh', ...args], options);
  return stdout;
}

/** `MODE TYPE OID SIZE<tab>PATH`; a gitlink has no size, and no file. */
function parseTreeFile(line: string): TreeFile {
  const [facts = '', path = ''] = line.split('\t');
  return { path, size: Number(facts.split(/ +/)[3]?.replace('-', '0')) };
}

function fastest(part: () => void): number {
  const times = Array.from({ length: ROUNDS }, () => {
    const begin = performance.now();
    part();
    return performance.now() - begin;
  });
  return Math.min(...times);
}

/** @returns how many there were. */
export function inflateEntries(pack: Buffer): number {
  const inflater = createInflater();
  const header = new EntryHeader();
  const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES + 1);
  const end = pack.length - TRAILER_BYTES;
  let count = 0;
  try {
    for (let at = PACK_HEADER_BYTES; at < end; count++) {
      header.parse(pack, at, end, at);
      at += header.length;
      if (header.size <= SCRATCH_BYTES) {
        at += inflater.inflate(pack, at, end, scratch, 0, header.size);
      } else {
        inflater.begin(header.size);
        at += inflater.push(pack, at, end, () => undefined);
      }
    }
    return count;
  } finally {
    inflater.close();
  }
}

/** SHA-1 takes the same time for any content of a size. */
function hashContents(sizes: readonly number[], pack: Buffer): void {
  const scratch = Buffer.alloc(HEADROOM + SCRATCH_BYTES);
  const oid = Buffer.alloc(20);
  for (const size of sizes) {
    if (size <= SCRATCH_BYTES) hashObject(OBJECT_TYPE.blob, scratch, HEADROOM, size, oid, 0);
    else {
      const hash = createHash('sha1');
      for (const piece of piecesOf(size)) hash.update(scratch.subarray(0, piece));
      hash.digest();
    }
  }
  createHash('sha1').update(pack).digest();
}

function writePack(pack: Buffer, path: string): void {
  const fd = openSync(path, 'wx');
  for (let at = 0; at < pack.length;) {
    at += writeSync(fd, pack, at, Math.min(PIECE_BYTES, pack.length - at));
  }
  fsyncSync(fd);
  closeSync(fd);
}

function writeFiles(files: readonly TreeFile[], worktree: string): void {
  const content = Buffer.alloc(PIECE_BYTES, 'content\n');
  const made = new Set<string>();
  for (const { path, size } of files) {
    const file = join(worktree, path);
    const directory = dirname(file);
    if (!made.has(directory)) mkdirSync(directory, { recursive: true });
    made.add(directory);
    const fd = openSync(file, 'wx');
    for (const piece of piecesOf(size)) writeSync(fd, content, 0, piece);
    closeSync(fd);
  }
}

function* piecesOf(size: number): Generator<number> {
  for (let left = size; left > 0; left -= PIECE_BYTES) yield Math.min(left, PIECE_BYTES);
}

export function floorLines({ name }: Subject, floor: Floor): string {
  const { inflateMs, hashMs, packMs, worktreeMs, packBytes } = floor;
  const parts = { inflate: inflateMs, 'SHA-1': hashMs, pack: packMs, worktree: worktreeMs };
  const sum = inflateMs + hashMs + packMs + worktreeMs;
  const listed = Object.entries(parts).map(([part, ms]) => `${part} ${(ms / 1000).toFixed(2)} s`);
  const size = `${(packBytes / 1e6).toFixed(1)} MB`;
  return `**${name}** (${size}): ${listed.join(' + ')} = ${(sum / 1000).toFixed(2)} s in one thread, ${(sum / 2000).toFixed(2)} s on two cores at best`;
}
