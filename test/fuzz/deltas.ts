/**
 * Deltas by the thousand: each goes alone through ingestPack(), and all of a batch stand in one pack
 * that `git fsck` goes through, entry by entry, content and name; and our own ObjectStore as well.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ingestPack } from '../../agent/pack/ingest.ts';
import { PACK_LIMITS } from '../../agent/pack/limits.ts';
import { packSource } from '../../agent/pack/pack-source.ts';
import { ObjectStore } from '../../agent/pack/object-store.ts';
import { chunksOf } from '../pack/chunks.ts';
import { TYPE, makePack, ofsDelta, oidOf, wholeEntry } from '../pack/craft-pack.ts';
import { makeIdx } from './craft-idx.ts';
import type { IdxRow } from './craft-idx.ts';
import { FuzzDirectory, GIT_ENV, exitCodes, inLanes, makeRepository } from './git-batch.ts';
import { mutate } from './mutate.ts';
import { makeContent, makeDeltaOn } from './pack-cases.ts';
import { Random } from './random.ts';
import { ACCEPTED, codeOf, compare } from './verdict.ts';
import type { FuzzKind, Verdict } from './verdict.ts';

interface DeltaCase {
  readonly base: Buffer;
  readonly bytes: Buffer;
  readonly how: string;
}

/** What ingestPack() made of a delta. */
interface Judged {
  readonly code: string;
  /** Of the object made; of nothing when the delta was refused. */
  readonly oid: string;
}

/** What core.bigFileThreshold is. */
const LARGE_RESULT = 2 ** 29;
/** A megabyte of buffers for each of a million packs keeps the garbage collector busy. */
const SMALL = { windowBytes: 2 ** 15, streamBytes: 2 ** 15, deltaArenaBytes: 2 ** 16, threads: 1 };
const NO_DELTA = Buffer.alloc(0);

export const DELTAS: FuzzKind = {
  name: 'delta',
  share: 350,
  batch: 1000,
  async judge(seed, first, count) {
    using directory = new FuzzDirectory();
    const bases = Array.from({ length: 8 }, (_, at) => makeContent(new Random(seed, -1 - at)));
    const cases = Array.from({ length: count }, (_, at) =>
      makeDeltaCase(new Random(seed, first + at), bases),
    );
    const judged = await inLanes(cases, (each, at, lane) => {
      const packDir = join(directory.path, `ours-${lane}`);
      mkdirSync(packDir, { recursive: true });
      return ingestDelta(packDir, each, at);
    });
    return await judgeTogether(directory.path, bases, cases, judged);
  },
};

function makeDeltaCase(random: Random, bases: readonly Buffer[]): DeltaCase {
  const base = random.pick(bases);
  const { delta } = makeDeltaOn(random, base);
  if (random.chance(0.1)) return { base, bytes: delta, how: 'whole' };
  // Most damage to an insert's bytes changes nothing that anybody could refuse.
  return { base, ...mutate(random, delta) };
}

async function ingestDelta(
  packDir: string,
  { base, bytes }: DeltaCase,
  at: number,
): Promise<Judged> {
  const pack = singlePack(base, bytes);
  let idxPath = null as string | null;
  const code = await codeOf(async () => {
    const source = chunksOf(pack, Infinity);
    ({ idxPath } = await ingestPack(packSource(source), {
      packDir,
      limits: PACK_LIMITS,
      tuning: SMALL,
    }));
  });
  const idx = idxPath === null ? null : readFileSync(idxPath);
  for (const name of readdirSync(packDir)) rmSync(join(packDir, name));
  if (idx === null) return { code, oid: createHash('sha1').update(`refused ${at}`).digest('hex') };
  const oids = [0, 20].map((start) => idx.toString('hex', 1032 + start, 1052 + start));
  return { code, oid: oids.find((oid) => oid !== oidOf('blob', base)) ?? oids[0]! };
}

function singlePack(base: Buffer, delta: Buffer): Buffer {
  const blob = wholeEntry(TYPE.blob, base);
  return makePack([blob, ofsDelta(blob.length, delta)]);
}

async function judgeTogether(
  directory: string,
  bases: readonly Buffer[],
  cases: readonly DeltaCase[],
  judged: readonly Judged[],
): Promise<Verdict[]> {
  const repository = makeRepository(directory);
  const oversized = await judgeOversized(directory, cases);
  const { pack, rows } = packOf(bases, cases, judged);
  const packPath = join(
    repository,
    'objects/pack/pack-0123456789012345678901234567890123456789.pack',
  );
  writeFileSync(packPath, pack);
  writeFileSync(packPath.replace(/pack$/, 'idx'), makeIdx(rows, pack.subarray(-20)));
  const asked = refusedByFsck(repository);
  using store = ObjectStore.open(join(repository, 'objects'));
  const stored = await Promise.all(judged.map(({ oid }) => readBack(store, oid)));
  const refused = await asked;
  return cases.map((each, at) => {
    const { code, oid } = judged[at]!;
    const alone = oversized.get(at);
    if (alone !== undefined) return compare(each, code, alone);
    const gitAccepts = !refused.has(rows[bases.length + at]!.offset);
    const fromStore = stored[at]!;
    const storeAgrees = fromStore === (code === ACCEPTED ? oid : 'OBJECT_INVALID');
    const ours = storeAgrees ? code : `crash: ${code} at ingest, ${fromStore} out of the store`;
    return compare(each, ours, gitAccepts);
  });
}

function packOf(
  bases: readonly Buffer[],
  cases: readonly DeltaCase[],
  judged: readonly Judged[],
): { pack: Buffer; rows: IdxRow[] } {
  const rows: IdxRow[] = [];
  let offset = 12;
  const add = (stored: Buffer, oid: string): void => {
    rows.push({ stored, oid, offset });
    offset += stored.length;
  };
  const offsets = new Map<Buffer, number>();
  for (const base of bases) {
    offsets.set(base, offset);
    add(wholeEntry(TYPE.blob, base), oidOf('blob', base));
  }
  cases.forEach(({ base, bytes }, at) => {
    const delta = claimsLargeResult(bytes) ? NO_DELTA : bytes;
    add(ofsDelta(offset - offsets.get(base)!, delta), judged[at]!.oid);
  });
  return { pack: makePack(rows.map(({ stored }) => stored)), rows };
}

/** Git tries to find the memory for what these claim to make, and dies: each needs a git of its own. */
async function judgeOversized(
  directory: string,
  cases: readonly DeltaCase[],
): Promise<Map<number, boolean>> {
  const found = cases.flatMap(({ bytes }, at) => (claimsLargeResult(bytes) ? [at] : []));
  for (const at of found) {
    const { base, bytes } = cases[at]!;
    writeFileSync(join(directory, `${at}.pack`), singlePack(base, bytes));
  }
  const names = found.map((at) => `${at}.pack`);
  const command = 'ulimit -v 4000000; exec git index-pack -o "$1.idx" "$1" >/dev/null 2>&1';
  const codes = names.length === 0 ? [] : await exitCodes(directory, command, names);
  return new Map(found.map((at, row) => [at, codes[row] === 0]));
}

/** Says the second of the two sizes at the delta's head. */
function claimsLargeResult(delta: Buffer): boolean {
  const secondAt = delta.findIndex((byte) => byte < 0x80) + 1;
  let [size, scale] = [0, 1];
  for (const byte of delta.subarray(secondAt)) {
    size += (byte & 0x7f) * scale;
    scale *= 128;
    if (byte < 0x80) break;
  }
  return size >= LARGE_RESULT;
}

/** The offsets of entries that git cannot unpack, or that it names otherwise. */
async function refusedByFsck(repository: string): Promise<Set<number>> {
  const output = await new Promise<string>((resolve, reject) => {
    const options = { cwd: repository, env: GIT_ENV, maxBuffer: 2 ** 28 };
    execFile('git', ['fsck', '--full', '--no-dangling'], options, (error, stdout, stderr) => {
      // 1 and 2 are bits that say what is wrong with the objects; 128 is the end of git itself.
      if (Number(error?.code ?? 0) < 128) resolve(stdout + stderr);
      else reject(new Error(`git fsck died:\n${stderr.slice(-1000)}`));
    });
  });
  const renamed = /^error: packed ([0-9a-f]{40}) from .* is corrupt$/m.exec(output)?.[1];
  if (renamed !== undefined) throw new Error(`git calls ${renamed} another name:\n${output}`);
  const offsets = output.matchAll(/^error: cannot unpack [0-9a-f]+ from .* at offset (\d+)$/gm);
  return new Set(Array.from(offsets, ([, offset]) => Number(offset)));
}

/** The name that the content of `oid` has, or the code of its refusal. */
async function readBack(store: ObjectStore, oid: string): Promise<string> {
  let name = '';
  const code = await codeOf(() => {
    const object = store.read(oid);
    name = object === undefined ? 'absent' : oidOf(object.type, object.content);
  });
  return code === ACCEPTED ? name : code;
}
