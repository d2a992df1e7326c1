/**
 * The ledger against git's word, mount by mount, at a quiet moment: the counts have to become equal
 * within a time, because a change is seen a moment after it was made.
 */
import { execFile } from 'node:child_process';
import { isDeepStrictEqual, promisify } from 'node:util';
import type { MountStatus } from '../../agent/status.ts';
import { CLEAN_GIT_ENVIRONMENT } from '../fixtures/cache.ts';
import { rowsOf } from './checks.ts';
import { pause } from './daemon.ts';
import type { Soak } from './soak-run.ts';
import type { SoakRepository } from './stage.ts';

const execFileAsync = promisify(execFile);
const LEDGER_WITHIN_MS = 30_000;

type Expected = Awaited<ReturnType<ReturnType<Soak['oracle']>['expectedRisk']>>;
const NOTHING: NonNullable<Expected> = {
  staged: 0,
  unstaged: 0,
  untracked: 0,
  conflicted: 0,
  untracked_bytes: 0,
  paths_total: 0,
  unpushed_commits: 0,
  stashes: 0,
  operation: null,
  unknown: null,
};

/** The ledger says of each mount what git says. */
export async function checkLedger(soak: Soak): Promise<void> {
  for (const repository of soak.stage.repositories) await checkOne(soak, repository);
}

async function checkOne(soak: Soak, repository: SoakRepository): Promise<void> {
  const deadline = Date.now() + LEDGER_WITHIN_MS;
  const expected = await soak.oracle(repository).expectedRisk();
  for (;;) {
    const [row] = await rowsOf(soak, [repository]);
    const actual = countsOf(row);
    if (isDeepStrictEqual(actual, expected)) break;
    if (await isOvercount(repository, actual, expected)) {
      soak.overcounted += 1;
      break;
    }
    if (Date.now() > deadline) {
      const steps = soak.users.history.get(repository.name)?.join(', ') ?? '';
      const said = `git says ${JSON.stringify(expected)}, the ledger ${JSON.stringify(actual)}`;
      soak.violation('ledger', `${repository.name}: ${said}; after: ${steps}`, repository);
      break;
    }
    await pause(250);
  }
  soak.ledgersCompared += 1;
}

/**
 * A daemon that starts again over refs that somebody has packed cannot know which tags came with the
 * clone; then it counts commits that only these reach. A doubt makes work "at risk", never "safe".
 */
async function isOvercount(
  { mountPath }: SoakRepository,
  actual: unknown,
  expected: Expected,
): Promise<boolean> {
  const said = actual as Expected | undefined;
  if (said == null || said.unpushed_commits <= (expected?.unpushed_commits ?? 0)) return false;
  const rest = { ...(expected ?? NOTHING), unpushed_commits: said.unpushed_commits };
  if (!isDeepStrictEqual(said, rest)) return false;
  const ask = async (...args: string[]): Promise<string> => {
    const env = { ...CLEAN_GIT_ENVIRONMENT, GIT_OPTIONAL_LOCKS: '0' };
    return (await execFileAsync('git', args, { cwd: mountPath, env })).stdout;
  };
  const heads = [...(await ask('worktree', 'list', '--porcelain')).matchAll(/^HEAD (\w+)$/gm)]
    .map(([, oid = '']) => oid)
    .filter((oid) => !/^0+$/.test(oid));
  const args = ['--count', '--branches', '--tags', ...heads, '--not', '--remotes'];
  return said.unpushed_commits <= Number(await ask('rev-list', ...args));
}

function countsOf(row: MountStatus | undefined): unknown {
  const risk = row?.at_risk;
  if (risk === undefined) return undefined;
  if (risk === null) return null;
  const shown = new Set(['paths', 'branches', 'since', 'checked_at']);
  return Object.fromEntries(Object.entries(risk).filter(([name]) => !shown.has(name)));
}
