/**
 * The alerts and the dashboard against PromQL's own grammar and against what /metrics really has: each
 * metric and each label that they name is there, and each code and phase is one of ours.
 */
import { readFileSync } from 'node:fs';
import { parser } from '@prometheus-io/lezer-promql';
import { expect, it } from 'vitest';
import { parse } from 'yaml';
import { ERROR_TABLE } from '../../agent/errors.ts';
import { registerFamilies } from '../../agent/health/metric-families.ts';
import { StatusTable } from '../../agent/status.ts';

const ROOT = new URL('../../', import.meta.url);
/** What Prometheus adds to each series, and what a histogram has. */
const ADDED_LABELS = ['instance', 'job', 'le'];
const PHASES = [
  'pending',
  'connecting',
  'receiving',
  'indexing',
  'checking_out',
  'ready',
  'failed',
];

interface Rules {
  readonly groups: readonly { readonly rules: readonly { alert: string; expr: string }[] }[];
}
interface Dashboard {
  readonly panels: readonly { title: string; targets: readonly { expr: string }[] }[];
}

function read(name: string): string {
  return readFileSync(new URL(name, ROOT), 'utf8');
}

const rules = (parse(read('deploy/prometheus/alerts.yaml')) as Rules).groups.flatMap(
  (group) => group.rules,
);
const { panels } = JSON.parse(read('deploy/grafana/dashboard.json')) as Dashboard;
const expressions = [
  ...rules.map(({ alert, expr }): [string, string] => [alert, expr]),
  ...panels.flatMap(({ title, targets }) =>
    targets.map(({ expr }): [string, string] => [title, expr]),
  ),
];

/** Every series name of the real registry, with its labels. */
async function series(): Promise<Map<string, string[]>> {
  const context = { version: '0', startedAt: new Date(), reclaimAfterMs: 1000 };
  const registry = registerFamilies(
    { status: new StatusTable(context), version: '0', nodeVersion: 'v0' },
    new Map(),
  );
  const found = new Map<string, string[]>();
  for (const { name, type } of await registry.getMetricsAsJSON()) {
    const metric = registry.getSingleMetric(name) as unknown as { labelNames: string[] };
    const isHistogram = String(type) === 'histogram';
    const names = isHistogram ? ['_bucket', '_sum', '_count'].map((end) => name + end) : [name];
    for (const each of names) found.set(each, metric.labelNames);
  }
  return found;
}

/** The text of each node of a kind. @throws Error where the grammar was not kept. */
function nodesOf(expression: string): (kind: string) => string[] {
  // Grafana replaces its variables before Prometheus sees them.
  const text = expression.replaceAll('$__rate_interval', '5m');
  const nodes: { readonly kind: string; readonly text: string }[] = [];
  parser.parse(text).iterate({
    enter: ({ type, from, to }) => {
      if (type.isError) throw new Error(`not PromQL at ${from}: ${text}`);
      nodes.push({ kind: type.name, text: text.slice(from, to) });
    },
  });
  return (kind) => nodes.filter((node) => node.kind === kind).map((node) => node.text);
}

it('what is not PromQL would be noticed', () => {
  expect(() => nodesOf('sum(rate(x{a=}[5m])')).toThrow('not PromQL');
  expect(nodesOf('sum by (a) (x{b="c"})')('LabelName')).toEqual(['a', 'b']);
});

it.each(expressions)('%s: %s', async (_, expression) => {
  const known = await series();
  const nodes = nodesOf(expression);
  const metrics = nodes('VectorSelector').map((selector) => /^\w+/.exec(selector)?.[0] ?? '');
  expect(metrics.length).toBeGreaterThan(0);
  expect(metrics.filter((metric) => !known.has(metric))).toEqual([]);
  const labels = [...metrics.flatMap((metric) => known.get(metric) ?? []), ...ADDED_LABELS];
  expect(nodes('LabelName').filter((label) => !labels.includes(label))).toEqual([]);
  for (const matcher of nodes('UnquotedLabelMatcher')) {
    const [, label = '', value = ''] = /^(\w+)\s*(?:[=!]~|!?=)\s*"(.*)"$/.exec(matcher) ?? [];
    if (label === 'code')
      expect(Object.keys(ERROR_TABLE)).toEqual(expect.arrayContaining(value.split('|')));
    if (label === 'phase') expect(PHASES).toEqual(expect.arrayContaining(value.split('|')));
  }
});

it('docs/operations.md explains every metric and every alert, and no other', async () => {
  const text = read('docs/operations.md');
  const [, table = ''] = /## Metrics\n([^]*?)What to do for the alerts/.exec(text) ?? [];
  let last = '';
  const named = [...table.matchAll(/`(mount_agent_[a-z_]+|_[a-z_]+)/g)].map(([, name = '']) => {
    // `_commits` after `…_files` has the same beginning.
    if (!name.startsWith('_')) return (last = name);
    return /(_cpu|_start)/.test(name) ? `mount_agent_process${name}` : `mount_agent_at_risk${name}`;
  });
  const known = new Set(
    [...(await series()).keys()].map((name) => name.replace(/_(bucket|sum|count)$/, '')),
  );
  expect([...new Set(named)].sort()).toEqual([...known].sort());
  expect(last).not.toBe('');
  for (const { alert } of rules) expect(text).toContain(`| ${alert} |`);
});

it('each alert and each panel says what it is about', () => {
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
  expect(panels.every(({ title, targets }) => title !== '' && targets.length > 0)).toBe(true);
});
