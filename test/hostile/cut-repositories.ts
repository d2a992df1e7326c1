/** What a host has to say for a repository made by hand, and for a larger one packed by git. */
import { rmSync } from 'node:fs';
import { bytesOf, pkt } from '../clone/streams.ts';
import { git, makeDirectory, makeRepository, packAll } from '../pack/git-repository.ts';
import type { Answers } from './cuts.ts';
import { MAIN_REFS, packAnswer } from './hostile-host.ts';
import { RIGHT, packOf } from './objects.ts';

const ADVERTISEMENT = bytesOf(pkt('version 2\n'), pkt('ls-refs\n'), pkt('fetch\n'), '0000');

export function smallAnswers(): Answers {
  const refs = bytesOf(...MAIN_REFS.map((line) => pkt(`${line}\n`)), '0000');
  return { advertisement: ADVERTISEMENT, refs, pack: packAnswer(packOf(...RIGHT)) };
}

/** About 400 KB: deltas in long chains, several packets of the sideband. */
export function largerAnswers(): Answers {
  const directory = makeDirectory();
  try {
    makeRepository(directory, 120);
    const main = git(directory, ['rev-parse', 'refs/heads/main']).toString().trim();
    const lines = [`${main} HEAD symref-target:refs/heads/main`, `${main} refs/heads/main`];
    const refs = bytesOf(...lines.map((line) => pkt(`${line}\n`)), '0000');
    const pack = packAnswer(packAll(directory, ['--delta-base-offset']));
    return { advertisement: ADVERTISEMENT, refs, pack };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
