/** Kills at many points, in lanes that have a site each, and gathers what did not hold. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { hostWithTwoRepositories } from '../host/host-fixture.ts';
import { killingAt, lastCallIn, pointsIn, traceTo } from './points.ts';
import type { Disturbance, KillPoint } from './points.ts';
import { killAt } from './scenarios.ts';
import type { Scenario } from './scenarios.ts';
import { KillSite } from './site.ts';

const LANES = 2;

export interface Tally {
  readonly scenario: string;
  points: number;
  /** At some points another thread was there first, or nothing was: then nothing was killed. */
  killed: number;
  /** Those of them that were about to change the disk, by what strace has seen. */
  changing: number;
  readonly violations: string[];
}

export async function killEverywhere(
  scenario: Scenario,
  choose: (points: readonly KillPoint[]) => readonly KillPoint[],
  onPoint: (tally: Tally) => void = () => undefined,
  disturbance: Disturbance = killingAt,
): Promise<Tally> {
  const directory = mkdtempSync(join(tmpdir(), 'mount-agent-kill-'));
  // A host for each, so that what it was asked is known to be of one lane.
  const hosts = await Promise.all(Array.from({ length: LANES }, hostWithTwoRepositories));
  try {
    const sites = hosts.map(({ host }, at) => new KillSite(host, join(directory, `lane-${at}`)));
    for (const site of sites) await scenario.prepare(site);
    const trace = join(directory, 'trace');
    await scenario.disturb(sites[0]!, traceTo(trace));
    const points = [...choose(pointsIn(trace))];
    const tally: Tally = {
      scenario: scenario.name,
      points: 0,
      killed: 0,
      changing: 0,
      violations: [],
    };
    const lane = async (site: KillSite): Promise<void> => {
      for (let point = points.shift(); point !== undefined; point = points.shift()) {
        const record = join(directory, `${basename(site.directory)}.record`);
        const at: Disturbance = (one) => disturbance(one, record);
        const { killed, violations } = await killAt(scenario, site, point, at);
        const call = lastCallIn(record);
        tally.points += 1;
        if (killed) tally.killed += 1;
        if (call !== undefined) tally.changing += 1;
        const where = `${scenario.name}, ${point.call} ${point.nth}, ${call ?? 'elsewhere'}`;
        tally.violations.push(...violations.map((violation) => `${where}: ${violation}`));
        onPoint(tally);
      }
    };
    await Promise.all(sites.map(lane));
    for (const site of sites) tally.violations.push(...(await site.tokenViolations('no drafts')));
    return tally;
  } finally {
    for (const host of hosts) await host[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  }
}
