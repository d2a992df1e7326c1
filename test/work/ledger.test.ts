import { rmSync, utimesSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { nextTurn } from '../../agent/lifetime.ts';
import { Ledger, takeLedger } from '../../agent/work/ledger.ts';
import type { LedgerReading } from '../../agent/work/ledger.ts';
import { WatchSet } from '../../agent/work/watch-set.ts';
import { copyTemplate, createTemplate, fingerprint } from './scratch-repository.ts';
import type { ScratchRepository } from './scratch-repository.ts';
import { FIRST_STEPS, STEPS, takeStep } from './steps.ts';

/** Without a count of its own a run takes what time allows, up to this many histories. */
const HISTORIES = Number(process.env['LEDGER_HISTORIES'] ?? '40');
/** The suite walks the same histories each time; a campaign gives a seed of its own. */
const SEED = Number(process.env['LEDGER_SEED'] ?? '20260');
const TIME_LIMIT =
  process.env['LEDGER_HISTORIES'] === undefined ? { interruptAfterTimeLimit: 20_000 } : {};

let template = '';
const open: ScratchRepository[] = [];

beforeAll(() => {
  template = createTemplate();
});
afterAll(() => {
  rmSync(template, { recursive: true, force: true });
});
afterEach(() => {
  for (const repository of open.splice(0)) repository.remove();
});

function fresh(): ScratchRepository {
  const repository = copyTemplate(template);
  open.push(repository);
  return repository;
}

async function take(repository: ScratchRepository): Promise<LedgerReading> {
  const { worktree, clonedTags } = repository;
  return await takeLedger({ worktree, clonedTags });
}

/** One that is kept up by what inotify says, and reads nothing else again. */
function watchedLedger({ worktree, clonedTags }: ScratchRepository) {
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

/** The counts alone: which paths are shown is ours to choose. */
function counts(reading: LedgerReading) {
  if (reading.risk === null) return null;
  const { paths, branches, repositories, ...rest } = reading.risk;
  expect(repositories.length).toBeLessThanOrEqual(rest.paths_total);
  expect(paths.length).toBe(Math.min(50, rest.paths_total));
  expect(branches.length > 0).toBe(rest.unpushed_commits > 0);
  return rest;
}

test('a fresh clone with a release tag on a deleted branch has nothing at risk', async () => {
  const repository = fresh();
  const { risk, head } = await take(repository);
  expect(risk).toBeNull();
  expect(head).toEqual({
    ref: 'refs/heads/main',
    oid: repository.git('rev-parse', 'HEAD').trim(),
  });
});

test('tags that came with a clone are told from own ones by what the clone left, until refs are packed', async () => {
  const repository = fresh();
  const { worktree } = repository;
  const unpushed = async () => (await takeLedger({ worktree })).risk?.unpushed_commits ?? 0;
  expect(await unpushed()).toBe(0);
  repository.git('commit', '-q', '--allow-empty', '-m', 'mine');
  repository.git('tag', 'mine');
  repository.git('reset', '-q', '--hard', 'origin/main');
  expect(await unpushed()).toBe(1);
  // Ten seconds on, as far as files tell: nothing tells the two tags apart now.
  repository.git('pack-refs', '--all');
  const later = Date.now() / 1000 + 10;
  utimesSync(repository.path('.git/packed-refs'), later, later);
  expect(await unpushed()).toBe(2);
});

test('the marker of a clone tells its tags from own ones when refs have long been packed', async () => {
  const repository = fresh();
  const { worktree, clonedTags } = repository;
  repository.write(
    '.git/mount-agent.json',
    JSON.stringify({ tags: Object.fromEntries(clonedTags) }),
  );
  repository.git('commit', '-q', '--allow-empty', '-m', 'mine');
  repository.git('tag', 'mine');
  repository.git('reset', '-q', '--hard', 'origin/main');
  repository.git('gc', '-q');
  const later = Date.now() / 1000 + 10;
  utimesSync(repository.path('.git/packed-refs'), later, later);
  expect((await takeLedger({ worktree })).risk?.unpushed_commits).toBe(1);
});

describe('the ledger says what git says after', () => {
  test.each(Object.entries({ ...STEPS, ...FIRST_STEPS }))('%s', async (_name, step) => {
    const repository = fresh();
    using watched = watchedLedger(repository);
    await watched.take();
    for (const pick of [0, 1]) {
      step(repository, pick);
      const expected = await repository.expectedRisk();
      expect(counts(await take(repository)), `pick ${pick}`).toEqual(expected);
      expect(counts(await watched.take()), `kept up, pick ${pick}`).toEqual(expected);
    }
  });
});

test(
  'the ledger says what git says after each step of random histories',
  async () => {
    const step = fc.tuple(fc.constantFrom(...Object.keys(STEPS)), fc.nat(11));
    const history = fc.array(step, { minLength: 4, maxLength: 10, size: 'max' });
    await fc.assert(
      fc.asyncProperty(history, async (steps) => {
        const repository = copyTemplate(template);
        using watched = watchedLedger(repository);
        try {
          for (const [name, pick] of steps) {
            takeStep(repository, name, pick);
            const expected = await repository.expectedRisk();
            expect(counts(await take(repository)), `from scratch, after ${name}`).toEqual(expected);
            expect(counts(await watched.take()), `kept up, after ${name}`).toEqual(expected);
          }
        } finally {
          repository.remove();
        }
      }),
      { numRuns: HISTORIES, ...TIME_LIMIT, seed: SEED },
    );
  },
  120_000 + HISTORIES * 20_000,
);

test('taking a ledger writes nothing, anywhere in worktree and Git directory', async () => {
  const repository = fresh();
  for (const name of [
    'edit',
    'new file',
    'stash',
    'merge conflict',
    'submodule',
    'touch without change',
  ]) {
    STEPS[name]?.(repository, 1);
  }
  const before = fingerprint(repository.base);
  const { risk } = await take(repository);
  expect(risk).not.toBeNull();
  expect(fingerprint(repository.base)).toBe(before);
});
