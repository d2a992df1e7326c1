/**
 * `npm run corpora -- DIR…`: whatever packs and repositories are in these directories (test data of
 * other Git implementations), judged by us and by git. Ends with 1 when the two disagree.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { FuzzDirectory } from '../fuzz/git-batch.ts';
import type { Case } from '../fuzz/pack-cases.ts';
import { judgePacks } from '../fuzz/packs.ts';
import type { Verdict } from '../fuzz/verdict.ts';
import { sealPack } from '../pack/craft-pack.ts';
import { judgeRepository } from './repositories.ts';

const LARGEST_BYTES = 64 * 2 ** 20;
const BATCH = 100;

interface Found {
  readonly packs: Case[];
  readonly gitdirs: string[];
}

const found: Found = { packs: [], gitdirs: [] };
for (const directory of process.argv.slice(2)) search(directory, found);

const packs: Verdict[] = [];
for (let at = 0; at < found.packs.length; at += BATCH) {
  using directory = new FuzzDirectory();
  packs.push(...(await judgePacks(directory.path, found.packs.slice(at, at + BATCH), at)));
}
report('packs', packs);
const trees: Verdict[] = [];
for (const gitdir of found.gitdirs) trees.push(...(await judgeRepository(gitdir)));
report(`checkouts of ${found.gitdirs.length} repositories`, trees);

function search(path: string, into: Found): void {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats?.isDirectory() === true) {
    const names = readdirSync(path);
    if (['HEAD', 'objects', 'refs'].every((name) => names.includes(name))) into.gitdirs.push(path);
    for (const name of names) search(join(path, name), into);
  } else if (stats?.isFile() === true && stats.size <= LARGEST_BYTES) {
    into.packs.push(...packsIn(path));
  }
}

/** As it stands; and for what a fuzzer wrote, from the signature on, with a right trailer too. */
function packsIn(path: string): Case[] {
  const bytes = readFileSync(path);
  const start = bytes.subarray(0, 16).indexOf('PACK');
  const ofFuzzer = basename(dirname(path)) === 'packfile';
  if (start === -1 && !ofFuzzer) return [];
  const cases: Case[] = [{ bytes, how: path }];
  if (start > 0) cases.push({ bytes: bytes.subarray(start), how: `${path} from ${start}` });
  if (ofFuzzer) cases.push({ bytes: sealPack(bytes.subarray(1)), how: `${path} sealed` });
  return cases;
}

function report(what: string, verdicts: readonly Verdict[]): void {
  const accepted = verdicts.filter((verdict) => verdict.accepted).length;
  const disagreements = verdicts.filter(({ disagreement }) => disagreement !== null);
  const stricter = verdicts.filter(({ stricterBy }) => stricterBy !== null).length;
  console.log(
    `${what}: ${verdicts.length} judged, ${accepted} accepted, ${verdicts.length - accepted} refused (${stricter} by us alone, as documented), ${disagreements.length} disagreements`,
  );
  for (const { how, disagreement } of disagreements) console.log(`  ${how}: ${disagreement ?? ''}`);
  if (disagreements.length > 0) process.exitCode = 1;
}
