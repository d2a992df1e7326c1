/**
 * One Resource → its clone at the mount path, or a failure in its row of the status table. In: what
 * stands at the mount path and what the host answers; out: a whole clone, put in place by one
 * rename, or an adopted one. A failure stays in the row: it never reaches another mount.
 */
import { join } from 'node:path';
import type { Config } from './cli.ts';
import { pickCloneEnvironment } from './clone/clone-job.ts';
import type { CloneJob, CloneOutcome, CloneProgress } from './clone/clone-job.ts';
import type { CloneProcesses } from './clone/clone-processes.ts';
import { withRetry } from './clone/retry.ts';
import { TRANSPORT_LIMITS } from './clone/transport-limits.ts';
import { toAgentError } from './errors.ts';
import type { AgentError } from './errors.ts';
import type { Environment, Owner } from './host.ts';
import { reasonOf } from './lifetime.ts';
import type { Slots } from './lifetime.ts';
import type { Log } from './log.ts';
import { readHead } from './mounts/head.ts';
import { prepareMount } from './mounts/prepare-mount.ts';
import type { Staging } from './mounts/staging.ts';
import { PACK_LIMITS } from './pack/limits.ts';
import type { Resource } from './resource.ts';
import { offerRescue, restoreInto, resumeRestore, tellGaps } from './restore-at-boot.ts';
import { reportOf } from './error-report.ts';
import { NO_PROGRESS } from './progress.ts';
import type { RescueNote } from './rescue-note.ts';
import type { Credential, StatusTable } from './status.ts';
import type { Token } from './token.ts';

export interface MountContext {
  readonly config: Config;
  readonly env: Environment;
  readonly owner: Owner | null;
  readonly status: StatusTable;
  readonly log: Log;
  /** Bounds the clones at once; a mount that waits for its next attempt holds no slot. */
  readonly slots: Slots;
  readonly clones: CloneProcesses;
  /** The token as it is now: a rotation counts for the next attempt. */
  readonly tokenOf: (resource: Resource) => Token;
  /** Settles when git and gh have the session's tokens, which takes 10 ms beside a clone's begin. */
  readonly wired: Promise<void>;
  readonly signal: AbortSignal;
}

/** @returns whether the mount is ready. @throws only the signal's reason. */
export async function mountResource(resource: Resource, context: MountContext): Promise<boolean> {
  const { config, status, signal } = context;
  const { mountPath } = resource;
  const log = context.log.child({ mount: mountPath });
  const startedAt = new Date();
  status.update(mountPath, {
    phase: 'pending',
    progress: NO_PROGRESS,
    started_at: startedAt.toISOString(),
    error: null,
  });
  let lastError: AgentError | null = null;
  const attemptAgain = (attempt: number): Promise<void> => {
    // Why it is not the first one stays in the status; when it was to begin is past.
    if (lastError !== null) status.update(mountPath, { error: reportOf(lastError, null) });
    return attemptMount(resource, attempt, { ...context, log });
  };
  try {
    await withRetry(attemptAgain, {
      retryForMs: config.retryForMs,
      signal,
      onRetry: (error, attempt, nextAttemptAt) => {
        lastError = error;
        log.warn({ err: error, attempt, nextAttemptAt }, 'mount failed; it is tried again');
        status.update(mountPath, { phase: 'pending', error: reportOf(error, nextAttemptAt) });
      },
    });
    await context.wired;
    status.update(mountPath, { phase: 'ready', ready_at: new Date().toISOString(), error: null });
    log.info({ durationMs: Date.now() - startedAt.getTime() }, 'mount ready');
    return true;
  } catch (error) {
    if (signal.aborted) throw reasonOf(signal);
    const failure = toAgentError(error);
    log.error({ err: failure }, 'mount failed');
    status.update(mountPath, {
      phase: 'failed',
      error: reportOf(failure, null),
      credential: credentialAfter(failure),
    });
    return false;
  }
}

async function attemptMount(
  resource: Resource,
  attempt: number,
  context: MountContext,
): Promise<void> {
  const { config, status, log, slots, signal } = context;
  const { mountPath } = resource;
  using _slot = await slots.take(signal);
  const prepared = await prepareMount(resource, { owner: context.owner });
  if (prepared.state === 'adopted') {
    status.update(mountPath, { head: prepared.head });
    log.info({ head: prepared.head }, 'complete clone adopted');
    await resumeRestore(resource, context);
    return;
  }
  const rescue = await offerRescue(resource, context);
  const isRestored = config.restore === 'auto' && rescue !== null;
  if (await makeClone(resource, attempt, context, prepared.staging, isRestored ? rescue : null)) {
    // Nobody waits for it: it reads the whole file.
    if (rescue !== null && !isRestored) void tellGaps(resource, rescue, context);
    return;
  }
  // A restore failed half-way: the clone is made once more, and stays as it is.
  const again = await prepareMount(resource, { owner: context.owner });
  if (again.state === 'fresh') await makeClone(resource, attempt, context, again.staging, null);
}

/** @returns false when the rescue could not be put into it: then it is gone again. */
async function makeClone(
  resource: Resource,
  attempt: number,
  context: MountContext,
  fresh: Staging,
  rescue: RescueNote | null,
): Promise<boolean> {
  const { status, log } = context;
  const { mountPath, url } = resource;
  await using staging = fresh;
  status.update(mountPath, { attempts: attempt, phase: 'connecting', progress: NO_PROGRESS });
  log.info({ url, attempt }, 'cloning');
  const outcome = await cloneInto(resource, attempt, staging.clonePath, context);
  if (rescue !== null && !(await restoreInto(staging.clonePath, resource, rescue, context))) {
    return false;
  }
  const restored = rescue === null ? null : readHead(join(staging.clonePath, '.git'));
  const head = restored ?? outcome.head;
  await staging.publish({ head, clonedAt: new Date() });
  const { objectCount, packBytes, files, lfsPointers } = outcome;
  status.update(mountPath, { head, credential: outcome.credential });
  log.info({ head, objectCount, packBytes, files, lfsPointers }, 'clone published');
  return true;
}

async function cloneInto(
  resource: Resource,
  attempt: number,
  worktree: string,
  context: MountContext,
): Promise<CloneOutcome> {
  const { config, env, status, log, clones, tokenOf, signal } = context;
  const job: CloneJob = {
    url: resource.url,
    originUrl: resource.url,
    worktree,
    checkout: resource.checkout,
    token: tokenOf(resource).reveal(),
    allowHttp: config.allowHttp,
    environment: pickCloneEnvironment(env),
    limits: { transport: TRANSPORT_LIMITS, pack: PACK_LIMITS },
  };
  const onProgress = ({ phase, progress }: CloneProgress): void => {
    status.update(resource.mountPath, { phase, progress });
  };
  return clones.clone(job, { signal, onProgress, log, alone: attempt > 1 });
}

function credentialAfter({ code }: AgentError): Credential {
  if (code === 'TRANSPORT_UNAUTHORIZED') return 'rejected';
  return code === 'TRANSPORT_SSO_REQUIRED' ? 'sso_required' : 'unknown';
}
