/**
 * What goes into a clone and what comes out, shared by the daemon and the clone process. All of it is
 * JSON, because it crosses a pipe; the token in a job goes over standard input and nowhere else.
 */
import type { PackLimits } from '../pack/limits.ts';
import type { Checkout } from '../resource.ts';
import type { Progress } from '../progress.ts';
import type { Head } from '../status.ts';
import type { TransportLimits } from './transport-limits.ts';

export interface CloneJob {
  /** Where to fetch from: https, or http when `allowHttp`; no userinfo, query or fragment. */
  readonly url: string;
  /** The staging directory: exists, is empty, is ours. Left as it is when the clone fails. */
  readonly worktree: string;
  /** What becomes remote.origin.url. */
  readonly originUrl: string;
  readonly checkout: Checkout | null;
  readonly token: string;
  readonly allowHttp: boolean;
  /** Variables that say how to reach the host; see pickCloneEnvironment(). */
  readonly environment: CloneEnvironment;
  readonly limits: CloneLimits;
}

export interface CloneLimits {
  readonly transport: TransportLimits;
  readonly pack: PackLimits;
}

export interface CloneProgress {
  readonly phase: 'connecting' | 'receiving' | 'indexing' | 'checking_out';
  readonly progress: Progress;
}

export interface CloneOutcome {
  readonly head: Head;
  readonly objectCount: number;
  readonly packBytes: number;
  readonly files: number;
  readonly lfsPointers: number;
  readonly credential: 'ok';
}

export type CloneEnvironment = Readonly<Partial<Record<CloneVariable, string>>>;

const CLONE_VARIABLES = [
  'http_proxy',
  'HTTP_PROXY',
  'https_proxy',
  'HTTPS_PROXY',
  'all_proxy',
  'ALL_PROXY',
  'no_proxy',
  'NO_PROXY',
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
  'GIT_SSL_CAINFO',
] as const;

type CloneVariable = (typeof CLONE_VARIABLES)[number];

/** The proxy and certificate variables of an environment; nothing else of it reaches a clone. */
export function pickCloneEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): CloneEnvironment {
  const picked: Partial<Record<CloneVariable, string>> = {};
  for (const name of CLONE_VARIABLES) {
    const value = env[name];
    if (value !== undefined && value !== '') picked[name] = value;
  }
  return picked;
}
