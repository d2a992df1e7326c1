/**
 * A history of work with the ledger: after each step a reading from scratch, one that inotify has kept
 * up since the history began, and what git says have to be equal.
 */
import { deepStrictEqual, equal, ok } from 'node:assert/strict';
import { nextTurn } from '../../agent/lifetime.ts';
import { Ledger, takeLedger } from '../../agent/work/ledger.ts';
import type { LedgerReading } from '../../agent/work/ledger.ts';
import { WatchSet } from '../../agent/work/watch-set.ts';
import { takeHistoryStep } from './histories.ts';
import type { History } from './histories.ts';
import { askGit } from './git-answers.ts';
import type { Expected } from './git-answers.ts';
import { copyTemplate } from './scratch-repository.ts';
import type { ScratchRepository } from './scratch-repository.ts';

const SHOWN_LIMIT = 50;
const NOTHING = { paths: [], branches: [], repositories: [] };

/** @throws AssertionError where they are not of one mind. */
export async function replayWithLedgers(template: string, history: History): Promise<void> {
  const repository = copyTemplate(template);
  using watched = watchedLedger(repository);
  try {
    for (const step of history) {
      takeHistoryStep(repository, step);
      await compare(repository, watched, step[0]);
    }
  } finally {
    repository.remove();
  }
}

/** Both kinds of reading against git's word. @param after what happened, in words. */
export async function compare(
  repository: ScratchRepository,
  watched: WatchedLedger,
  after: string,
): Promise<void> {
  const expected = askGit(repository);
  compareOne(await takeFresh(repository), expected, `from scratch, after ${after}`);
  compareOne(await watched.take(), expected, `kept up, after ${after}`);
}

/** Of many paths the ledger shows some, and which is its own choice. */
function compareOne({ risk }: LedgerReading, expected: Expected, when: string): void {
  const { paths, branches, repositories, ...counts } = risk ?? NOTHING;
  deepStrictEqual(risk === null ? null : counts, expected.risk, when);
  const total = expected.paths.size;
  if (total <= SHOWN_LIMIT) deepStrictEqual(plain(paths), plain(expected.paths), when);
  else equal(paths.length, SHOWN_LIMIT, when);
  ok(repositories.length <= total, when);
  equal(branches.length > 0, (expected.risk?.unpushed_commits ?? 0) > 0, when);
}

/** Names that are shown as they are. */
function plain(paths: Iterable<string>): string[] {
  return [...paths].filter((path) => /^[ -~]*$/.test(path)).sort();
}

export async function takeFresh({
  worktree,
  clonedTags,
}: ScratchRepository): Promise<LedgerReading> {
  return await takeLedger({ worktree, clonedTags });
}

export interface WatchedLedger extends Disposable {
  take(): Promise<LedgerReading>;
}

/** One that is kept up by what inotify says, and reads nothing else again. */
export function watchedLedger({ worktree, clonedTags }: ScratchRepository): WatchedLedger {
  const fail = (error?: Error): void => {
    throw error ?? new Error('too many events');
  };
  const watches = new WatchSet({ onLimit: fail, onOverflow: fail });
  const ledger = new Ledger({ worktree, clonedTags }, { watches, onDirty: () => undefined });
  return {
    take: async (): Promise<LedgerReading> => {
      // Events of what has happened are in the queue already: a turn reads them all.
      for (let turn = 0; turn < 2; turn++) await nextTurn();
      return await ledger.take();
    },
    [Symbol.dispose]: () => {
      ledger[Symbol.dispose]();
      watches[Symbol.dispose]();
    },
  };
}
