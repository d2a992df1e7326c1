/**
 * What the three probes say, from the status table: `application/health+json` (the IETF draft
 * "Health Check Response Format for HTTP APIs"), one check per mount, named by its path.
 * Reads, never decides: ready and health are the table's own words.
 */
import { isTokenRefused } from '../status.ts';
import type { Health, MountStatus, StatusTable } from '../status.ts';
import { jsonAnswer } from './answer.ts';
import type { Answer } from './answer.ts';

const HEALTH_JSON = 'application/health+json';

/** The draft makes each check a list, for components that run several times. */
interface Check {
  readonly status: Health;
  /** Why it does not pass. */
  readonly output?: string;
}

export function liveness(): Answer {
  return answer(200, 'pass', new Map());
}

export function readiness(status: StatusTable): Answer {
  const checks = new Map(status.mounts.map((mount) => [mount.mount_path, readyCheck(mount)]));
  if (!status.manifestRead) {
    checks.set('manifest', { status: 'fail', output: 'The manifest is not there yet.' });
  }
  return status.ready ? answer(200, 'pass', checks) : answer(503, 'fail', checks);
}

export function health(status: StatusTable): Answer {
  const { deadlineNear } = status;
  const checks = new Map(
    status.mounts.map((mount) => [mount.mount_path, healthCheck(mount, deadlineNear)]),
  );
  if (status.isBroken) {
    checks.set('daemon', { status: 'fail', output: 'The daemon itself has failed; see its log.' });
  }
  return answer(status.health === 'fail' ? 503 : 200, status.health, checks);
}

function answer(code: number, status: Health, checks: ReadonlyMap<string, Check>): Answer {
  const lists = [...checks].map(([name, check]) => [name, [check]] as const);
  return jsonAnswer(code, { status, checks: Object.fromEntries(lists) }, HEALTH_JSON);
}

function readyCheck(mount: MountStatus): Check {
  if (mount.phase === 'ready') return { status: 'pass' };
  return { status: 'fail', output: reasonOf(mount) };
}

function healthCheck(mount: MountStatus, deadlineNear: boolean): Check {
  if (mount.phase === 'failed') return { status: 'fail', output: reasonOf(mount) };
  const isRefused = isTokenRefused(mount);
  if (mount.at_risk !== null && (deadlineNear || isRefused)) {
    const { paths_total: files, unpushed_commits: commits, stashes } = mount.at_risk;
    const when = isRefused ? 'with a token that the host refuses' : 'near the deadline';
    return {
      status: 'warn',
      output: `At risk ${when}: files ${files}, unpushed commits ${commits}, stashes ${stashes}.`,
    };
  }
  return { status: 'pass' };
}

function reasonOf(mount: MountStatus): string {
  const { phase, progress, error } = mount;
  if (error !== null) return `${phase}: ${error.code}: ${error.message} ${error.remedy}`;
  if (phase === 'receiving' || phase === 'indexing') {
    return `${phase}: ${progress.objects} of ${progress.total_objects} objects`;
  }
  if (phase === 'checking_out') {
    return `${phase}: ${progress.files} of ${progress.total_files} files`;
  }
  return phase;
}
