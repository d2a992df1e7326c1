/**
 * Every metric family by name. In: the status table and the counted errors; out: a prom-client
 * Registry whose families read them at each scrape. Labels hold mount paths, phases and codes,
 * never a URL. Loaded lazily, see metrics.ts.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { MountStatus, Phase, StatusTable } from '../status.ts';

export interface MetricsContext {
  readonly status: StatusTable;
  readonly version: string;
  readonly nodeVersion: string;
  readonly warningsSent?: () => readonly WarningCount[];
}

interface WarningCount {
  readonly channel: string;
  readonly result: string;
  readonly count: number;
}

/** By mount path, then by error code. */
export type ErrorCounts = Map<string, Map<string, number>>;

const PREFIX = 'mount_agent_';

/** Small repositories take a second, the largest half an hour. */
const CLONE_SECONDS = [0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800];

const NO_PHASES: Readonly<Record<Phase, number>> = {
  pending: 0,
  connecting: 0,
  receiving: 0,
  indexing: 0,
  checking_out: 0,
  ready: 0,
  failed: 0,
};

export function registerFamilies(context: MetricsContext, errors: ErrorCounts): Registry {
  const registry = new Registry();
  registerBuild(registry, context);
  registerMounts(registry, context);
  registerErrors(registry, errors);
  registerCloneDuration(registry, context);
  registerAtRisk(registry, context);
  registerWarnings(registry, context);
  registerProcess(registry);
  return registry;
}

function registerBuild(registry: Registry, { version, nodeVersion }: MetricsContext): void {
  new Gauge({
    name: `${PREFIX}build_info`,
    help: 'Always 1; the labels say what runs.',
    labelNames: ['version', 'node_version'],
    registers: [registry],
  }).set({ version, node_version: nodeVersion }, 1);
}

function registerMounts(registry: Registry, { status }: MetricsContext): void {
  new Gauge({
    name: `${PREFIX}mounts`,
    help: 'Mounts in each phase.',
    labelNames: ['phase'],
    registers: [registry],
    collect() {
      const counts = { ...NO_PHASES };
      for (const { phase } of status.mounts) counts[phase]++;
      for (const [phase, count] of Object.entries(counts)) this.set({ phase }, count);
    },
  });
  // Both begin at 0 again with a new clone; Prometheus takes that as the counter reset that it is.
  registerPerMount(registry, status, Counter, 'received_bytes_total', {
    help: 'Bytes received by the clone under way or done.',
    valueOf: (mount) => mount.progress.received_bytes,
  });
  registerPerMount(registry, status, Counter, 'clone_attempts_total', {
    help: 'Attempts to clone, the one under way included.',
    valueOf: (mount) => mount.attempts,
  });
}

interface PerMount {
  readonly help: string;
  readonly valueOf: (mount: MountStatus) => number;
}

function registerPerMount(
  registry: Registry,
  status: StatusTable,
  Family: typeof Counter | typeof Gauge,
  name: string,
  { help, valueOf }: PerMount,
): void {
  const family = new Family({
    name: PREFIX + name,
    help,
    labelNames: ['mount_path'],
    registers: [registry],
    collect() {
      family.reset();
      for (const mount of status.mounts) {
        family.inc({ mount_path: mount.mount_path }, valueOf(mount));
      }
    },
  });
}

function registerErrors(registry: Registry, errors: ErrorCounts): void {
  new Counter({
    name: `${PREFIX}errors_total`,
    help: 'Failures by mount and error code; docs/errors.md has the remedies.',
    labelNames: ['mount_path', 'code'],
    registers: [registry],
    collect() {
      this.reset();
      for (const [mountPath, codes] of errors) {
        for (const [code, count] of codes) this.inc({ mount_path: mountPath, code }, count);
      }
    },
  });
}

function registerCloneDuration(registry: Registry, { status }: MetricsContext): void {
  const seen = new Map<string, string>();
  new Histogram({
    name: `${PREFIX}clone_duration_seconds`,
    help: 'From the start of a mount to ready, for mounts that were cloned and not adopted.',
    buckets: CLONE_SECONDS,
    registers: [registry],
    collect() {
      for (const mount of status.mounts) {
        const { mount_path: path, ready_at: ready, started_at: started, attempts } = mount;
        if (ready === null || started === null || attempts === 0) continue;
        if (seen.get(path) === ready) continue;
        seen.set(path, ready);
        this.observe((Date.parse(ready) - Date.parse(started)) / 1000);
      }
    },
  });
}

function registerAtRisk(registry: Registry, { status }: MetricsContext): void {
  registerPerMount(registry, status, Gauge, 'at_risk_files', {
    help: 'Files with changes that the host does not have.',
    valueOf: (mount) => mount.at_risk?.paths_total ?? 0,
  });
  registerPerMount(registry, status, Gauge, 'at_risk_commits', {
    help: 'Commits that the host does not have.',
    valueOf: (mount) => mount.at_risk?.unpushed_commits ?? 0,
  });
  registerPerMount(registry, status, Gauge, 'at_risk_stashes', {
    help: 'Stashes, which no push takes along.',
    valueOf: (mount) => mount.at_risk?.stashes ?? 0,
  });
  registerPerMount(registry, status, Gauge, 'watched_directories', {
    help: 'Directories with an inotify watch.',
    valueOf: (mount) => mount.watch?.directories ?? 0,
  });
  registerPerMount(registry, status, Gauge, 'unwatched_directories', {
    help: 'Directories read at intervals, because the system has no watch for them.',
    valueOf: (mount) => mount.watch?.unwatched ?? 0,
  });
  registerPerMount(registry, status, Gauge, 'scan_seconds', {
    help: 'What the last reading of the work at risk took.',
    valueOf: (mount) => (mount.watch?.scan_ms ?? 0) / 1000,
  });
  new Gauge({
    name: `${PREFIX}until_reclaim_seconds`,
    help: 'Seconds until the disk may be reclaimed; negative once it may.',
    registers: [registry],
    collect() {
      this.set((Date.parse(status.snapshot().reclaim_at) - Date.now()) / 1000);
    },
  });
}

function registerWarnings(registry: Registry, { warningsSent }: MetricsContext): void {
  new Counter({
    name: `${PREFIX}warnings_total`,
    help: 'Warnings and withdrawals by channel and what came of them.',
    labelNames: ['channel', 'result'],
    registers: [registry],
    collect() {
      this.reset();
      for (const { channel, result, count } of warningsSent?.() ?? [])
        this.inc({ channel, result }, count);
    },
  });
}

/** Not prom-client's default set: its event loop and GC observers cost while nobody scrapes. */
function registerProcess(registry: Registry): void {
  new Gauge({
    name: `${PREFIX}process_resident_memory_bytes`,
    help: 'Resident memory of the daemon, without its clone processes.',
    registers: [registry],
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  new Counter({
    name: `${PREFIX}process_cpu_seconds_total`,
    help: 'User and system CPU time of the daemon, without its clone processes.',
    registers: [registry],
    collect() {
      const { user, system } = process.cpuUsage();
      this.reset();
      this.inc((user + system) / 1e6);
    },
  });
  new Gauge({
    name: `${PREFIX}process_start_time_seconds`,
    help: 'Start of the daemon, seconds since the epoch.',
    registers: [registry],
  }).set(performance.timeOrigin / 1000);
}
