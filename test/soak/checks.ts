/**
 * What must be true at a quiet moment: nobody works, the host is well, the daemon runs. Each check
 * reports what does not hold under the name of its invariant, and leaves the mounts as they are.
 */
import { execFile } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { MountStatus } from '../../agent/status.ts';
import { searchForTokens } from '../canary.ts';
import { CLEAN_GIT_ENVIRONMENT } from '../fixtures/cache.ts';
import type { Random } from '../fuzz/random.ts';
import { fingerprint } from '../work/scratch-repository.ts';
import { FLAGS, pause } from './daemon.ts';
import { endByTerm, randomFault } from './disturbances.ts';
import type { Soak } from './soak-run.ts';
import type { SoakRepository } from './stage.ts';

const execFileAsync = promisify(execFile);
const READY_WITHIN_MS = 240_000;

/** Every mount ready; those that had failed are tried again as an operator would. */
export async function awaitReady(
  soak: Soak,
  repositories: readonly SoakRepository[] = soak.stage.repositories,
): Promise<boolean> {
  const { daemon } = soak;
  const { gaps } = soak.stage;
  const deadline = gaps.now() + READY_WITHIN_MS;
  let nudgedAt = 0;
  for (;;) {
    const rows = await rowsOf(soak, repositories);
    if (rows.length > 0 && rows.every((row) => row?.phase === 'ready')) return true;
    const failed = rows.some((row) => row?.phase === 'failed');
    if (failed && repositories === soak.stage.repositories && Date.now() - nudgedAt > 3000) {
      nudgedAt = Date.now();
      await daemon.call('rotate');
    }
    if (gaps.now() > deadline || !daemon.isUp) {
      const words = rows.map((row) => `${row?.mount_path}: ${row?.phase} ${row?.error?.message}`);
      soak.violation('I7', `mounts are not ready: ${words.join('; ')}`);
      return false;
    }
    await pause(200);
  }
}

export async function rowsOf(
  soak: Soak,
  repositories: readonly SoakRepository[],
): Promise<(MountStatus | undefined)[]> {
  const status = await soak.daemon.status();
  if (status === null) return [];
  return repositories.map(({ mountPath }) =>
    status.mounts.find((mount) => mount.mount_path === mountPath),
  );
}

/** I2 and I3: a new start changes no byte of anybody's work and asks the host for no pack. */
export async function checkRestart(soak: Soak, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  const { stage } = soak;
  const before = stage.repositories.map(({ mountPath }) => fingerprint(mountPath));
  await soak.end(signal);
  // A last rescue has asked the host for its refs.
  const fetches = stage.fetches;
  await soak.start();
  if (!(await awaitReady(soak))) return;
  if (stage.fetches !== fetches)
    soak.violation('I3', `${signal}: complete clones were fetched again`);
  for (const [at, { name, mountPath }] of stage.repositories.entries()) {
    if (fingerprint(mountPath) !== before[at])
      soak.violation('I2', `${signal}: ${name} has changed`);
  }
}

/**
 * I1 and I7: disks are gone, the host has a fault for one of them, and the daemon is killed while it
 * clones; the others are ready all the same, and in the end all are.
 */
export async function checkLostDisks(soak: Soak, random: Random): Promise<void> {
  const { stage, daemon } = soak;
  const [unlucky, ...more] = shuffled(stage.repositories, random).slice(0, 1 + random.below(4));
  if (unlucky === undefined) return;
  await endByTerm(soak);
  for (const repository of [unlucky, ...more]) await soak.loseDisk(repository);
  const [match, fault, times] = randomFault(random);
  stage.fault(unlucky, match, fault, { times });
  const filler = random.chance(0.5) ? fillDisk(soak) : null;
  // What was lost shall not come back here: the clones are to be clean.
  const shelf = random.chance(0.5) ? 'none' : 'announce';
  await soak.start(shelf);
  if (random.chance(0.6)) {
    await pause(random.below(1500));
    await soak.kill();
    for (const repository of [unlucky, ...more]) await checkWhole(soak, repository, 'killed');
    await soak.start(shelf);
  }
  const troubled = new Set([unlucky, ...stage.repositories.filter((each) => each.isOnSmallDisk)]);
  await awaitReady(
    soak,
    stage.repositories.filter((each) => !troubled.has(each)),
  );
  if (filler !== null) rmSync(filler);
  soak.calm();
  if (!(await awaitReady(soak)) || !daemon.isUp) return;
  for (const repository of [unlucky, ...more]) {
    if (!existsSync(repository.mountPath)) soak.violation('I3', `${repository.name} is not there`);
    await checkWhole(soak, repository, 'cloned again');
    soak.forgetOracle(repository);
  }
}

/** @returns the file that fills the small disk, or null where there is none. */
function fillDisk({ stage }: Soak): string | null {
  const repository = stage.repositories.find(({ isOnSmallDisk }) => isOnSmallDisk);
  if (repository === undefined) return null;
  const path = join(repository.base, 'filler');
  const piece = Buffer.alloc(1 << 16, 'x');
  try {
    for (;;) writeFileSync(path, piece, { flag: 'a' });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error;
  }
  return path;
}

/** I1: absent, or complete and clean. */
async function checkWhole(soak: Soak, repository: SoakRepository, when: string): Promise<void> {
  const { name, mountPath } = repository;
  if (!existsSync(mountPath)) return;
  const git = async (...args: string[]): Promise<string> => {
    const env = { ...CLEAN_GIT_ENVIRONMENT, GIT_OPTIONAL_LOCKS: '0' };
    return (await execFileAsync('git', args, { cwd: mountPath, env })).stdout;
  };
  try {
    await git('fsck', '--full', '--strict');
    const dirty = await git('status', '--porcelain=v2');
    if (dirty !== '') soak.violation('I1', `${name}, ${when}: not clean: ${dirty.slice(0, 200)}`);
  } catch (error) {
    soak.violation('I1', `${name}, ${when}: ${String(error).slice(0, 300)}`);
  }
}

/** I4: no token but where it belongs. */
export async function checkSecrecy(soak: Soak): Promise<void> {
  const { stage } = soak;
  const findings = await searchForTokens(stage.tokens, {
    directories: [stage.directory],
    processes: 'all',
    allowVariables: ['GH_TOKEN'],
    allow: [
      stage.manifestPath,
      join(stage.runDir, 'env'),
      `${join(stage.runDir, 'credentials')}/`,
      `${join(stage.runDir, 'gh')}/`,
    ],
  });
  for (const { where, form } of findings) soak.violation('I4', `${form} in ${where}`);
}

/** I9: with work at risk and nobody there, every threshold is passed once, over a new start too. */
export async function checkWarnings(soak: Soak, mayRestart: boolean): Promise<void> {
  const { daemon } = soak;
  const first = await daemon.status();
  if (first === null || first.mounts.every(({ at_risk: risk }) => risk === null)) return;
  const restAt = Date.parse(first.last_activity_at);
  const least = Math.min(...FLAGS.warnBeforeSeconds);
  const untilMs = (FLAGS.reclaimAfterSeconds - least) * 1000 + 6000;
  const gapsBefore = soak.stage.gaps.count;
  if (mayRestart) await soak.restart('SIGTERM');
  while (Date.now() < restAt + untilMs) await pause(200);
  const last = await daemon.status();
  // Two thresholds that pass in one gap are one warning.
  if (soak.stage.gaps.count !== gapsBefore) return;
  // Whoever came in between began a new rest.
  if (last === null || Math.abs(Date.parse(last.last_activity_at) - restAt) > 2000) return;
  soak.restsWatched += 1;
  for (const seconds of FLAGS.warnBeforeSeconds) {
    const count = soak.warningsFor(Date.parse(last.reclaim_at), seconds * 1000);
    if (count !== 1) soak.violation('I9', `${count} warnings at ${seconds} s before the reclaim`);
  }
  if (!existsSync(join(soak.stage.runDir, 'AT_RISK.md'))) {
    soak.violation('I9', 'work is at risk near the deadline, and there is no AT_RISK.md');
  }
}

export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const left = [...items];
  return items.map(() => left.splice(random.below(left.length), 1)[0]!);
}
