/** Whole packs: ingestPack() against `git index-pack`, verdict and idx. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ingestPack } from '../../agent/pack/ingest.ts';
import type { IngestOutcome } from '../../agent/pack/ingest.ts';
import { PACK_LIMITS } from '../../agent/pack/limits.ts';
import { packSource } from '../../agent/pack/pack-source.ts';
import { chunksOf } from '../pack/chunks.ts';
import { exitCodes, FuzzDirectory, inLanes } from './git-batch.ts';
import { makePackCase } from './pack-cases.ts';
import type { Case } from './pack-cases.ts';
import { Random } from './random.ts';
import { ACCEPTED, codeOf, compare } from './verdict.ts';
import type { FuzzKind, Verdict } from './verdict.ts';

/** Git refuses with 128 or 1, and aborts at a preset dictionary. */
const INDEX_PACK = 'exec git index-pack --threads=1 -o "$1.idx" "$1" >/dev/null 2>"$1.err"';

/** What git 2.39 refuses and later ones take, and what it takes and we do not. */
const LATER_GIT_ACCEPTS = /duplicate base/;

export const PACKS: FuzzKind = {
  name: 'pack',
  share: 250,
  batch: 250,
  async judge(seed, first, count) {
    using directory = new FuzzDirectory();
    const cases = Array.from({ length: count }, (_, at) =>
      makePackCase(new Random(seed, first + at)),
    );
    return await judgePacks(directory.path, cases, seed);
  },
};

/** Both verdicts on each pack; `seed` chooses how the bytes arrive. */
export async function judgePacks(
  directory: string,
  cases: readonly Case[],
  seed: number,
): Promise<Verdict[]> {
  const names = cases.map((_case, at) => `${at}.pack`);
  cases.forEach(({ bytes }, at) => {
    writeFileSync(join(directory, names[at]!), bytes);
  });
  const theirs = exitCodes(directory, INDEX_PACK, names);
  const ours = await inLanes(cases, ({ bytes }, at, lane) => {
    const packDir = join(directory, `ours-${lane}`);
    mkdirSync(packDir, { recursive: true });
    return ingestOne(packDir, bytes, new Random(seed, at));
  });
  const codes = await theirs;
  return cases.map((each, at) =>
    verdictOn(each, ours[at]!, codes[at]!, join(directory, names[at]!)),
  );
}

interface Ours {
  readonly code: string;
  readonly idx: Buffer | null;
}

async function ingestOne(packDir: string, pack: Buffer, random: Random): Promise<Ours> {
  const chunkBytes = random.pick([Infinity, Infinity, 1 + random.below(100)]);
  const tuning = random.chance(0.3) ? { windowBytes: 512, streamBytes: 64 } : {};
  let outcome: IngestOutcome | undefined;
  const code = await codeOf(async () => {
    const context = { packDir, limits: PACK_LIMITS, tuning };
    outcome = await ingestPack(packSource(chunksOf(pack, chunkBytes)), context);
  });
  const idxPath = outcome?.idxPath ?? null;
  const idx = idxPath === null ? null : readFileSync(idxPath);
  const left = readdirSync(packDir);
  for (const name of left) rmSync(join(packDir, name));
  if (code !== ACCEPTED && left.length > 0) return { code: `crash: left ${left.join()}`, idx };
  return { code, idx };
}

function verdictOn(each: Case, { code, idx }: Ours, gitCode: number, path: string): Verdict {
  const gitAccepts = gitCode === 0;
  if (gitAccepts && idx !== null && !readFileSync(`${path}.idx`).equals(idx)) {
    return compare(each, 'crash: the idx differs', gitAccepts);
  }
  if (
    !gitAccepts &&
    code === ACCEPTED &&
    LATER_GIT_ACCEPTS.test(readFileSync(`${path}.err`, 'utf8'))
  ) {
    return compare(each, code, true);
  }
  return compare(each, code, gitAccepts, null);
}
