/**
 * The short commands: `check` reads a manifest, the others ask the running daemon through its
 * socket. Each takes the Config and the Host and resolves with the exit code of the contract.
 */
import type { Config } from './cli.ts';
import { AgentError, EXIT } from './errors.ts';
import { fetchStatus, requestControl } from './health/control-client.ts';
import type { Host } from './host.ts';
import { describeManifest } from './manifest/describe.ts';
import { loadManifest } from './manifest/load-manifest.ts';
import { renderStatus } from './terminal/status-table.ts';
import { exitCodeOf, layoutOf, watchStatus } from './watch-status.ts';

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

/** 0, or 3 while work is at risk; 69 without a daemon, be it at the start or at the end. */
export async function status(config: Config, host: Host): Promise<number> {
  if (config.watch) return watchStatus(config, host);
  const snapshot = await fetchStatus(config.runDir);
  const view = (): string => renderStatus(snapshot, layoutOf(host));
  host.stdout.write(config.json ? `${JSON.stringify(snapshot, null, 2)}\n` : view());
  return exitCodeOf(snapshot);
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
