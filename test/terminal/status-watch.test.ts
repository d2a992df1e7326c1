import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { serveControl } from '../../agent/health/control-server.ts';
import type { StatusTable } from '../../agent/status.ts';
import { pictureOf } from '../../agent/terminal/status-screen.ts';
import { widthOf } from '../../agent/terminal/text.ts';
import { RunningProgram, eventually } from '../end-to-end/session.ts';
import { recordLog } from '../health/fixtures.ts';
import { AT_RISK, READY, RECEIVING, failedWith, tableOf } from './fixtures.ts';
import { PseudoTerminal } from './pseudo-terminal.ts';

const TIMEOUT_MS = 60_000;

let runDir = '';
let table: StatusTable;
let daemon: AsyncDisposable | null = null;

beforeEach(async () => {
  runDir = await mkdtemp(join(tmpdir(), 'watch-'));
  table = tableOf('/app/web', '/app/api');
  await startDaemon();
});
afterEach(async () => {
  await stopDaemon();
  await rm(runDir, { recursive: true });
});

async function startDaemon(): Promise<void> {
  const { log, redactor } = recordLog();
  daemon = await serveControl({
    runDir,
    status: table,
    redact: (text) => redactor.redact(text),
    log,
  });
}

async function stopDaemon(): Promise<void> {
  await daemon?.[Symbol.asyncDispose]();
  daemon = null;
}

function watch(columns: number, rows: number, env = {}): PseudoTerminal {
  return PseudoTerminal.program(['status', '--watch', '--run-dir', runDir], { columns, rows, env });
}

it(
  'on a terminal one picture is repainted in place: phases with bars, work at risk, a daemon that is gone',
  async () => {
    await using terminal = watch(100, 30);
    await terminal.untilSeen('/app/web +waiting');
    table.update('/app/web', RECEIVING);
    await terminal.untilSeen(
      '/app/web +receiving +█████░░░░░░░ 45 % \\(12,345/27,000 objects, 23 MB\\)',
    );
    table.update('/app/web', { ...READY, at_risk: AT_RISK });
    table.update('/app/api', READY);
    await terminal.untilSeen('/app/web +ready +main at 1a2b3c4 +1 staged, 2 changed');
    expect(terminal.screen.filter((line) => line.startsWith('mount-agent'))).toHaveLength(1);
    await stopDaemon();
    await terminal.untilSeen('No answer from the daemon for');
    expect(terminal.screen.join('\n')).toContain('/app/web');
    await startDaemon();
    await terminal.untilSeen('Ctrl-C ends');
    expect(terminal.screen.join('\n')).not.toContain('No answer');

    terminal.type('\x03');
    expect(await terminal.ended).toBe(3);
    // Never cleared as a whole; the picture stays behind, on the screen as it was before.
    expect(terminal.sent).not.toContain('\x1b[2J');
    expect(terminal.sent).toContain('\x1b[?1049h\x1b[?25l');
    expect(terminal.sent).toContain('\x1b[?25h\x1b[?1049l');
    expect(terminal.sent.lastIndexOf('\x1b[?25h')).toBeGreaterThan(
      terminal.sent.lastIndexOf('\x1b[?25l'),
    );
    expect(terminal.screen.join('\n')).toMatch(
      /^at=.*\n.*mount-agent 1\.2\.3[^]*\/app\/web +ready/,
    );
    expect(terminal.sent).toContain('\x1b[32mready');
  },
  TIMEOUT_MS,
);

it(
  'a narrow and a low terminal are kept to, a new size is taken at once, SIGTERM gives the cursor back',
  async () => {
    table.update('/app/web', { ...READY, at_risk: AT_RISK });
    await using terminal = watch(40, 10, { NO_COLOR: '1' });
    await terminal.untilSeen('more line');
    for (const line of terminal.screen) expect(widthOf(line)).toBeLessThan(40);
    expect(terminal.screen.length).toBeLessThanOrEqual(10);
    await terminal.resize(120, 30);
    await terminal.untilSeen('MOUNT +PHASE +BRANCH +AT RISK');
    expect(terminal.screen.join('\n')).not.toContain('more line');
    // eslint-disable-next-line no-control-regex -- colours
    expect(terminal.sent).not.toMatch(/\x1b\[\d+m/);
    await terminal.signal('SIGTERM');
    expect(await terminal.ended).toBe(3);
    expect(terminal.sent.lastIndexOf('\x1b[?25h')).toBeGreaterThan(0);
  },
  TIMEOUT_MS,
);

it(
  'elsewhere a block is printed for each change, and a daemon that is gone at the end is 69',
  async () => {
    const program = (...args: string[]): RunningProgram =>
      new RunningProgram(['status', '--watch', '--run-dir', runDir, ...args], {}, runDir);
    const [plain, json] = [program(), program('--json')];
    const lines = (): string[] => json.stdout.split('\n').filter((line) => line !== '');
    await eventually(
      'the first block',
      () => plain.stdout.includes('/app/web') && lines().length > 0,
    );
    table.update('/app/web', { ...READY, at_risk: AT_RISK });
    await eventually('the change', () => plain.stdout.includes('1 staged'));
    await eventually('the change', () => lines().length === 2);
    // Looked at again, with nothing new: no news.
    table.update('/app/web', { at_risk: { ...AT_RISK, checked_at: '2026-01-01T03:00:00.000Z' } });
    await stopDaemon();
    await eventually('it gone', () => plain.stdout.includes('The daemon does not answer.'));
    await eventually('it gone', () => json.stderr.includes('the daemon does not answer'));
    expect(plain.stdout.match(/^\[20/gm)).toHaveLength(3);
    expect(plain.stdout).not.toContain('\x1b');
    expect(lines()).toHaveLength(2);
    expect(JSON.parse(lines()[1] ?? '')).toMatchObject({ mounts: [{ phase: 'ready' }, {}] });
    for (const one of [plain, json]) {
      one.signal('SIGTERM');
      expect(await one.exitCode).toBe(69);
    }
  },
  TIMEOUT_MS,
);

it('the picture never has more lines or columns than the terminal, whatever its size', () => {
  table.update('/app/web', { ...READY, at_risk: AT_RISK });
  table.update('/app/api', failedWith('expected a good token, got 401'));
  const now = new Date('2026-01-01T19:48:00Z');
  for (const goneSince of [null, new Date('2026-01-01T19:47:00Z')]) {
    for (let columns = 24; columns < 130; columns += 3) {
      for (let rows = 1; rows < 40; rows++) {
        const picture = pictureOf(
          table.snapshot(),
          { columns, colour: false, now, goneSince },
          rows,
        );
        expect(picture.length).toBeLessThanOrEqual(rows);
        for (const line of picture) expect(widthOf(line)).toBeLessThan(columns);
      }
    }
  }
});
