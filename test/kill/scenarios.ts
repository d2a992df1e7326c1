/**
 * What is going on when the program is killed: a clone, a restart over a clone with the user's work
 * in it, a rotation of the token. Each kills at one point and says which invariants did not hold,
 * right after and when the program was started again.
 */
import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../end-to-end/session.ts';
import type { Disturbance, KillPoint } from './points.ts';
import { NEXT_TOKEN, TOKEN, endOf } from './site.ts';
import type { Ended, KillSite } from './site.ts';

export interface KillOutcome {
  /** Ended by the signal, or with an exit code that says that something failed. */
  readonly killed: boolean;
  readonly violations: readonly string[];
}

export interface Scenario {
  readonly name: string;
  /** False for a program that is given none: then they are looked for once, at the end. */
  readonly hasTokens: boolean;
  /** Once for a site. */
  prepare(site: KillSite): Promise<void>;
  /** The run that is to be killed, behind `prefix`. */
  disturb(site: KillSite, prefix: readonly string[]): Promise<Ended>;
  /** After the kill: what does not hold; starts again itself. */
  judge(site: KillSite): Promise<string[]>;
}

export async function killAt(
  scenario: Scenario,
  site: KillSite,
  point: KillPoint,
  disturbance: Disturbance,
): Promise<KillOutcome> {
  const { killed, code, output } = await scenario.disturb(site, disturbance(point));
  const held = scenario.hasTokens ? await site.tokenViolations('drafts may be left') : [];
  const violations = await scenario.judge(site);
  if (output.includes('INTERNAL'))
    violations.push(`an error without a name: ${output.slice(-600)}`);
  if (scenario.hasTokens) violations.push(...(await site.tokenViolations('no drafts')));
  return { killed: killed || code !== 0, violations: [...held, ...violations] };
}

async function startAgain(site: KillSite): Promise<string[]> {
  const { code, output } = await site.run([], 'run', '--', 'true');
  return code === 0 ? [] : [`I3: the next start ended with ${String(code)}: ${output.slice(-600)}`];
}

export const CLONE: Scenario = {
  name: 'clone',
  hasTokens: true,
  prepare: () => Promise.resolve(),
  disturb(site, prefix) {
    site.reset();
    return site.run(prefix, 'mount');
  },
  async judge(site) {
    const violations = site.mountViolations();
    const wasThere = existsSync(site.mountPath);
    const before = site.fetches;
    violations.push(...(await startAgain(site)), ...site.settledViolations());
    if (existsSync(site.mountPath) && site.git('status', '--porcelain=v2') !== '') {
      violations.push('I1: the worktree is not clean');
    }
    if (wasThere && site.fetches !== before)
      violations.push('I3: a complete clone was fetched again');
    return violations;
  },
};

export const RESTART: Scenario = {
  name: 'restart',
  hasTokens: true,
  async prepare(site) {
    site.reset();
    await site.run([], 'mount');
    writeFileSync(join(site.mountPath, 'untracked.txt'), 'mine\n');
    appendFileSync(join(site.mountPath, 'README.md'), 'staged\n');
    site.git('add', 'README.md');
    appendFileSync(join(site.mountPath, 'README.md'), 'unstaged\n');
    site.git('branch', 'my-branch');
  },
  disturb: (site, prefix) => site.run(prefix, 'run', '--', 'true'),
  async judge(site) {
    const [before, fetches] = [site.userState(), site.fetches];
    const violations = site.mountViolations();
    violations.push(...(await startAgain(site)), ...site.settledViolations());
    if (site.userState() !== before) violations.push("I2: the user's work has changed");
    if (site.fetches !== fetches) violations.push('I3: a complete clone was fetched again');
    const status = site.git('status', '--porcelain');
    if (status !== 'MM README.md\n?? untracked.txt\n') violations.push(`I2: status is ${status}`);
    return violations;
  },
};

export const ROTATION: Scenario = {
  name: 'rotation',
  hasTokens: true,
  async prepare(site) {
    site.reset();
    await site.run([], 'mount');
  },
  async disturb(site, prefix) {
    site.dropManifest(TOKEN);
    const program = site.start([], 'run');
    let log = '';
    program.stderr?.on('data', (text: string) => (log += text));
    const ended = endOf(program);
    await eventually('the mount', () => log.includes('mount ready'));
    const tracer = await site.attach(prefix, program.pid!);
    site.dropManifest(NEXT_TOKEN);
    await Promise.race([ended, eventually('the rotation', () => log.includes('tokens rotated'))]);
    // What it writes when it ends belongs to it: the status, and the end of the log.
    program.kill('SIGTERM');
    const outcome = await ended;
    await tracer.ended;
    return outcome;
  },
  async judge(site) {
    const known = new Set<string>([TOKEN, NEXT_TOKEN]);
    const mixed = site.heldTokens().filter((held) => !known.has(held));
    const violations = mixed.map((held) => `I5: a reader would have seen ${JSON.stringify(held)}`);
    const given = site.credential();
    if (![...known].some((token) => given.includes(`password=${token}\n`))) {
      violations.push(`I5: git would have been given ${given}`);
    }
    violations.push(...site.mountViolations(), ...(await startAgain(site)));
    if (site.heldTokens().some((held) => held !== NEXT_TOKEN) || site.heldTokens().length === 0) {
      violations.push('I5: after the next start a reader does not see the new token');
    }
    if (!site.credential().includes(`password=${NEXT_TOKEN}\n`)) {
      violations.push('I5: after the next start git is not given the new token');
    }
    return [...violations, ...site.settledViolations()];
  },
};

export const SCENARIOS: readonly Scenario[] = [CLONE, RESTART, ROTATION];
