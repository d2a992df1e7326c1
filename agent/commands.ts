/**
 * The short commands: `check` reads a manifest, the others ask the running daemon through its
 * socket. Each takes the Config and the Host and resolves with the exit code of the contract.
 */
import type { Config } from './cli.ts';
import { AgentError, EXIT } from './errors.ts';
import { fetchStatus, requestControl } from './health/control-client.ts';
import type { Host } from './host.ts';
import { sleep } from './lifetime.ts';
import { describeManifest } from './manifest/describe.ts';
import { loadManifest } from './manifest/load-manifest.ts';
import type { StatusSnapshot } from './status.ts';
import { renderStatus } from './terminal/status-table.ts';

const WATCH_INTERVAL_MS = 1000;
const PROBE_TIMEOUT_MS = 2500;

/** Validates the manifest as it is now and prints it normalised, tokens left out. */
export async function check(config: Config, host: Host): Promise<number> {
  const manifest = await loadManifest({
    ...config,
    path: config.manifest,
    // Standard input has to be waited for; a file is checked as it is now.
    timeoutMs: config.manifest === '-' ? config.manifestTimeoutMs : 0,
    home: host.env['HOME'] ?? null,
    stdin: host.stdin,
    signal: new AbortController().signal,
  });
  host.stdout.write(`${JSON.stringify(describeManifest(manifest), null, 2)}\n`);
  return EXIT.ok;
}

/** 0, or 3 while work is at risk; 69 without a daemon. */
export async function status(config: Config, host: Host): Promise<number> {
  if (config.watch) return watchStatus(config, host);
  const snapshot = await fetchStatus(config.runDir);
  host.stdout.write(config.json ? `${JSON.stringify(snapshot, null, 2)}\n` : view(snapshot, host));
  return exitCodeOf(snapshot);
}

/** On a terminal each look replaces the one before; elsewhere they follow each other. */
async function watchStatus(config: Config, host: Host): Promise<number> {
  const ending = new AbortController();
  const unsubscribe = host.onSignal((signal) => {
    if (signal === 'SIGINT' || signal === 'SIGTERM') ending.abort();
  });
  const clear = host.stdout.isTTY === true && !config.json ? '\x1b[H\x1b[2J' : '';
  let snapshot = await fetchStatus(config.runDir);
  try {
    while (!ending.signal.aborted) {
      const text = config.json ? `${JSON.stringify(snapshot)}\n` : view(snapshot, host);
      host.stdout.write(clear + text);
      await sleep(WATCH_INTERVAL_MS, ending.signal).catch((error: unknown) => {
        if (!ending.signal.aborted) throw error;
      });
      snapshot = await fetchStatus(config.runDir);
    }
  } finally {
    unsubscribe();
  }
  return exitCodeOf(snapshot);
}

function view(snapshot: StatusSnapshot, { stdout, env }: Host): string {
  const terminal = stdout.isTTY === true;
  return renderStatus(snapshot, {
    columns: stdout.columns ?? 100,
    colour: terminal && (env['NO_COLOR'] ?? '') === '',
    now: new Date(),
  });
}

function exitCodeOf(snapshot: StatusSnapshot): number {
  return snapshot.mounts.some((mount) => mount.at_risk !== null) ? EXIT.atRisk : EXIT.ok;
}

/** The daemon reads its manifest again; its refusal (65) is this command's. */
export async function rotate(config: Config, host: Host): Promise<number> {
  await requestControl(config.runDir, 'POST', '/rotate');
  host.stdout.write('tokens rotated\n');
  return EXIT.ok;
}

/** 0 while the daemon answers and nothing failed, else 1 with the reason: a probe without curl. */
export async function healthcheck(config: Config, host: Host): Promise<number> {
  try {
    const snapshot = await fetchStatus(config.runDir, { timeoutMs: PROBE_TIMEOUT_MS });
    const failed = snapshot.mounts.filter((mount) => mount.phase === 'failed');
    host.stdout.write(`${snapshot.status}\n`);
    for (const { mount_path, error } of failed) {
      host.stdout.write(`${mount_path}: ${error?.message ?? 'failed'}\n`);
    }
    return snapshot.status === 'fail' ? 1 : EXIT.ok;
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    host.stdout.write(`fail\n${error.message}\n`);
    return 1;
  }
}
