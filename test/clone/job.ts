/** A clone job for tests: loopback, no proxy, the token that nothing may ever show. */
import { mkdirSync } from 'node:fs';
import type { CloneJob, CloneOutcome, CloneProgress } from '../../agent/clone/clone-job.ts';
import { cloneRepository } from '../../agent/clone/clone-repository.ts';
import { TRANSPORT_LIMITS } from '../../agent/clone/transport-limits.ts';
import { PACK_LIMITS } from '../../agent/pack/limits.ts';

export const TOKEN = 'github_pat_11SECRET0123456789abcdef';

export function makeJob(url: string, worktree: string, change: Partial<CloneJob> = {}): CloneJob {
  mkdirSync(worktree, { recursive: true });
  return {
    url,
    worktree,
    originUrl: url,
    checkout: null,
    token: TOKEN,
    allowHttp: true,
    environment: {},
    limits: { transport: TRANSPORT_LIMITS, pack: PACK_LIMITS },
    ...change,
  };
}

export function runClone(
  job: CloneJob,
  onProgress: (progress: CloneProgress) => void = () => undefined,
): Promise<CloneOutcome> {
  return cloneRepository(job, { signal: new AbortController().signal, onProgress });
}
