/**
 * One history of a session: steps in a clone, a rescue of it, the disk gone, a fresh clone, the rescue
 * put back. Says what is not as it was: in the source after the capture, in the clone after the restore.
 */
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { capture } from '../../agent/rescue/capture.ts';
import { restore } from '../../agent/rescue/restore.ts';
import { copyTemplate, fingerprint, runGit } from '../work/scratch-repository.ts';
import type { ScratchRepository } from '../work/scratch-repository.ts';
import { STEPS, takeStep } from '../work/steps.ts';
import { stateOf } from './state.ts';

export type History = readonly (readonly [step: string, pick: number])[];

/** What only a rescue can give back. */
const MORE_STEPS: Readonly<Record<string, (r: ScratchRepository, pick: number) => void>> = {
  'the remote loses a branch': (r, pick) => {
    const branch = ['pushed', 'theirs', 'topic'][pick % 3] ?? 'topic';
    const gone = join(r.base, 'origin.git');
    if (existsSync(join(gone, 'refs/heads', branch))) runGit(gone, ['branch', '-D', branch]);
  },
  'the remote forgets what nothing leads to': (r) => {
    const gone = join(r.base, 'origin.git');
    runGit(gone, ['reflog', 'expire', '--expire=now', '--all']);
    runGit(gone, ['gc', '-q', '--prune=now']);
  },
  'amended, the old commit in the reflog alone': (r, pick) => {
    r.write('amended.txt', `${pick}`);
    r.tryGit('add', 'amended.txt');
    r.tryGit('commit', '-qm', 'before');
    r.write('amended.txt', `${pick} again`);
    r.tryGit('commit', '-qa', '--amend', '-m', 'after');
  },
  'a large file': (r, pick) => {
    r.write('large.bin', Buffer.alloc(3_000_000, `large ${pick} `));
    if (pick % 2 === 0) r.tryGit('add', 'large.bin');
  },
  'staged and then gone': (r, pick) => {
    r.write('staged-only.txt', `only in the index ${pick}`);
    r.tryGit('add', 'staged-only.txt');
    rmSync(r.path('staged-only.txt'));
  },
  hook: (r) => {
    r.write('.git/hooks/post-commit', '#!/bin/sh\n');
  },
};

const ALL_STEPS = [...Object.keys(STEPS), ...Object.keys(MORE_STEPS)];

export const anyHistory: fc.Arbitrary<History> = fc.array(
  fc.tuple(fc.constantFrom(...ALL_STEPS), fc.nat(11)),
  { minLength: 3, maxLength: 10, size: 'max' },
);

/** @returns what differs, line by line; empty when the state came back. */
export async function replay(template: string, history: History): Promise<string[]> {
  const lost = copyTemplate(template);
  try {
    for (const [name, pick] of history) {
      if (name in STEPS) takeStep(lost, name, pick);
      else MORE_STEPS[name]?.(lost, pick);
    }
    return await loseAndRestore(lost);
  } finally {
    lost.remove();
  }
}

async function loseAndRestore(lost: ScratchRepository): Promise<string[]> {
  const { worktree: mount, base } = lost;
  const { signal } = new AbortController();
  const origin = join(base, 'origin.git');
  mkdirSync(`${base}-rescues`);
  const before = stateOf(mount, { withConfig: true });
  const untouched = fingerprint(base);
  const outcome = await capture({
    ...{ mount, mountPath: mount, url: origin, sessionId: 'sess_lost', out: `${base}-rescues` },
    ...{ includeIgnored: true, selfContained: false, signal },
    lsRemote: () => Promise.resolve(shownBy(origin)),
  });
  try {
    const touched = fingerprint(base) === untouched ? [] : ['capture changed its source'];
    const said = [...outcome.unsettled, ...outcome.leftOut].map((line) => `left out: ${line}`);
    rmSync(mount, { recursive: true });
    for (const name of readdirSync(base)) {
      if (/^linked/.test(name)) rmSync(join(base, name), { recursive: true });
    }
    // At the time that it really is, as the tags that came with it are told by that.
    runGit(base, ['clone', '-q', origin, 'work'], { GIT_COMMITTER_DATE: undefined });
    await restore({
      ...{ file: outcome.file, mount, mountPath: mount, signal },
      ...{ withHooks: true, withConfig: true, outsideWorktrees: true },
    });
    const after = stateOf(mount, { withConfig: true });
    return [...touched, ...said, ...differences(before, after)];
  } finally {
    rmSync(`${base}-rescues`, { recursive: true, force: true });
  }
}

function shownBy(origin: string): Map<string, string> {
  const lines = runGit(origin, ['for-each-ref', '--format=%(objectname) %(refname)']).toString();
  const refs = lines.split('\n').filter(Boolean);
  return new Map(refs.map((line) => [line.slice(41), line.slice(0, 40)]));
}

function differences(before: readonly string[], after: readonly string[]): string[] {
  const [was, is] = [new Set(before), new Set(after)];
  return [
    ...before.filter((line) => !is.has(line)).map((line) => `- ${line}`),
    ...after.filter((line) => !was.has(line)).map((line) => `+ ${line}`),
  ];
}
