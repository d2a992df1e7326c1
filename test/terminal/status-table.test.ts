import { expect, it } from 'vitest';
import { describeAtRisk } from '../../agent/terminal/describe.ts';
import { renderStatus } from '../../agent/terminal/status-table.ts';
import { widthOf } from '../../agent/terminal/text.ts';
import { StatusTable } from '../../agent/status.ts';
import {
  AT_RISK,
  CHECKING_OUT,
  NESTED,
  READY,
  RECEIVING,
  failedWith,
  tableOf,
} from './fixtures.ts';

const NOW = new Date('2026-01-01T19:48:00Z');

function render(table: StatusTable, columns = 100, colour = false): string {
  return renderStatus(table.snapshot(), { columns, colour, now: NOW });
}

it('a daemon that waits for its manifest says so, since when and how long yet', () => {
  const status = new StatusTable({ version: '1', startedAt: NOW, reclaimAfterMs: 1000 });
  const [since, until] = [-12_000, 48_000].map((ms) => new Date(NOW.getTime() + ms).toISOString());
  const waiting = { what: 'manifest', where: '/run/m.json', since: since!, until: until! } as const;
  status.wait(waiting);
  const text = renderStatus(status.snapshot(), { columns: 100, colour: false, now: NOW });
  expect(text.replaceAll(/\s+/g, ' ')).toContain(
    'The daemon waits for a whole manifest at /run/m.json: for 12 s, and gives up in 48 s (MANIFEST_MISSING).',
  );
  expect(text).not.toContain('No mounts yet');
  status.begin(null, []);
  expect(status.snapshot().waiting_for).toBeNull();
});

it('shows mounts, branches, work at risk in words, the time left and what to do', () => {
  const table = tableOf('/app/web', '/app/api', '/app/docs');
  table.update('/app/web', { ...READY, at_risk: AT_RISK });
  table.update('/app/api', failedWith('expected a good token, got 401'));
  table.update('/app/docs', RECEIVING);
  expect(render(table)).toBe(`mount-agent 1.2.3, session sess_1: fail
The disk may be reclaimed in 4 h 12 min (last activity 19 h 48 min ago). Work in 1 mount would be
lost.

MOUNT      PHASE      BRANCH           AT RISK
/app/web   ready      main at 1a2b3c4  1 staged, 2 changed, 1 untracked (1.2 kB), 3 unpushed
                                       commits, 1 stash
/app/api   failed
/app/docs  receiving                   45 % (12,345/27,000 objects, 23 MB)

/app/api: TRANSPORT_UNAUTHORIZED: expected a good token, got 401
  Rotate the token.

/app/web, at risk for 18 h 48 min:
  fix: 3 unpushed commits
  src/a.ts
  src/b.ts
  src/c.ts
`);
});

it('a session with nothing to lose is short', () => {
  const table = tableOf('/app/web');
  table.update('/app/web', READY);
  expect(render(table)).toBe(`mount-agent 1.2.3, session sess_1: pass
The disk may be reclaimed in 4 h 12 min (last activity 19 h 48 min ago). Nothing would be lost.

MOUNT     PHASE  BRANCH           AT RISK
/app/web  ready  main at 1a2b3c4  nothing
`);
});

it('on a narrow terminal what is at risk stands under its mount', () => {
  const table = tableOf('/app/web');
  table.update('/app/web', { ...READY, at_risk: { ...AT_RISK, paths: [], paths_total: 0 } });
  expect(render(table, 40)).toBe(`mount-agent 1.2.3, session sess_1: pass
The disk may be reclaimed in 4 h 12 min
(last activity 19 h 48 min ago). Work in
1 mount would be lost.

MOUNT     PHASE  BRANCH
/app/web  ready  main at 1a2b3c4
  1 staged, 2 changed, 1 untracked (1.2
  kB), 3 unpushed commits, 1 stash

/app/web, at risk for 18 h 48 min:
  fix: 3 unpushed commits
`);
});

it('no line is wider than the terminal, at any width from 24 on', () => {
  const table = tableOf(
    '/app/web',
    '/srv/a/very/long/path/of/a/mount/that/nobody/would/choose',
    '/漢',
  );
  table.update('/app/web', { ...READY, at_risk: AT_RISK });
  table.update('/漢', failedWith('x'.repeat(300), new Date('2026-01-01T19:50:00Z')));
  for (let columns = 24; columns < 200; columns++) {
    for (const line of render(table, columns).split('\n')) {
      expect(widthOf(line)).toBeLessThanOrEqual(columns);
      expect(line).toBe(line.trimEnd());
    }
  }
});

it('colours change nothing but colours', () => {
  const table = tableOf('/app/web', '/app/api');
  table.update('/app/web', { ...READY, at_risk: AT_RISK });
  table.update('/app/api', failedWith('no'));
  const coloured = render(table, 70, true);
  expect(coloured).toContain('\x1b[32mready\x1b[39m');
  expect(coloured).toContain('\x1b[31mfail\x1b[39m');
  // eslint-disable-next-line no-control-regex -- the colour codes themselves
  expect(coloured.replaceAll(/\x1b\[\d+m/g, '')).toBe(render(table, 70));
});

it('before the manifest, past the deadline, and with a next attempt it says so', () => {
  const table = tableOf();
  const late = new Date('2026-01-02T00:12:00Z');
  const text = renderStatus(table.snapshot(), { columns: 100, colour: false, now: late });
  expect(text).toContain('The disk may be reclaimed at any moment, since 12 min');
  expect(text).toContain('No mounts yet.');
  const waiting = tableOf('/app/web');
  waiting.update('/app/web', failedWith('503', new Date(NOW.getTime() + 90_000)));
  expect(render(waiting)).toContain('\n  Tried again in 1 min 30 s.\n');
});

it('names from a repository cannot move the cursor or hide anything', () => {
  const table = tableOf('/app/web');
  const evil = 'x\x1b[2J\r\u202ey\nz';
  table.update('/app/web', {
    ...READY,
    head: { ref: `refs/heads/${evil}`, oid: null },
    at_risk: {
      ...AT_RISK,
      paths: [evil],
      branches: [{ ref: `refs/heads/${evil}`, unpushed: 1 }],
      operation: evil,
      unknown: evil,
    },
    error: { ...failedWith(evil).error!, remedy: evil },
  });
  const text = render(table);
  // eslint-disable-next-line no-control-regex -- exactly those are looked for
  expect(text.replaceAll('\n', '')).not.toMatch(/[\x00-\x1f\x7f\u202e]/);
  expect(text.match(/x�\[2J��y�z/g)!.length).toBeGreaterThanOrEqual(6);
});

it('long lists are cut, and say by how much', () => {
  const table = tableOf('/app/web');
  const paths = Array.from({ length: 50 }, (_, index) => `file-${index}`);
  table.update('/app/web', { ...READY, at_risk: { ...AT_RISK, paths, paths_total: 1_234 } });
  const text = render(table);
  expect(text).toContain('  file-9\n  and 1,224 more files\n');
  expect(text).not.toContain('file-10');
});

it('every kind of work at risk has its word', () => {
  expect(describeAtRisk(null)).toBe('nothing');
  const none = { staged: 0, unstaged: 0, untracked: 0, unpushed_commits: 0, stashes: 0 };
  const bare = { ...AT_RISK, ...none };
  expect(describeAtRisk({ ...bare, conflicted: 2, operation: 'merge' })).toBe(
    '2 conflicted, merge under way',
  );
  expect(describeAtRisk({ ...bare, unpushed_commits: 1, stashes: 2 })).toBe(
    '1 unpushed commit, 2 stashes',
  );
  expect(describeAtRisk({ ...bare, unknown: 'index unreadable' })).toBe(
    'not certain: index unreadable',
  );
  expect(describeAtRisk(bare)).toBe('something');
  const library = { ...NESTED, path: 'lib', unstaged: 1 };
  const others = ['a', 'b', 'c', 'd'].map((path) => ({ ...NESTED, path, stashes: 1 }));
  expect(describeAtRisk({ ...bare, repositories: [library] })).toBe('in lib: 1 changed');
  expect(describeAtRisk({ ...bare, stashes: 1, repositories: [library, ...others] })).toBe(
    '1 stash, in lib: 1 changed, in a: 1 stash, in b: 1 stash, in 2 more repositories',
  );
});

it('a detached HEAD and an unborn branch are told apart', () => {
  const table = tableOf('/app/web', '/app/api', '/app/co');
  const oid = READY.head!.oid;
  table.update('/app/web', { ...READY, head: { ref: null, oid } });
  table.update('/app/api', { ...READY, head: { ref: 'refs/heads/main', oid: null } });
  table.update('/app/co', CHECKING_OUT);
  const text = render(table);
  expect(text).toContain('detached at 1a2b3c4');
  expect(text).toContain('main, no commit yet');
  expect(text).toContain('50 % (617/1,234 files)');
});
