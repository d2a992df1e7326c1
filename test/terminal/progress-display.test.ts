/* eslint-disable no-control-regex -- terminal control sequences are what is looked at */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, expect, it } from 'vitest';
import { showProgress } from '../../agent/terminal/progress-display.ts';
import type { OutputStream, ProgressDisplay } from '../../agent/terminal/progress-display.ts';
import { RateMeter } from '../../agent/terminal/rate-meter.ts';
import { widthOf } from '../../agent/terminal/text.ts';
import { CHECKING_OUT, READY, RECEIVING, failedWith, tableOf } from './fixtures.ts';

const shown: Disposable[] = [];

afterEach(() => {
  for (const display of shown.splice(0)) display[Symbol.dispose]();
});

/** showProgress() that ends with the test. */
function show(...context: Parameters<typeof showProgress>): ProgressDisplay {
  const display = showProgress(...context);
  shown.push(display);
  return display;
}

class Output implements OutputStream {
  readonly writes: string[] = [];
  readonly isTTY: boolean;
  columns = 80;
  rows = 24;

  constructor(isTTY: boolean) {
    this.isTTY = isTTY;
  }

  write(text: string): void {
    this.writes.push(text);
  }

  /** What a person sees: cursor-up with clearing is all that the display uses. */
  get screen(): string[] {
    const lines: string[] = [''];
    for (const part of this.writes.join('').split(/(\r\x1b\[\d+A\x1b\[J|\n)/)) {
      const up = /\x1b\[(\d+)A/.exec(part)?.[1];
      if (up !== undefined) lines.splice(lines.length - 1 - Number(up), Number(up) + 1, '');
      else if (part === '\n') lines.push('');
      else lines.push(`${lines.pop() ?? ''}${part}`);
    }
    return lines.slice(0, -1);
  }
}

async function until(probe: () => boolean): Promise<void> {
  const end = Date.now() + 10_000;
  while (!probe()) {
    if (Date.now() > end) throw new Error('not within 10 s');
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

it('on a terminal each mount has one line, rewritten in place', async () => {
  const table = tableOf('/app/web', '/app/api');
  const output = new Output(true);
  show(table, output, { intervalMs: 5 });
  expect(output.screen).toEqual(['web  waiting', 'api  waiting']);
  table.update('/app/web', RECEIVING);
  await until(() => output.screen[0] !== 'web  waiting');
  expect(output.screen).toEqual([
    'web  receiving     ██████████░░░░░░░░░░░░░   45 %  23 MB  12,345/27,000 objects',
    'api  waiting',
  ]);
  table.update('/app/web', CHECKING_OUT);
  table.update('/app/api', failedWith('expected a good token, got 401, at length'));
  await until(() => output.screen[1] !== 'api  waiting');
  expect(output.screen).toEqual([
    'web  checking out  ███████████████░░░░░░░░░░░░░░░   50 %  617/1,234 files',
    'api  failed        TRANSPORT_UNAUTHORIZED: expected a good token, got 401, at …',
  ]);
  table.update('/app/web', READY);
  await until(() => output.screen[0]!.includes('ready'));
  expect(output.screen[0]).toBe('web  ready         main at 1a2b3c4  51 MB  4.1 s');
});

it('at most one frame per interval, however often the table changes', () => {
  const table = tableOf('/app/web');
  const output = new Output(true);
  show(table, output, { intervalMs: 60_000 });
  for (let index = 0; index < 10_000; index++) table.update('/app/web', RECEIVING);
  expect(output.writes).toHaveLength(1);
});

it('the last state stands at the end, and a failure in full with its remedy', () => {
  const table = tableOf('/app/web', '/app/api');
  const output = new Output(true);
  const display = showProgress(table, output, { intervalMs: 60_000 });
  table.update('/app/web', READY);
  table.update('/app/api', failedWith(`expected a good token, got ${'4'.repeat(90)}`));
  display[Symbol.dispose]();
  expect(output.screen).toEqual([
    'web  ready         main at 1a2b3c4  51 MB  4.1 s',
    `api  failed        TRANSPORT_UNAUTHORIZED: expected a good token, got 44444444…`,
    `api: failed: TRANSPORT_UNAUTHORIZED: expected a good token, got ${'4'.repeat(90)}`,
    'api:   Rotate the token.',
  ]);
  const { length } = output.writes;
  table.update('/app/web', RECEIVING);
  expect(output.writes).toHaveLength(length);
});

it('lines of somebody else go above the display', () => {
  const table = tableOf('/app/web');
  const output = new Output(true);
  const display = show(table, output, { intervalMs: 60_000 });
  display.print('a log line\n');
  display.print('another');
  expect(output.screen).toEqual(['a log line', 'another', 'web  waiting']);
});

it('no line is wider than the terminal, at any width', () => {
  for (let columns = 1; columns < 140; columns++) {
    const table = tableOf('/app/web', '/app/漢字漢字漢字', '/app/no', '/app/co');
    const output = new Output(true);
    output.columns = columns;
    table.update('/app/web', RECEIVING);
    table.update('/app/漢字漢字漢字', READY);
    table.update('/app/no', failedWith('x'.repeat(200)));
    table.update('/app/co', CHECKING_OUT);
    const display = showProgress(table, output, { intervalMs: 60_000 });
    for (const line of output.screen) expect(widthOf(line)).toBeLessThan(Math.max(columns, 2));
    display[Symbol.dispose]();
  }
});

it('with more mounts than rows the busy ones are shown, the rest counted', () => {
  const paths = Array.from({ length: 30 }, (_, index) => `/app/r${index}`);
  const table = tableOf(...paths);
  for (const path of paths.slice(0, 10)) table.update(path, READY);
  table.update('/app/r25', RECEIVING);
  const output = new Output(true);
  output.rows = 6;
  show(table, output, { intervalMs: 60_000 });
  expect(output.screen).toHaveLength(5);
  expect(output.screen.some((line) => line.startsWith('r25  receiving'))).toBe(true);
  expect(output.screen.at(-1)).toBe('and 26 more; 10 of 30 ready');
});

it('colours come only when asked for, and do not change the text', () => {
  const table = tableOf('/app/web', '/app/api');
  table.update('/app/web', RECEIVING);
  table.update('/app/api', READY);
  const [plain, coloured] = [false, true].map((colour) => {
    const output = new Output(true);
    showProgress(table, output, { colour, intervalMs: 60_000 })[Symbol.dispose]();
    return output.writes[0]!;
  });
  expect(plain).not.toContain('\x1b');
  expect(coloured).toContain('\x1b[32mready');
  expect(coloured!.replaceAll(/\x1b\[\d+m/g, '')).toBe(plain);
});

it('without a terminal there are plain lines, one per change of phase', () => {
  const table = tableOf('/app/web', '/app/api');
  const output = new Output(false);
  show(table, output, { colour: true, intervalMs: 60_000 });
  table.update('/app/web', { phase: 'connecting' });
  table.update('/app/web', RECEIVING);
  table.update('/app/web', { progress: { ...RECEIVING.progress!, objects: 13_000 } });
  table.update('/app/web', CHECKING_OUT);
  table.update('/app/web', READY);
  table.update('/app/web', { at_risk: null });
  table.update('/app/api', failedWith('expected a good token, got 401'));
  expect(output.writes.join('')).toBe(`web: connecting
web: receiving 45 % (12,345/27,000 objects, 23 MB)
web: checking out 50 % (617/1,234 files)
web: ready (main at 1a2b3c4, 27,000 objects, 51 MB, 1,234 files, in 4.1 s)
api: failed: TRANSPORT_UNAUTHORIZED: expected a good token, got 401
api:   Rotate the token.
`);
});

it('without a terminal a long phase is heard of again and again, a finished one is not', async () => {
  const table = tableOf('/app/web', '/srv/web');
  table.update('/srv/web', READY);
  const output = new Output(false);
  show(table, output, { intervalMs: 10 });
  table.update('/app/web', RECEIVING);
  const sentence = '/app/web: receiving 45 % (12,345/27,000 objects, 23 MB)\n';
  await until(() => output.writes.filter((text) => text === sentence).length >= 3);
  expect(output.writes.filter((text) => text.startsWith('/srv/web'))).toHaveLength(1);
});

it('a retry is a line of its own, and so is the next failure', () => {
  const table = tableOf('/app/web');
  const output = new Output(false);
  show(table, output);
  table.update('/app/web', failedWith('503', new Date(Date.now() + 12_900)));
  table.update('/app/web', { phase: 'connecting', error: null });
  table.update('/app/web', failedWith('503', new Date(Date.now() + 60_900)));
  expect(output.writes.join('').match(/failed|Tried again|connecting/g)).toEqual([
    'failed',
    'Tried again',
    'connecting',
    'failed',
    'Tried again',
  ]);
});

it('control characters in a mount path or an error are masked in both', () => {
  for (const isTTY of [true, false]) {
    const table = tableOf('/app/x\x1b[2Jy');
    table.update('/app/x\x1b[2Jy', failedWith('got \x1b]0;title\x07'));
    const output = new Output(isTTY);
    showProgress(table, output)[Symbol.dispose]();
    const text = output.writes.join('');
    expect(text).toContain('x�[2Jy');
    expect(text).not.toContain('\x1b[2J');
    expect(text).not.toContain('\x1b]');
    expect(text).not.toContain('\x07');
  }
});

it('the rate is that of the last seconds, and begins anew when the number falls', () => {
  const meter = new RateMeter();
  meter.add(0, 0);
  expect(meter.perSecond).toBeNull();
  meter.add(100, 100);
  expect(meter.perSecond).toBeNull();
  for (let ms = 1_000; ms <= 10_000; ms += 100) meter.add(ms * 2, ms);
  expect(meter.perSecond).toBeCloseTo(2_000);
  for (let ms = 10_100; ms <= 14_000; ms += 100) meter.add(20_000, ms);
  expect(meter.perSecond).toBe(0);
  meter.add(5, 14_100);
  expect(meter.perSecond).toBeNull();
});

it('on a real terminal of 40 columns no line wraps, and the process ends by itself', async () => {
  const fixture = new URL('progress-in-terminal.ts', import.meta.url).pathname;
  const line = `stty cols 40 rows 10; exec '${process.execPath}' --import tsx '${fixture}'`;
  const terminal = spawn('script', ['-qec', line, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
    cwd: new URL('../..', import.meta.url),
  });
  let shown = '';
  terminal.stdout.setEncoding('utf8').on('data', (chunk) => (shown += String(chunk)));
  const [code] = (await once(terminal, 'close')) as [number];
  expect(code).toBe(0);
  const lines = shown.split(/\r?\n|\r\x1b\[\d+A\x1b\[J/);
  expect(lines.some((text) => text.includes('receiving'))).toBe(true);
  expect(lines.some((text) => text.startsWith('web  ready'))).toBe(true);
  for (const text of lines) expect(widthOf(text)).toBeLessThan(40);
});
