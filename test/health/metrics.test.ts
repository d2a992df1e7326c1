import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { AgentError } from '../../agent/errors.ts';
import { createMetrics } from '../../agent/health/metrics.ts';
import { reportOf } from '../../agent/error-report.ts';
import type { StatusTable } from '../../agent/status.ts';
import { bundledProgram } from '../setup/bundled-program.ts';
import { AT_RISK, tableOfTwo } from './fixtures.ts';

function metricsOf(status: StatusTable) {
  const warningsSent = () => [{ channel: 'url', result: 'failed', count: 2 }];
  return createMetrics({ status, version: '1.2.3', nodeVersion: 'v20.0.0', warningsSent });
}

async function scrape(metrics: ReturnType<typeof metricsOf>): Promise<Map<string, number>> {
  const { body } = await metrics.render();
  const samples = body.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    samples.map((line) => {
      const space = line.lastIndexOf(' ');
      return [line.slice(0, space), Number(line.slice(space + 1))];
    }),
  );
}

it('every family has the prefix, a help line and a type, and no URL is in a label', async () => {
  using metrics = metricsOf(tableOfTwo());
  const { contentType, body } = await metrics.render();
  expect(contentType).toContain('text/plain; version=0.0.4');
  const named = (kind: string) =>
    [...body.matchAll(new RegExp(`^# ${kind} (\\S+)`, 'gm'))].map(([, name]) => name);
  expect(named('HELP')).toEqual(named('TYPE'));
  expect(named('TYPE').length).toBeGreaterThan(10);
  for (const line of body.split('\n')) expect(line).toMatch(/^(#.*|mount_agent_.*|)$/);
  expect(body).not.toContain('github.com');
});

it('values are those of the table at the time of the scrape', async () => {
  const status = tableOfTwo();
  using metrics = metricsOf(status);
  const before = await scrape(metrics);
  expect(before.get('mount_agent_warnings_total{channel="url",result="failed"}')).toBe(2);
  expect(before.get('mount_agent_build_info{version="1.2.3",node_version="v20.0.0"}')).toBe(1);
  expect(before.get('mount_agent_mounts{phase="pending"}')).toBe(2);
  expect(before.get('mount_agent_mounts{phase="ready"}')).toBe(0);
  expect(before.get('mount_agent_clone_duration_seconds_count')).toBe(0);

  status.update('/app/web', {
    phase: 'ready',
    attempts: 2,
    started_at: '2026-01-01T00:00:00.000Z',
    ready_at: '2026-01-01T00:00:04.000Z',
    progress: { received_bytes: 777, objects: 5, total_objects: 5, files: 3, total_files: 3 },
    at_risk: AT_RISK,
    watch: {
      ...{ directories: 100, unwatched: 300, remedy: 'raise the limit', scan_ms: 250 },
      ...{ ignored_files: 0, ignored_bytes: 0 },
      ...{ ignored_state: 'counted', ignored_counted_at: null },
    },
  });
  const soon = new Date(Date.now() + 60_000);
  status.setReclaim(new Date(), soon, true);
  // Twice: what a scrape counts must not grow by scraping.
  await scrape(metrics);
  const after = await scrape(metrics);
  expect(after.get('mount_agent_mounts{phase="pending"}')).toBe(1);
  expect(after.get('mount_agent_mounts{phase="ready"}')).toBe(1);
  expect(after.get('mount_agent_received_bytes_total{mount_path="/app/web"}')).toBe(777);
  expect(after.get('mount_agent_clone_attempts_total{mount_path="/app/web"}')).toBe(2);
  expect(after.get('mount_agent_at_risk_files{mount_path="/app/web"}')).toBe(2);
  expect(after.get('mount_agent_at_risk_files{mount_path="/app/api"}')).toBe(0);
  expect(after.get('mount_agent_at_risk_commits{mount_path="/app/web"}')).toBe(3);
  expect(after.get('mount_agent_at_risk_stashes{mount_path="/app/web"}')).toBe(1);
  expect(after.get('mount_agent_watched_directories{mount_path="/app/web"}')).toBe(100);
  expect(after.get('mount_agent_unwatched_directories{mount_path="/app/web"}')).toBe(300);
  expect(after.get('mount_agent_scan_seconds{mount_path="/app/web"}')).toBe(0.25);
  expect(after.get('mount_agent_until_reclaim_seconds')).toBeGreaterThan(30);
  expect(after.get('mount_agent_until_reclaim_seconds')).toBeLessThanOrEqual(60);
  expect(after.get('mount_agent_clone_duration_seconds_count')).toBe(1);
  expect(after.get('mount_agent_clone_duration_seconds_sum')).toBe(4);
  expect(after.get('mount_agent_clone_duration_seconds_bucket{le="2.5"}')).toBe(0);
  expect(after.get('mount_agent_clone_duration_seconds_bucket{le="5"}')).toBe(1);
});

it('an adopted mount does not count as a clone', async () => {
  const status = tableOfTwo();
  using metrics = metricsOf(status);
  status.update('/app/web', {
    phase: 'ready',
    started_at: '2026-01-01T00:00:00.000Z',
    ready_at: '2026-01-01T00:00:00.010Z',
  });
  expect((await scrape(metrics)).get('mount_agent_clone_duration_seconds_count')).toBe(0);
});

it('errors are counted by code as they happen, each once', async () => {
  const status = tableOfTwo();
  using metrics = metricsOf(status);
  const fail = () => {
    const error = reportOf(new AgentError('TRANSPORT_TIMEOUT', 'stalled'), null);
    status.update('/app/web', { phase: 'failed', error });
  };
  fail();
  status.update('/app/web', { attempts: 2 });
  status.update('/app/api', { phase: 'connecting' });
  fail();
  status.update('/app/web', { phase: 'connecting', error: null });
  fail();
  const labels = 'mount_path="/app/web",code="TRANSPORT_TIMEOUT"';
  const samples = await scrape(metrics);
  expect(samples.get(`mount_agent_errors_total{${labels}}`)).toBe(3);
});

it('prom-client is not loaded before the first scrape', async () => {
  const program = await bundledProgram(`
    import { createRequire } from 'node:module';
    import { createMetrics } from './agent/health/metrics.ts';
    import { StatusTable } from './agent/status.ts';
    const loaded = () => Object.keys(createRequire(import.meta.url).cache).some((path) => path.includes('prom-client'));
    const status = new StatusTable({ version: '1', startedAt: new Date(), reclaimAfterMs: 1 });
    const metrics = createMetrics({ status, version: '1', nodeVersion: '1' });
    const before = loaded();
    await metrics.render();
    console.log(before, loaded());
  `);
  const out = execFileSync(process.execPath, [program], { encoding: 'utf8' });
  expect(out.trim()).toBe('false true');
});
