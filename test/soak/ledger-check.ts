/**
 * The ledger against git's word, mount by mount, at a quiet moment: the counts have to become equal
 * within a time, because a change is seen a moment after it was made.
 */
import { isDeepStrictEqual } from 'node:util';
import type { MountStatus } from '../../agent/status.ts';
import { rowsOf } from './checks.ts';
import { pause } from './daemon.ts';
import type { Soak } from './soak-run.ts';
import type { SoakRepository } from './stage.ts';

const LEDGER_WITHIN_MS = 30_000;

/** The ledger says of each mount what git says. */
export async function checkLedger(soak: Soak): Promise<void> {
  for (const repository of soak.stage.repositories) await checkOne(soak, repository);
}

async function checkOne(soak: Soak, repository: SoakRepository): Promise<void> {
  const { gaps } = soak.stage;
  const deadline = gaps.now() + LEDGER_WITHIN_MS;
  const expected = soak.oracle(repository).expectedRisk();
  for (;;) {
    const [row] = await rowsOf(soak, [repository]);
    const actual = countsOf(row);
    if (isDeepStrictEqual(actual, expected)) break;
    if (gaps.now() > deadline) {
      const steps = soak.users.history.get(repository.name)?.join(', ') ?? '';
      const said = `git says ${JSON.stringify(expected)}, the ledger ${JSON.stringify(actual)}`;
      soak.violation('ledger', `${repository.name}: ${said}; after: ${steps}`, repository);
      break;
    }
    await pause(250);
  }
  soak.ledgersCompared += 1;
}

function countsOf(row: MountStatus | undefined): unknown {
  const risk = row?.at_risk;
  if (risk === undefined) return undefined;
  if (risk === null) return null;
  const shown = new Set(['paths', 'repositories', 'branches', 'since', 'checked_at']);
  return Object.fromEntries(Object.entries(risk).filter(([name]) => !shown.has(name)));
}
