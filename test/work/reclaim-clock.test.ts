import { mkdtempSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Redactor, createLog } from '../../agent/log.ts';
import { StatusTable } from '../../agent/status.ts';
import { Warnings } from '../../agent/work/warnings.ts';
import { AT_RISK, resourceAt } from '../health/fixtures.ts';
import { FakeTime } from './fake-time.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const START = Date.UTC(2026, 0, 1);

let runDir = '';
let time: FakeTime;
let status: StatusTable;
let warned: number[] = [];
let inputMs: number | undefined;
const open: Warnings[] = [];

beforeEach(() => {
  runDir = mkdtempSync(join(tmpdir(), 'reclaim-'));
  time = new FakeTime(START);
  warned = [];
  inputMs = undefined;
  status = new StatusTable({ version: '0', startedAt: new Date(START), reclaimAfterMs: 24 * HOUR });
  status.begin(null, [resourceAt('/app/web')]);
  setAtRisk(true);
});
afterEach(() => {
  for (const warnings of open.splice(0)) warnings[Symbol.dispose]();
  rmSync(runDir, { recursive: true });
});

function setAtRisk(atRisk: boolean): void {
  status.update('/app/web', { at_risk: atRisk ? AT_RISK : null });
}

function start(options: { reclaimAfterMs?: number; warnBeforeMs?: number[] } = {}): Warnings {
  const warnings = new Warnings({
    status,
    runDir,
    reclaimAfterMs: 24 * HOUR,
    warnBeforeMs: [4 * HOUR, HOUR, 15 * MINUTE],
    log: createLog({ level: 'silent', destination: process.stderr }, new Redactor()),
    time,
    lastInputMs: () => inputMs,
    isRead: () => true,
    onEvent: ({ event, threshold_seconds: seconds }) => {
      if (event === 'warning') warned.push((seconds ?? 0) * 1000);
    },
    ...options,
  });
  open.push(warnings);
  return warnings;
}

function stop(warnings: Warnings): void {
  warnings[Symbol.dispose]();
  open.splice(open.indexOf(warnings), 1);
}

/** The table's listeners answer after the change that they were told of. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

function hoursLeft(): number {
  return (Date.parse(status.snapshot().reclaim_at) - time.wallMs()) / HOUR;
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
    expect(status.deadlineNear).toBe(true);
    clock.activity();
    expect(status.deadlineNear).toBe(false);
    expect(hoursLeft()).toBeCloseTo(24, 3);
    time.advance(23 * HOUR);
    expect(warned).toEqual([4 * HOUR, 4 * HOUR, HOUR]);
  });

  test('nothing at risk, no warning; work found later is warned of at once, with the nearest', async () => {
    setAtRisk(false);
    start();
    time.advance(23.5 * HOUR);
    expect(warned).toEqual([]);
    setAtRisk(true);
    await settled();
    setAtRisk(true);
    await settled();
    expect(warned).toEqual([HOUR]);
  });

  test('a threshold that is not shorter than the whole wait is none', () => {
    start({ reclaimAfterMs: HOUR, warnBeforeMs: [4 * HOUR, HOUR] });
    expect(status.deadlineNear).toBe(false);
    time.advance(HOUR - MINUTE);
    expect(warned).toEqual([]);
  });

  test('a deadline that went by unseen (a suspended machine) is warned of when it is seen', () => {
    start();
    time.suspend(30 * HOUR);
    time.advance(MINUTE);
    expect(warned).toEqual([15 * MINUTE]);
    time.advance(HOUR);
    expect(warned).toEqual([15 * MINUTE]);
  });
});

describe('the wall clock', () => {
  test.each([24, -24, 24 * 365])(
    'set by %d hours moves the date and neither wait nor warnings',
    (hours) => {
      start();
      time.advance(21 * HOUR);
      expect(warned).toEqual([4 * HOUR]);
      time.setWall(time.wallMs() + hours * HOUR);
      time.advance(2 * MINUTE);
      expect(hoursLeft()).toBeCloseTo(3 - 2 / 60, 3);
      expect(warned).toEqual([4 * HOUR]);
      time.advance(2 * HOUR);
      expect(warned).toEqual([4 * HOUR, HOUR]);
    },
  );

  test('stays still on show while nothing happens', () => {
    start();
    const shown = status.snapshot().reclaim_at;
    time.setWall(time.wallMs() + 300);
    time.advance(HOUR);
    expect(status.snapshot().reclaim_at).toBe(shown);
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
    expect(hoursLeft()).toBeCloseTo(2.5, 3);
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
    for (const warnings of open.splice(0)) warnings[Symbol.dispose]();
    utimesSync(join(runDir, 'activity'), START / 1000 + 9e6, START / 1000 + 9e6);
    start();
    expect(hoursLeft()).toBeCloseTo(24, 3);
  });
});

describe('the activity file', () => {
  test('touched by somebody counts as activity', () => {
    start();
    time.advance(21 * HOUR);
    const now = time.wallMs() / 1000;
    utimesSync(join(runDir, 'activity'), now, now);
    time.advance(MINUTE);
    expect(hoursLeft()).toBeCloseTo(24 - 1 / 60, 3);
    expect(status.deadlineNear).toBe(false);
  });

  test('removed by somebody does no harm', () => {
    const clock = start();
    time.advance(HOUR);
    rmSync(join(runDir, 'activity'));
    time.advance(MINUTE);
    expect(hoursLeft()).toBeCloseTo(23 - 1 / 60, 3);
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

test('typing on the terminal of the command counts as activity, at the time of the typing', () => {
  inputMs = START - 5 * HOUR;
  start();
  time.advance(21 * HOUR);
  expect(hoursLeft()).toBeCloseTo(3, 3);
  inputMs = time.wallMs() - HOUR;
  time.advance(MINUTE);
  expect(hoursLeft()).toBeCloseTo(23 - 1 / 60, 3);
  inputMs = undefined;
  time.advance(MINUTE);
  expect(hoursLeft()).toBeCloseTo(23 - 2 / 60, 3);
});
