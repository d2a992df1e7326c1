/**
 * I6 in all its ways: rescues written by hand, on request, and by a daemon that ends; and disks that are
 * lost and put back by the next daemon's start, also by one that is killed in the middle of it.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { listRescues } from '../../agent/rescue/shelf.ts';
import type { Random } from '../fuzz/random.ts';
import { fingerprint } from '../work/scratch-repository.ts';
import { awaitReady, rowsOf, shuffled } from './checks.ts';
import { pause } from './daemon.ts';
import { endByTerm } from './disturbances.ts';
import { holdingsOf } from './holdings.ts';
import { checkLedger } from './ledger-check.ts';
import type { Soak } from './soak-run.ts';
import type { SoakRepository } from './stage.ts';

/** That many rescues of one mount are kept. */
const MOST_KEPT = 3;

/** I6 and I2: each rescue is whole by its own manifest, and no byte of the mounts has changed by it. */
export async function checkRescue(soak: Soak): Promise<void> {
  const { stage, daemon } = soak;
  const before = stage.repositories.map(({ mountPath }) => fingerprint(mountPath));
  const out = join(stage.directory, 'rescues');
  const code = await daemon.call('rescue', '--out', out);
  if (code !== 0) soak.violation('I6', `rescue ended with ${code}`);
  for (const name of existsSync(out) ? readdirSync(out) : []) {
    if (!name.endsWith('.rescue.tar.gz')) soak.violation('I6', `left behind: ${name}`);
    await verify(soak, join(out, name));
  }
  for (const [at, { name, mountPath }] of stage.repositories.entries()) {
    if (fingerprint(mountPath) !== before[at]) soak.violation('I2', `rescue: ${name} has changed`);
  }
  rmSync(out, { recursive: true, force: true });
}

async function verify(soak: Soak, file: string): Promise<void> {
  const verdict = await soak.daemon.call('rescue', '--verify', file);
  if (verdict !== 0) soak.violation('I6', `${file} is not whole: ended with ${verdict}`);
  else soak.rescuesVerified += 1;
}

/** Disks are lost after the end of a daemon that saved what was on them, and the next one puts it back. */
export async function checkRestore(soak: Soak, random: Random): Promise<void> {
  const { stage, daemon } = soak;
  if (daemon.shelf === 'none') {
    await soak.restart('SIGTERM', 'announce');
    if (!(await awaitReady(soak))) return;
    await checkLedger(soak);
  }
  const chosen = shuffled(stage.repositories, random).slice(0, 1 + random.below(3));
  const rows = await rowsOf(soak, chosen);
  const lost = chosen.filter((_, at) => rows[at]?.at_risk != null);
  const before = lost.map(({ mountPath }) => holdingsOf(mountPath));
  await endByTerm(soak);
  for (const { url, mountPath, name } of lost) {
    const found = await listRescues(stage.shelf, { url, mountPath });
    const [newest] = found;
    if (newest === undefined) soak.violation('I6', `${name}: no rescue was written at the end`);
    else await verify(soak, newest.file);
    if (found.length > MOST_KEPT) soak.violation('I6', `${name}: ${found.length} rescues are kept`);
  }
  for (const { mountPath } of lost) rmSync(mountPath, { recursive: true, force: true });
  await soak.start('auto');
  if (random.chance(0.4)) {
    await pause(random.below(2500));
    await soak.kill();
    await soak.start('auto');
  }
  if (!(await awaitReady(soak))) return;
  for (const [at, repository] of lost.entries()) await compare(soak, repository, before[at] ?? []);
}

async function compare(
  soak: Soak,
  repository: SoakRepository,
  before: readonly string[],
): Promise<void> {
  const { name, mountPath } = repository;
  const [row] = await rowsOf(soak, [repository]);
  const after = new Set(holdingsOf(mountPath));
  const missing = before.filter((line) => !after.has(line));
  soak.restoresCompared += 1;
  if (missing.length === 0) return;
  const said = row?.restored?.gaps ?? row?.restorable?.gaps ?? ['nothing was restored'];
  const steps = soak.users.history.get(name)?.join(', ') ?? '';
  const lines = `${missing.slice(0, 5).join(' | ')} (${missing.length} in all)`;
  const words = `${name}: not put back: ${lines}; gaps: ${said.join('; ')}; after: ${steps}`;
  soak.violation('I6', words, repository);
}
