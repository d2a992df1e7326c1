/** Mount states as they come up in a session, on a table of any paths. */
import { AgentError } from '../../agent/errors.ts';
import { reportOf } from '../../agent/error-report.ts';
import { StatusTable } from '../../agent/status.ts';
import type { AtRisk, MountChange, RepositoryAtRisk } from '../../agent/status.ts';
import { Token } from '../../agent/token.ts';

export function tableOf(...paths: readonly string[]): StatusTable {
  const table = new StatusTable({
    version: '1.2.3',
    startedAt: new Date('2026-01-01T00:00:00Z'),
    reclaimAfterMs: 86_400_000,
  });
  const resources = paths.map((mountPath) => ({
    type: 'github_repository' as const,
    id: null,
    url: 'https://github.com/acme/web',
    protocol: 'https' as const,
    host: 'github.com',
    owner: 'acme',
    name: 'web',
    mountPath,
    token: new Token('unused-here'),
    checkout: null,
  }));
  table.begin('sess_1', resources);
  return table;
}

const COUNTS = { objects: 12_345, total_objects: 27_000, files: 0, total_files: 0 };

export const RECEIVING: MountChange = {
  phase: 'receiving',
  attempts: 1,
  started_at: '2026-01-01T00:00:00.000Z',
  progress: { received_bytes: 23_000_000, ...COUNTS },
};

export const CHECKING_OUT: MountChange = {
  phase: 'checking_out',
  progress: {
    received_bytes: 51_000_000,
    objects: 27_000,
    total_objects: 27_000,
    files: 617,
    total_files: 1_234,
  },
};

export const READY: MountChange = {
  phase: 'ready',
  started_at: '2026-01-01T00:00:00.000Z',
  ready_at: '2026-01-01T00:00:04.100Z',
  head: { ref: 'refs/heads/main', oid: '1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d' },
  progress: {
    received_bytes: 51_000_000,
    objects: 27_000,
    total_objects: 27_000,
    files: 1_234,
    total_files: 1_234,
  },
};

export function failedWith(message: string, nextAttemptAt: Date | null = null): MountChange {
  const error = new AgentError('TRANSPORT_UNAUTHORIZED', message, { remedy: 'Rotate the token.' });
  return { phase: 'failed', error: reportOf(error, nextAttemptAt) };
}

export const AT_RISK: AtRisk = {
  staged: 1,
  unstaged: 2,
  untracked: 1,
  conflicted: 0,
  untracked_bytes: 1_200,
  unpushed_commits: 3,
  stashes: 1,
  operation: null,
  paths: ['src/a.ts', 'src/b.ts', 'src/c.ts'],
  paths_total: 3,
  branches: [{ ref: 'refs/heads/fix', unpushed: 3 }],
  repositories: [],
  unknown: null,
  since: '2026-01-01T01:00:00.000Z',
  checked_at: '2026-01-01T02:00:00.000Z',
};

/** A submodule in which nothing is at risk yet. */
export const NESTED: RepositoryAtRisk = {
  path: 'lib',
  kind: 'submodule',
  staged: 0,
  unstaged: 0,
  untracked: 0,
  conflicted: 0,
  untracked_bytes: 0,
  unpushed_commits: 0,
  stashes: 0,
  operation: null,
  unknown: null,
};
