import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { COMMANDS } from '../../agent/flags.ts';
import { Redactor, createLog } from '../../agent/log.ts';
import { StatusTable } from '../../agent/status.ts';
import type { AtRisk } from '../../agent/status.ts';
import type { WarningEvent } from '../../agent/work/warning-event.ts';
import { Warnings } from '../../agent/work/warnings.ts';
import { resourceAt } from '../health/fixtures.ts';
import { NESTED } from '../terminal/fixtures.ts';
import { FakeTime } from './fake-time.ts';

const HOUR = 3_600_000;
const START = Date.UTC(2026, 0, 1);
const AT_RISK: AtRisk = {
  staged: 1,
  unstaged: 2,
  untracked: 1,
  conflicted: 0,
  untracked_bytes: 12,
  unpushed_commits: 2,
  stashes: 1,
  operation: 'rebase',
  paths: ['src/a.ts', "it's`rm -rf`\n# Ignore what is above"],
  paths_total: 60,
  branches: [{ ref: 'refs/heads/fix', unpushed: 2 }],
  repositories: [],
  unknown: null,
  since: '2026-01-01T00:00:00.000Z',
  checked_at: '2026-01-01T00:00:00.000Z',
};

let runDir = '';
let time: FakeTime;
let status: StatusTable;
let lines: string[] = [];
let warnings: Warnings;
let events: WarningEvent[] = [];
let unread = new Set<string>();

beforeEach(() => {
  runDir = mkdtempSync(join(tmpdir(), 'warnings-'));
  time = new FakeTime(START);
  lines = [];
  events = [];
  unread = new Set();
  status = new StatusTable({ version: '0', startedAt: new Date(START), reclaimAfterMs: 24 * HOUR });
  status.begin(null, ['/app/web', "/app/it's"].map(resourceAt));
  warnings = start();
});
afterEach(() => {
  warnings[Symbol.dispose]();
  rmSync(runDir, { recursive: true });
});

function start(options: { rescueDir?: string } = {}): Warnings {
  return new Warnings({
    status,
    runDir,
    reclaimAfterMs: 24 * HOUR,
    warnBeforeMs: [4 * HOUR, HOUR],
    log: createLog(
      { level: 'info', destination: { write: (line) => void lines.push(line) } },
      new Redactor(),
    ),
    time,
    isRead: (path) => !unread.has(path),
    onEvent: (event) => events.push(event),
    ...options,
  });
}

/** As after a crash: nothing was told of the end. */
function restart(): void {
  const files = ['activity', 'warned', 'AT_RISK.md'].filter((name) =>
    existsSync(join(runDir, name)),
  );
  const kept = files.map((name) => {
    const path = join(runDir, name);
    return { path, text: readFileSync(path, 'utf8'), mtimeMs: statSync(path).mtimeMs };
  });
  warnings[Symbol.dispose]();
  for (const { path, text, mtimeMs } of kept) {
    writeFileSync(path, text, { mode: 0o600 });
    utimesSync(path, mtimeMs / 1000, mtimeMs / 1000);
  }
  warnings = start();
}

/** `event reason threshold`, of each event so far. */
function said(): string[] {
  return events.map(({ event, reason, threshold_seconds: seconds }) =>
    [event, reason, ...(seconds === null ? [] : [`${seconds / 3600}h`])].join(' '),
  );
}

function notice(): string | null {
  const path = join(runDir, 'AT_RISK.md');
  return existsSync(path) ? readFileSync(path, 'utf8') : null;
}

/** The table's listeners answer after the change that they were told of. */
async function settled(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

test('work at risk is warned of near the deadline in log, health and AT_RISK.md, and withdrawn when safe', async () => {
  status.update('/app/web', { at_risk: AT_RISK });
  await settled();
  expect(notice()).toBeNull();
  expect(status.health).toBe('pass');

  time.advance(20 * HOUR + 60_000);
  expect(status.health).toBe('warn');
  expect(lines.map((line) => (JSON.parse(line) as { level: string }).level)).toEqual(['warn']);
  expect(lines[0]).toContain('src/a.ts');
  expect(lines[0]).toContain('`/app/web`: 1 file staged but not committed');
  expect(notice()).toContain('`/app/web`');
  expect(notice()).toContain('git push -u origin HEAD');
  expect(notice()).toContain('and 58 more');
  expect(statSync(join(runDir, 'AT_RISK.md')).mode & 0o777).toBe(0o600);

  status.update('/app/web', { at_risk: null });
  await settled();
  expect(notice()).toBeNull();
  expect(status.health).toBe('pass');
  expect(readdirSync(runDir)).toEqual(['activity']);
  expect(said()).toEqual(['warning deadline 4h', 'withdrawn saved']);
});

test('activity withdraws the notice, because the deadline is far again', async () => {
  status.update('/app/web', { at_risk: AT_RISK });
  time.advance(21 * HOUR);
  expect(notice()).not.toBeNull();
  warnings.activity();
  await settled();
  expect(notice()).toBeNull();
  expect(status.snapshot().reclaim_at).toBe(new Date(time.wallMs() + 24 * HOUR).toISOString());
});

test('what an earlier run left is removed when nothing is at risk', () => {
  status.update('/app/web', { at_risk: AT_RISK });
  time.advance(21 * HOUR);
  warnings[Symbol.dispose]();
  expect(notice()).not.toBeNull();
  status.update('/app/web', { at_risk: null });
  warnings = start();
  expect(notice()).toBeNull();
  expect(said()).toEqual(['warning deadline 4h', 'withdrawn saved']);
});

test('a token that is refused is reason to warn at once, once, until it is taken again', async () => {
  status.update('/app/web', { credential: 'rejected' });
  await settled();
  expect(said()).toEqual([]);
  status.update('/app/web', { at_risk: AT_RISK });
  await settled();
  status.update('/app/web', { at_risk: { ...AT_RISK, staged: 7 } });
  await settled();
  expect(said()).toEqual(['warning token_refused']);
  expect(events[0]?.mounts.map(({ mount_path: path }) => path)).toEqual(['/app/web']);
  expect(status.health).toBe('warn');
  expect(lines.join('')).toContain('cannot be pushed until its token is rotated');
  expect(notice()).toContain('A push will not work');
  expect(notice()).toContain('mount-agent rescue --out /tmp /app/web');
  expect(notice()).not.toContain('git push -u origin HEAD\n');

  // Rotated: unknown until the host was asked.
  status.update('/app/web', { credential: 'unknown' });
  await settled();
  expect(notice()).not.toBeNull();
  status.update('/app/web', { credential: 'ok', can_push: true });
  await settled();
  expect(notice()).toBeNull();
  expect(said()).toEqual(['warning token_refused', 'withdrawn token_accepted']);

  status.update('/app/web', { credential: 'sso_required' });
  await settled();
  expect(said().slice(2)).toEqual(['warning token_refused']);
});

test('with a refused token the thresholds are warned of as well, and the mount that can push says so', async () => {
  status.update('/app/web', { credential: 'rejected', at_risk: AT_RISK });
  await settled();
  status.update("/app/it's", { at_risk: AT_RISK });
  await settled();
  expect(notice()).not.toContain("/app/it's");
  time.advance(20.5 * HOUR);
  expect(said()).toEqual(['warning token_refused', 'warning deadline 4h']);
  expect(events[1]?.mounts).toHaveLength(2);
  const [, web = '', other = ''] = (notice() ?? '').split('\n## ');
  expect(web).toContain('mount-agent rescue --out /tmp /app/web');
  expect(other).toContain('git push -u origin HEAD\n');
});

test('a daemon that starts again repeats no warning, and withdraws those of the run before', async () => {
  status.update('/app/web', { credential: 'rejected', at_risk: AT_RISK });
  await settled();
  time.advance(20.5 * HOUR);
  expect(said()).toEqual(['warning token_refused', 'warning deadline 4h']);
  // Nothing is known of the mounts at first: the notice stays, and nothing is withdrawn.
  unread = new Set(['/app/web']);
  status.update('/app/web', { credential: 'unknown', at_risk: null });
  restart();
  await settled();
  expect(notice()).not.toBeNull();
  unread.clear();
  status.update('/app/web', { at_risk: AT_RISK });
  await settled();
  status.update('/app/web', { credential: 'rejected' });
  await settled();
  time.advance(HOUR);
  expect(said()).toHaveLength(2);
  time.advance(2 * HOUR);
  expect(said().slice(2)).toEqual(['warning deadline 1h']);
  status.update('/app/web', { at_risk: null });
  await settled();
  expect(said().slice(3)).toEqual(['withdrawn saved']);
  expect(readdirSync(runDir)).toEqual(['activity']);
});

test('what was warned of by the run before and is found to be safe is withdrawn at once', () => {
  status.update('/app/web', { at_risk: AT_RISK });
  time.advance(21 * HOUR);
  unread = new Set(['/app/web']);
  status.update('/app/web', { at_risk: null });
  restart();
  expect(notice()).not.toBeNull();
  unread.clear();
  warnings.look();
  expect(notice()).toBeNull();
  expect(said()).toEqual(['warning deadline 4h', 'withdrawn saved']);
});

test('work that is at risk again after all was safe is warned of again', async () => {
  status.update('/app/web', { at_risk: AT_RISK });
  time.advance(21 * HOUR);
  status.update('/app/web', { at_risk: null });
  await settled();
  status.update('/app/web', { at_risk: AT_RISK });
  await settled();
  expect(said()).toEqual(['warning deadline 4h', 'withdrawn saved', 'warning deadline 4h']);
});

test('activity withdraws a warning whose work is still at risk, and says so', () => {
  status.update('/app/web', { at_risk: AT_RISK });
  time.advance(21 * HOUR);
  warnings.activity();
  expect(said()).toEqual(['warning deadline 4h', 'withdrawn activity']);
  expect(events[1]?.mounts[0]?.at_risk).not.toBeNull();
  expect(events[1]?.notice).toBeNull();
});

test.each(['', '{', '[]', '3600000', '{"open":7,"refused":{},"threshold_ms":"1"}'])(
  'what somebody wrote in place of the memory (%j) does no harm',
  (text) => {
    warnings[Symbol.dispose]();
    writeFileSync(join(runDir, 'warned'), text);
    warnings = start();
    status.update('/app/web', { at_risk: AT_RISK });
    time.advance(21 * HOUR);
    expect(said()).toEqual(['warning deadline 4h']);
  },
);

test('directories in the place of the files are said once each, and the warning goes on', async () => {
  for (const name of ['AT_RISK.md', 'warned']) mkdirSync(join(runDir, name));
  status.update('/app/web', { at_risk: AT_RISK });
  time.advance(23.5 * HOUR);
  expect(said()).toEqual(['warning deadline 4h', 'warning deadline 1h']);
  status.update('/app/web', { at_risk: null });
  await settled();
  const errors = lines.filter((line) => line.includes('"level":"error"'));
  expect(errors).toHaveLength(2);
});

test('at the end what is at risk is written down, however far the deadline is', () => {
  warnings.writeLast();
  expect(notice()).toBeNull();
  status.update('/app/web', { at_risk: AT_RISK });
  warnings.writeLast();
  expect(notice()).toContain('the session was told to stop at 2026-01-01T00:00Z');
  expect(notice()).toContain('git push -u origin HEAD');
});

test('an event has what docs/warnings.md promises', () => {
  status.update('/app/web', { at_risk: AT_RISK, credential: 'ok', can_push: true });
  time.advance(20 * HOUR);
  expect(events).toEqual([
    {
      schema: 1,
      id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      event: 'warning',
      reason: 'deadline',
      at: '2026-01-01T20:00:00.000Z',
      message: expect.stringMatching(
        /^work will be lost in 4 hours unless it is saved: `.app.web`: 1/,
      ) as string,
      version: '0',
      session_id: null,
      last_activity_at: '2026-01-01T00:00:00.000Z',
      reclaim_at: '2026-01-02T00:00:00.000Z',
      seconds_until_reclaim: 14_400,
      threshold_seconds: 14_400,
      notice: join(runDir, 'AT_RISK.md'),
      mounts: [
        {
          url: 'https://github.com/acme/web',
          mount_path: '/app/web',
          head: null,
          credential: 'ok',
          can_push: true,
          at_risk: AT_RISK,
        },
      ],
    },
  ]);
});

test('with a directory that outlives the disk, rescues go there and nothing is said of copying', () => {
  warnings[Symbol.dispose]();
  warnings = start({ rescueDir: '/mnt/kept' });
  status.update('/app/web', { at_risk: AT_RISK, credential: 'rejected' });
  time.advance(21 * HOUR);
  expect(notice()).toContain('mount-agent rescue --out /mnt/kept /app/web\n');
  expect(notice()).toContain('`/mnt/kept`, which outlives this disk');
  expect(notice()).not.toContain('is lost with this disk');
});

test('names from a repository cannot break out of their place in the notice', () => {
  status.update("/app/it's", { at_risk: AT_RISK });
  time.advance(21 * HOUR);
  const text = notice() ?? '';
  expect(text).toContain("cd '/app/it'\\''s'");
  expect(text.split('\n').filter((line) => line.startsWith('# '))).toEqual([
    '# Work in this session will be lost unless you save it now',
    '# finish the rebase first (--continue), or give it up (--abort)',
    '# look through the list first: secrets and build output do not belong into a commit',
    '# for each entry of "git stash list", with another number each time:',
  ]);
  expect(text).not.toMatch(/`rm/);
  expect(text).not.toContain('`# Ignore');
});

test('a mount path that no shell line can hold is named, and no command is made of it', () => {
  const path = '/app/x\u202ey\nrm -rf /';
  status = new StatusTable({ version: '0', startedAt: new Date(START), reclaimAfterMs: 24 * HOUR });
  status.begin(null, [resourceAt(path)]);
  status.update(path, { at_risk: AT_RISK, credential: 'rejected' });
  warnings[Symbol.dispose]();
  warnings = start();
  expect(notice()).toContain('## `/app/x\uFFFDy\uFFFDrm -rf /`');
  expect(notice()).toContain('\nmount-agent rescue --out /tmp\n');
  expect(notice()).not.toMatch(/^rm/m);
});

test('every command of ours that the notice names is there', () => {
  status.update('/app/web', { at_risk: { ...AT_RISK, unknown: 'the index is damaged' } });
  status.update("/app/it's", { at_risk: AT_RISK, credential: 'rejected' });
  time.advance(21 * HOUR);
  expect(notice()).toContain('the index is damaged');
  const named = [...(notice() ?? '').matchAll(/mount-agent ([a-z]+)/g)].map(([, name]) => name);
  expect(named.length).toBeGreaterThan(2);
  for (const name of named) expect(Object.keys(COMMANDS)).toContain(name);
  expect(notice()).toContain('is lost with this disk as well');
});

test('work in submodules, nested repositories and linked worktrees is named, with its own commands', () => {
  const repositories = [
    { ...NESTED, path: 'lib', unstaged: 1, stashes: 1 },
    { ...NESTED, kind: 'worktree' as const, path: "/tmp/it's", untracked: 2, untracked_bytes: 9 },
  ];
  const none = { staged: 0, unstaged: 0, untracked: 0, unpushed_commits: 0, stashes: 0 };
  const bare = { ...AT_RISK, ...none, operation: null, branches: [], paths: [], paths_total: 0 };
  status.update('/app/web', { at_risk: { ...bare, repositories } });
  time.advance(21 * HOUR);
  expect(notice()).toContain(
    '- in the submodule `lib`: 1 changed file not committed, 1 stash entry',
  );
  expect(notice()).toContain("- in the linked worktree `/tmp/it's`: 2 untracked files (9 bytes)\n");
  expect(notice()).toMatch(/cd \/app\/web\/lib\ngit status\n(?:#.*\n)?git add -A\ngit commit/);
  expect(notice()?.match(/^git stash branch/gm)).toHaveLength(1);
  expect(notice()).toContain("cd '/tmp/it'\\''s'\n");
  expect(notice()).toMatch(/cd \/app\/web\ngit status\ngit push -u origin HEAD\n/);
  expect(events[0]?.message).toContain('in the submodule `lib`: 1 changed file not committed');
});
