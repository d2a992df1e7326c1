/**
 * A job in; a complete clone in its staging directory out, equal to what `git clone` leaves there.
 * The data path from top to bottom; nothing outside the staging directory is touched, and nothing in
 * it is removed when a step fails: whoever made the directory sweeps it.
 */
import { join } from 'node:path';
import { checkOut } from '../checkout/check-out.ts';
import { Pace } from '../checkout/pace.ts';
import { BufferPool } from '../pack/buffer-pool.ts';
import { ObjectStore } from '../pack/object-store.ts';
import type { Turns } from '../pack/turns.ts';
import { Token } from '../token.ts';
import type { CloneJob, CloneOutcome, CloneProgress } from './clone-job.ts';
import { CheckoutObserver } from './checkout-observer.ts';
import { FS_AT_ONCE as fs } from './fs-at-once.ts';
import { requireHistory, requireTips, treeToCheckOut } from './connectivity.ts';
import { writeGitdir } from './gitdir-writer.ts';
import { HttpPlugin } from './http-plugin.ts';
import { ProgressReporter } from './progress-reporter.ts';
import { textOf } from './ref-name.ts';
import { REMOTE } from './ref-plan.ts';
import type { RefPlan } from './ref-plan.ts';
import { Transport } from './transport.ts';
import { withoutToken } from './without-token.ts';

export interface CloneContext {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: CloneProgress) => void;
  /** Of the clones in this process. */
  readonly turns?: Turns;
}

/** @throws AgentError of any area, free of the token; the signal's reason when aborted. */
export async function cloneRepository(job: CloneJob, context: CloneContext): Promise<CloneOutcome> {
  const token = new Token(job.token);
  try {
    return await clone(job, token, context);
  } catch (error) {
    context.signal.throwIfAborted();
    throw withoutToken(error, token);
  }
}

async function clone(
  job: CloneJob,
  token: Token,
  { signal, onProgress, turns }: CloneContext,
): Promise<CloneOutcome> {
  const { worktree } = job;
  const gitdir = join(worktree, '.git');
  const reporter = new ProgressReporter(onProgress);
  reporter.update('connecting');
  using turn = turns?.join(signal);
  using transport = await Transport.open({
    ...job,
    token,
    limits: job.limits.transport,
    signal,
  });
  let observer: CheckoutObserver | undefined;
  // One for all stages: what the garbage collector has not freed yet of 50 MB contents is memory, too.
  const buffers = new BufferPool();
  const remote = new HttpPlugin({
    transport,
    packDir: join(gitdir, 'objects/pack'),
    limits: job.limits,
    checkout: job.checkout,
    signal,
    reporter,
    buffers,
    turn,
    observerFor: (plan) => (observer = new CheckoutObserver(worktree, plan, signal)),
  });

  // Only a process that clones pays for loading it.
  const git = await import('./isomorphic-git.ts');
  await git.init({ fs, dir: worktree, gitdir });
  await git.addRemote({ fs, gitdir, remote: REMOTE, url: job.originUrl });
  await git.fetch({ fs, http: remote, gitdir, remote: REMOTE, url: job.url, singleBranch: true });

  const { plan } = remote;
  using store = ObjectStore.open(join(gitdir, 'objects'), { preloadIdx: true, buffers });
  requireTips(store, plan);
  const { shallow, brokenOid } = remote.pack;
  if (brokenOid !== null) await requireHistory(store, plan, shallow, new Pace(signal));
  const treeOid = treeToCheckOut(store, plan);
  const { originUrl } = job;
  writeGitdir({ gitdir, plan, originUrl, shallow, now: new Date() });
  reporter.update('checking_out');
  const { files, lfsPointers } = await checkOut({
    store,
    worktree,
    gitdir,
    treeOid,
    begun: observer?.checkout,
    signal,
    onProgress: (done, total) => {
      reporter.update('checking_out', { files: done, total_files: total });
    },
  });

  const { objectCount, packBytes } = remote.pack;
  return { head: headOf(plan), objectCount, packBytes, files, lfsPointers, credential: 'ok' };
}

function headOf({ headRef, headOid, detachAt }: RefPlan): CloneOutcome['head'] {
  if (detachAt !== null) return { ref: null, oid: detachAt };
  return { ref: headRef === null ? null : textOf(headRef), oid: headOid };
}
