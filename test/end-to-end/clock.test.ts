import { execFileSync } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { TOKENS } from '../host/host-fixture.ts';
import { PseudoTerminal } from '../terminal/pseudo-terminal.ts';
import { PROGRAM, TestSession, eventually } from './session.ts';
import type { RunningProgram } from './session.ts';

const TIMEOUT_MS = 60_000;
const HOUR_S = 3600;

/** Threshold, and seconds from the line to the reclaim, both as the daemon saw them. */
function warningsOf({ log }: RunningProgram): { threshold: number; left: number; at: number }[] {
  return log
    .filter(({ msg }) => /^work (?:will|may) be lost/.test(String(msg)))
    .map(({ threshold_seconds: threshold, reclaim_at: reclaimAt, time }) => {
      const at = Date.parse(String(time)) / 1000;
      return { threshold: Number(threshold), left: Date.parse(String(reclaimAt)) / 1000 - at, at };
    });
}

it(
  'a wall clock that is set forth and back by a day neither warns early nor late, nor twice',
  async () => {
    await using session = await TestSession.open();
    await session.dropManifest([session.resource('web', TOKENS.web)]);
    const offset = join(session.directory, 'offset');
    await writeFile(offset, '+0');
    session.moreEnvironment = {
      LD_PRELOAD: execFileSync('faketime', ['-f', '+0d', 'printenv', 'LD_PRELOAD'], {
        encoding: 'utf8',
      }).trim(),
      FAKETIME_TIMESTAMP_FILE: offset,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      NO_FAKE_STAT: '1',
    };
    // Many, so that one is passed in each state of the clock, however slow the machine is.
    const thresholds = Array.from({ length: 60 }, (_, at) => `${597 - 3 * at}s`).join(',');
    const program = session.start('run', '--reclaim-after', '10m', '--warn-before', thresholds);
    await program.untilReady();
    await writeFile(join(session.mountPath('web'), 'unsaved.txt'), 'x');
    const { at: start } = await eventually('a warning', () => warningsOf(program)[0]);
    const shift = (hours: number) =>
      eventually(`a warning at a clock set by ${hours} h`, () =>
        warningsOf(program).some(({ at }) => Math.abs(at - start - hours * HOUR_S) < HOUR_S),
      );
    await writeFile(offset, '+24h');
    await shift(24);
    await writeFile(offset, '-24h');
    await shift(-24);
    const all = warningsOf(program);
    const told = all.map(({ threshold }) => threshold);
    expect(told).toEqual([...new Set(told)].sort((a, b) => b - a));
    for (const { threshold, left } of all) {
      expect(left).toBeLessThan(threshold + 1.5);
      expect(left).toBeGreaterThan(threshold - 120);
    }
  },
  TIMEOUT_MS,
);

const isRoot = process.getuid?.() === 0;

it.runIf(isRoot)(
  'time that passes while the machine is suspended counts: the nearest threshold is warned of, once',
  async () => {
    await using session = await TestSession.open();
    await session.dropManifest([session.resource('web', TOKENS.web)]);
    // Work of an earlier run: when it is found there is no activity that would start the wait anew.
    expect((await session.call('mount')).code).toBe(0);
    await writeFile(join(session.mountPath('web'), 'unsaved.txt'), 'x');
    // What the kernel says of the time since boot, suspended time included, for this process alone.
    const uptime = join(session.directory, 'uptime');
    await writeFile(uptime, '0001000.00 0.00\n');
    const script = 'mount --bind "$0" /proc/uptime && exec "$@"';
    const ownMounts = 'unshare --mount --propagation private'.split(' ');
    session.wrapper = [...ownMounts, 'sh', '-c', script, uptime];
    // So near to the first threshold the clock looks every second.
    const flags = ['--reclaim-after', '24h', '--warn-before', '86399s,4h,1h,15m'];
    const program = session.start('run', ...flags);
    session.wrapper = [];
    await program.untilReady();
    await eventually('it at risk', async () => (await session.status()).mounts[0]?.at_risk);
    // In one write and of the same length: it is read at any moment.
    await writeFile(uptime, `00${1000 + 23.5 * HOUR_S}.00 0.00\n`, { flag: 'r+' });
    const first = await eventually('the warning', () => warningsOf(program)[0]);
    expect(first).toMatchObject({ threshold: HOUR_S });
    const { reclaim_at: reclaimAt } = await session.status();
    expect((Date.parse(reclaimAt) - Date.now()) / 60_000).toBeGreaterThan(25);
    expect((Date.parse(reclaimAt) - Date.now()) / 60_000).toBeLessThan(31);
    expect(warningsOf(program)).toHaveLength(1);
  },
  TIMEOUT_MS,
);

it(
  'on the command’s terminal a warning is a line, a bell where the command draws the screen; typing is activity',
  async () => {
    await using session = await TestSession.open();
    await session.dropManifest([session.resource('web', TOKENS.web)]);
    const log = join(session.directory, 'daemon.log');
    const command = `stty -icanon -echo; echo drawn; read x; stty icanon echo; echo lines; cat`;
    const flags = ['--run-dir', session.runDir, '--manifest', session.manifestPath, '--allow-http'];
    flags.push('--mount-root', join(session.directory, 'app'), '--listen', '127.0.0.1:0');
    // A look at each of them: nobody waits a minute for what is typed to be seen.
    const thresholds = Array.from({ length: 30 }, (_, at) => `${599 - 2 * at}s`);
    flags.push('--reclaim-after', '10m', '--warn-before', thresholds.join(','));
    const line = [process.execPath, PROGRAM, 'run', ...flags, '--', 'sh', '-c', `'${command}'`];
    await using terminal = new PseudoTerminal(`${line.join(' ')} 2>${log}`, {
      ...{ columns: 200, rows: 30, env: session.environment },
    });
    await eventually('the command', () => terminal.sent.includes('drawn'));
    const before = terminal.sent;
    const unsaved = join(session.mountPath('web'), 'unsaved.txt');
    await writeFile(unsaved, 'x');
    await eventually('the bell', () => terminal.sent.length > before.length);
    expect(new Set(terminal.sent.slice(before.length))).toEqual(new Set(['\x07']));

    terminal.type('\n');
    await eventually('the other mode', () => terminal.sent.includes('lines'));
    await rm(unsaved);
    await eventually('the withdrawal', () => terminal.sent.includes('mount-agent: all work'));
    await writeFile(unsaved, 'x');
    await eventually('the line', () =>
      terminal.sent.includes('\r\n\x07mount-agent: WARNING: work will be'),
    );
    expect(await readFile(log, 'utf8')).toContain('work will be lost');

    await rm(unsaved);
    await eventually('it safe', async () => (await session.status()).mounts[0]?.at_risk === null);
    const { last_activity_at: last } = await session.status();
    await eventually('the typing to count', async () => {
      terminal.type('x\n');
      return (await session.status()).last_activity_at > last;
    });
    await terminal.signal('SIGKILL');
  },
  TIMEOUT_MS,
);
