/**
 * One history of a session: steps in a clone, a rescue of it, the disk gone, a fresh clone, the rescue
 * put back. Says what is not as it was: in the source after the capture, in the clone after the restore.
 */
import { deepStrictEqual } from 'node:assert/strict';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { capture } from '../../agent/rescue/capture.ts';
import { restore } from '../../agent/rescue/restore.ts';
import { takeHistoryStep } from '../work/histories.ts';
import type { History } from '../work/histories.ts';
import { copyTemplate, fingerprint, runGit } from '../work/scratch-repository.ts';
import type { ScratchRepository } from '../work/scratch-repository.ts';
import { stateOf } from './state.ts';

/** @throws AssertionError with what differs, line by line. */
export async function replayWithRescue(template: string, history: History): Promise<void> {
  const lost = copyTemplate(template);
  try {
    for (const step of history) takeHistoryStep(lost, step);
    deepStrictEqual(await loseAndRestore(lost), []);
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
    // Of a remote in another directory git copies this as well; one on a network has none to give.
    rmSync(join(mount, '.git/objects/info/commit-graph'), { force: true });
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
