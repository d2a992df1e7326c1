import { mkdtempSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Redactor, createLog } from '../../agent/log.ts';
import { ReclaimClock } from '../../agent/work/reclaim-clock.ts';
import { FakeTime } from './fake-time.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const START = Date.UTC(2026, 0, 1);

let runDir = '';
let time: FakeTime;
let warned: number[] = [];
let atRisk = true;
const clocks: ReclaimClock[] = [];

beforeEach(() => {
  runDir = mkdtempSync(join(tmpdir(), 'reclaim-'));
  time = new FakeTime(START);
  warned = [];
  atRisk = true;
});
afterEach(() => {
  for (const clock of clocks.splice(0)) clock[Symbol.dispose]();
  rmSync(runDir, { recursive: true });
});

function start(): ReclaimClock {
  const clock = new ReclaimClock({
    runDir,
    reclaimAfterMs: 24 * HOUR,
    warnBeforeMs: [4 * HOUR, HOUR, 15 * MINUTE],
    log: createLog({ level: 'silent', destination: process.stderr }, new Redactor()),
    time,
    isWorkAtRisk: () => atRisk,
    onTimes: () => undefined,
    onThreshold: (thresholdMs) => warned.push(thresholdMs),
  });
  clocks.push(clock);
  return clock;
}

function stop(clock: ReclaimClock): void {
  clock[Symbol.dispose]();
  clocks.splice(clocks.indexOf(clock), 1);
}

function hoursLeft(clock: ReclaimClock): number {
  return (clock.times.reclaimAt.getTime() - time.wallMs()) / HOUR;
}

describe('thresholds', () => {
  test('each is passed once on the way to the end', () => {
    start();
    time.advance(19 * HOUR);
    expect(warned).toEqual([]);
    time.advance(HOUR);
    expect(warned).toEqual([4 * HOUR]);
    time.advance(10 * HOUR);
    expect(warned).toEqual([4 * HOUR, HOUR, 15 * MINUTE]);
  });

  test('activity starts the wait again, and the warnings with it', () => {
    const clock = start();
    time.advance(21 * HOUR);
    expect(clock.times.deadlineNear).toBe(true);
    clock.activity();
    expect(clock.times.deadlineNear).toBe(false);
    expect(hoursLeft(clock)).toBeCloseTo(24, 3);
    time.advance(23 * HOUR);
    expect(warned).toEqual([4 * HOUR, 4 * HOUR, HOUR]);
  });

  test('nothing at risk, no warning; work found later is warned of at once, with the nearest', () => {
    const clock = start();
    atRisk = false;
    time.advance(23.5 * HOUR);
    expect(warned).toEqual([]);
    atRisk = true;
    clock.look();
    clock.look();
    expect(warned).toEqual([HOUR]);
  });

  test('a threshold that is not shorter than the whole wait is none', () => {
    const clock = new ReclaimClock({
      runDir,
      reclaimAfterMs: HOUR,
      warnBeforeMs: [4 * HOUR, HOUR],
      log: createLog({ level: 'silent', destination: process.stderr }, new Redactor()),
      time,
      isWorkAtRisk: () => true,
      onTimes: () => undefined,
      onThreshold: (thresholdMs) => warned.push(thresholdMs),
    });
    clocks.push(clock);
    expect(clock.times.deadlineNear).toBe(false);
    time.advance(HOUR - MINUTE);
    expect(warned).toEqual([]);
  });
});

describe('the wall clock', () => {
  test.each([24, -24, 24 * 365])(
    'set by %d hours moves the date and neither wait nor warnings',
    (hours) => {
      const clock = start();
      time.advance(21 * HOUR);
      expect(warned).toEqual([4 * HOUR]);
      time.setWall(time.wallMs() + hours * HOUR);
      time.advance(2 * MINUTE);
      expect(hoursLeft(clock)).toBeCloseTo(3 - 2 / 60, 3);
      expect(warned).toEqual([4 * HOUR]);
      time.advance(2 * HOUR);
      expect(warned).toEqual([4 * HOUR, HOUR]);
    },
  );

  test('stays still on show while nothing happens', () => {
    const clock = start();
    const shown = clock.times.reclaimAt.toISOString();
    time.setWall(time.wallMs() + 300);
    time.advance(HOUR);
    expect(clock.times.reclaimAt.toISOString()).toBe(shown);
  });
});

describe('a daemon that starts again', () => {
  test('goes on from the last activity and gives no warning twice', () => {
    const first = start();
    time.advance(2 * HOUR);
    first.activity();
    time.advance(21 * HOUR);
    expect(warned).toEqual([4 * HOUR]);
    stop(first);
    time.advance(30 * MINUTE);
    const second = start();
    expect(hoursLeft(second)).toBeCloseTo(2.5, 3);
    expect(warned).toEqual([4 * HOUR]);
    time.advance(2 * HOUR);
    expect(warned).toEqual([4 * HOUR, HOUR]);
    stop(second);
    const third = start();
    third.activity();
    time.advance(21 * HOUR);
    expect(warned).toEqual([4 * HOUR, HOUR, 4 * HOUR]);
  });

  test('takes a last activity in the future for now', () => {
    start();
    utimesSync(join(runDir, 'activity'), START / 1000 + 9e6, START / 1000 + 9e6);
    for (const clock of clocks.splice(0)) clock[Symbol.dispose]();
    utimesSync(join(runDir, 'activity'), START / 1000 + 9e6, START / 1000 + 9e6);
    expect(hoursLeft(start())).toBeCloseTo(24, 3);
  });
});

describe('the activity file', () => {
  test('touched by somebody counts as activity', () => {
    const clock = start();
    time.advance(21 * HOUR);
    const now = time.wallMs() / 1000;
    utimesSync(join(runDir, 'activity'), now, now);
    clock.look();
    expect(hoursLeft(clock)).toBeCloseTo(24, 3);
    expect(clock.times.deadlineNear).toBe(false);
  });

  test('removed by somebody does no harm', () => {
    const clock = start();
    time.advance(HOUR);
    rmSync(join(runDir, 'activity'));
    clock.look();
    expect(hoursLeft(clock)).toBeCloseTo(23, 3);
    clock.activity();
    expect(statSync(join(runDir, 'activity')).mtimeMs).toBeCloseTo(time.wallMs(), -1);
  });

  test('is private, and not rewritten for each event of a flock', () => {
    const clock = start();
    time.advance(HOUR);
    clock.activity();
    const before = statSync(join(runDir, 'activity'));
    expect(before.mode & 0o777).toBe(0o600);
    time.advance(1_000);
    clock.activity();
    expect(statSync(join(runDir, 'activity')).mtimeMs).toBe(before.mtimeMs);
    stop(clock);
    expect(statSync(join(runDir, 'activity')).mtimeMs).toBeCloseTo(time.wallMs(), -1);
    expect(readFileSync(join(runDir, 'activity'), 'utf8')).toBe('');
  });
});
