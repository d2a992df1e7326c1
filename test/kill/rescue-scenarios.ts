/**
 * A rescue being taken, or put back, while the program is killed or the disk fails. I2: the work is
 * where it was, in the mount or in the last whole rescue; I6: the same command, run again, does it.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { PROGRAM } from '../end-to-end/session.ts';
import { CLEAN_GIT_ENVIRONMENT } from '../fixtures/cache.ts';
import { stateOf } from '../rescue/state.ts';
import { workOfEveryKind } from './rich-work.ts';
import type { Scenario } from './scenarios.ts';
import { FEW_THREADS, endOf } from './site.ts';
import type { Ended, KillSite } from './site.ts';

interface Before {
  readonly state: string;
  /** Of the fresh clone. */
  readonly fresh: string;
  readonly rescue: string;
  readonly digest: string;
}

const prepared = new Map<string, Before>();

const rescues = (site: KillSite): string => join(site.directory, 'rescues');
const cleanClone = (site: KillSite): string => join(site.directory, 'clean');
/** By the digest of all that is in a mount: git is asked once about what it has seen. */
const statesSeen = new Map<string, string>();
function stateText(site: KillSite): string {
  const digest = site.mountDigest();
  const known = statesSeen.get(digest);
  if (known !== undefined) return known;
  const text = stateOf(site.mountPath).join('\n');
  // Asking has changed nothing, or it is not what was seen.
  if (site.mountDigest() === digest) statesSeen.set(digest, text);
  return text;
}
const COPY = { recursive: true, preserveTimestamps: true, verbatimSymlinks: true } as const;
const digestOf = (path: string): string =>
  createHash('sha256').update(readFileSync(path)).digest('hex');

/** A command that needs neither manifest nor daemon. */
function call(site: KillSite, prefix: readonly string[], ...args: string[]): Promise<Ended> {
  const [program = '', ...rest] = [...prefix, process.execPath, PROGRAM, ...args];
  const env = { ...CLEAN_GIT_ENVIRONMENT, HOME: site.directory, ...FEW_THREADS };
  const stdio: ['ignore', 'pipe', 'pipe'] = ['ignore', 'pipe', 'pipe'];
  return endOf(spawn(program, rest, { cwd: site.directory, env, stdio }));
}

function expectEnd({ code, output }: Ended): void {
  if (code !== 0) throw new Error(`expected 0, got ${String(code)}: ${output}`);
}

/** Work of each kind, one rescue of it, and a clean clone beside. */
async function prepare(site: KillSite): Promise<void> {
  site.reset();
  expectEnd(await site.run([], 'mount'));
  cpSync(site.mountPath, cleanClone(site), COPY);
  const fresh = stateText(site);
  workOfEveryKind(site.mountPath, join(site.directory, 'beside'));
  mkdirSync(rescues(site));
  expectEnd(await call(site, [], 'rescue', '--out', rescues(site), site.mountPath));
  const [name = ''] = readdirSync(rescues(site));
  const rescue = join(rescues(site), name);
  const state = stateText(site);
  prepared.set(site.directory, { state, fresh, rescue, digest: digestOf(rescue) });
}

function beforeOf(site: KillSite): Before {
  const before = prepared.get(site.directory);
  if (before === undefined) throw new Error('the site is not prepared');
  return before;
}

export const RESTORE: Scenario = {
  name: 'restore',
  hasTokens: false,
  prepare,
  disturb(site, prefix) {
    rmSync(site.mountPath, { recursive: true, force: true });
    cpSync(cleanClone(site), site.mountPath, COPY);
    return call(site, prefix, 'restore', beforeOf(site).rescue, site.mountPath);
  },
  async judge(site) {
    const { state, fresh, rescue, digest } = beforeOf(site);
    const violations = digestOf(rescue) === digest ? [] : ['I2: the rescue has changed'];
    const isBegun = existsSync(join(site.mountPath, '.git/mount-agent-restore.json'));
    const found = isBegun ? '' : stateText(site);
    if (!isBegun && found !== fresh && found !== state) {
      violations.push('I2: neither the fresh clone nor the restored one, and nothing says so');
    }
    if (found !== state) {
      const { code, output } = await call(site, [], 'restore', rescue, site.mountPath);
      if (code !== 0) violations.push(`I6: the next restore ended with ${String(code)}: ${output}`);
      else if (stateText(site) !== state) violations.push('I6: the next restore is not whole');
    }
    const left = readdirSync(join(site.mountPath, '.git')).filter((name) =>
      /^mount-agent-restore(?:\.|$)|\.new$|\.lock$/.test(name),
    );
    return [...violations, ...left.map((name) => `I6: left behind: ${name}`)];
  },
};

export const RESCUE: Scenario = {
  name: 'rescue',
  hasTokens: false,
  prepare,
  disturb: (site, prefix) => call(site, prefix, 'rescue', '--out', rescues(site), site.mountPath),
  async judge(site) {
    const { state, rescue, digest } = beforeOf(site);
    const violations = stateText(site) === state ? [] : ['I2: the work in the mount has changed'];
    if (digestOf(rescue) !== digest) violations.push('I2: the last good rescue has changed');
    expectEnd(await call(site, [], 'rescue', '--out', rescues(site), site.mountPath));
    for (const name of readdirSync(rescues(site))) {
      const file = join(rescues(site), name);
      const isRescue = /^[^.].*\.rescue\.tar\.gz$/.test(name);
      if (isRescue && (await call(site, [], 'rescue', '--verify', file)).code !== 0) {
        violations.push(`I6: ${name} passes for a rescue and is none`);
      }
      if (name.startsWith('.')) violations.push(`I6: left behind: ${name}`);
      if (file !== rescue) rmSync(file);
    }
    return violations;
  },
};
