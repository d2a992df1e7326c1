import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Redactor, createLog } from '../../agent/log.ts';
import type { Resource } from '../../agent/resource.ts';
import { StatusTable } from '../../agent/status.ts';
import type { AtRisk } from '../../agent/status.ts';
import { Token } from '../../agent/token.ts';
import { Warnings } from '../../agent/work/warnings.ts';
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
  unknown: null,
  since: '2026-01-01T00:00:00.000Z',
  checked_at: '2026-01-01T00:00:00.000Z',
};

let runDir = '';
let time: FakeTime;
let status: StatusTable;
let lines: string[] = [];
let warnings: Warnings;

beforeEach(() => {
  runDir = mkdtempSync(join(tmpdir(), 'warnings-'));
  time = new FakeTime(START);
  lines = [];
  status = new StatusTable({ version: '0', startedAt: new Date(START), reclaimAfterMs: 24 * HOUR });
  status.begin(null, ['/app/web', "/app/it's"].map(resourceAt));
  warnings = new Warnings({
    status,
    runDir,
    reclaimAfterMs: 24 * HOUR,
    warnBeforeMs: [4 * HOUR, HOUR],
    log: createLog(
      { level: 'info', destination: { write: (line) => void lines.push(line) } },
      new Redactor(),
    ),
    time,
  });
});
afterEach(() => {
  warnings[Symbol.dispose]();
  rmSync(runDir, { recursive: true });
});

function resourceAt(mountPath: string): Resource {
  return {
    type: 'github_repository',
    id: null,
    url: 'https://github.com/acme/web',
    protocol: 'https',
    host: 'github.com',
    owner: 'acme',
    name: 'web',
    mountPath,
    token: new Token('github_pat_secret'),
    checkout: null,
  };
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
  expect(lines[0]).toContain('/app/web: 1 file staged but not committed');
  expect(notice()).toContain('`/app/web`');
  expect(notice()).toContain('git push -u origin HEAD');
  expect(notice()).toContain('and 58 more');
  expect(statSync(join(runDir, 'AT_RISK.md')).mode & 0o777).toBe(0o600);

  status.update('/app/web', { at_risk: null });
  await settled();
  expect(notice()).toBeNull();
  expect(status.health).toBe('pass');
  expect(readdirSync(runDir).sort()).toEqual(['activity', 'warned']);
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
  warnings = new Warnings({
    status,
    runDir,
    reclaimAfterMs: 24 * HOUR,
    warnBeforeMs: [4 * HOUR],
    log: createLog({ level: 'silent', destination: process.stderr }, new Redactor()),
    time,
  });
  expect(notice()).toBeNull();
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
  ]);
  expect(text).not.toMatch(/`rm/);
});

test('the notice names no command that is not there', () => {
  status.update('/app/web', { at_risk: { ...AT_RISK, unknown: 'the index is damaged' } });
  time.advance(21 * HOUR);
  expect(notice()).toContain('the index is damaged');
  expect(notice()).not.toContain('mount-agent');
});
