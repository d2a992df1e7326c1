/**
 * `mount-agent rescue [MOUNT…]`: directories in, or the mounts of the running daemon; a rescue file for
 * each out, its path on standard output. Ends with 0, or with 69 when one of them failed; `--verify`
 * checks a file instead and ends with 65 when it is not whole.
 */
import { join, resolve } from 'node:path';
import type { Config } from './cli.ts';
import { AgentError, EXIT, toAgentError } from './errors.ts';
import type { Host } from './host.ts';
import { readMarker } from './mounts/completion-marker.ts';
import { displayPath, toBytePath } from './repository/byte-path.ts';
import { openRepository } from './repository/repository.ts';
import { doubtOf } from './repository/doubt.ts';
import { capture } from './rescue/capture.ts';
import type { CaptureOutcome, CaptureProgress } from './rescue/capture.ts';
import { withoutUserinfo } from './rescue/remote-url.ts';
import { verifyRescue } from './rescue/verify.ts';
import { formatBytes } from './terminal/units.ts';

/** A mount to rescue, as far as its url is known. */
interface Source {
  readonly mount: string;
  readonly mountPath: string;
  readonly url: string;
  readonly sessionId: string | null;
}

const BAR_COLUMNS = 20;

export async function rescueCommand(config: Config, host: Host): Promise<number> {
  const ending = new AbortController();
  const unsubscribe = host.onSignal((signal) => {
    if (signal !== 'SIGINT' && signal !== 'SIGTERM') return;
    ending.abort(new AgentError('ABORTED', `the rescue was stopped by ${signal}`));
  });
  try {
    return config.verify === null
      ? await rescueAll(config, host, ending.signal)
      : await verify(resolve(config.verify), config, host, ending.signal);
  } finally {
    unsubscribe();
  }
}

async function rescueAll(config: Config, host: Host, signal: AbortSignal): Promise<number> {
  const sources =
    config.operands.length > 0
      ? config.operands.map((operand) => sourceAt(resolve(operand), host))
      : await sourcesOfDaemon(config.runDir);
  const out = resolve(config.out ?? '.');
  const outcomes: (CaptureOutcome & { readonly mount: string })[] = [];
  let failed = 0;
  for (const source of sources) {
    try {
      const outcome = await rescueOne(source, out, config, host, signal);
      outcomes.push({ mount: source.mount, ...outcome });
      if (!config.json) host.stdout.write(`${outcome.file}\n`);
    } catch (error) {
      signal.throwIfAborted();
      const { message, remedy, code } = toAgentError(error);
      host.stderr.write(`${source.mount}: ${message}\n  ${remedy} (${code})\n`);
      failed++;
    }
  }
  if (config.json) host.stdout.write(`${JSON.stringify(outcomes, null, 2)}\n`);
  return failed === 0 ? EXIT.ok : EXIT.unavailable;
}

async function rescueOne(
  source: Source,
  out: string,
  { includeIgnored, selfContained }: Config,
  host: Host,
  signal: AbortSignal,
): Promise<CaptureOutcome> {
  const home = host.env['HOME'];
  const bar = barOn(host, source.mount);
  const outcome = await capture({
    ...source,
    out,
    includeIgnored,
    selfContained,
    ...(home === undefined ? {} : { home }),
    signal,
    onProgress: bar,
  }).finally(() => {
    bar(null);
  });
  const { risksCovered, unsettled, leftOut, missing, sizeBytes } = outcome;
  const what = risksCovered.length === 0 ? 'nothing at risk' : risksCovered.join(', ');
  host.stderr.write(`${source.mount}: ${what} (${formatBytes(sizeBytes)})\n`);
  for (const line of unsettled) host.stderr.write(`${source.mount}: ${line}\n`);
  for (const line of missing) host.stderr.write(`${source.mount}: ${line}\n`);
  for (const line of leftOut) host.stderr.write(`${source.mount}: left out: ${line}\n`);
  return outcome;
}

/** What the clone says of itself: mount-agent's own mark, else its `origin`. */
function sourceAt(mount: string, host: Host): Source {
  const marker = readMarker(join(mount, '.git'));
  if (marker !== null) return { mount, ...marker, sessionId: null };
  const home = host.env['HOME'];
  try {
    const { config } = openRepository(
      toBytePath(mount),
      home === undefined ? undefined : toBytePath(home),
    );
    const url = displayPath(withoutUserinfo(config.get('remote.origin.url') ?? ''));
    return { mount, mountPath: mount, url, sessionId: null };
  } catch (error) {
    if (doubtOf(error) === undefined) throw error;
    // No repository any more: its files are saved all the same.
    return { mount, mountPath: mount, url: '', sessionId: null };
  }
}

async function sourcesOfDaemon(runDir: string): Promise<Source[]> {
  // Loaded when it is needed: whoever names the mounts does not wait for an HTTP client.
  const { fetchStatus } = await import('./health/control-client.ts');
  const { session_id: sessionId, mounts } = await fetchStatus(runDir);
  return mounts
    .filter(({ phase }) => phase === 'ready')
    .map(({ mount_path: mountPath, url }) => ({ mount: mountPath, mountPath, url, sessionId }));
}

async function verify(
  file: string,
  { json }: Config,
  host: Host,
  signal: AbortSignal,
): Promise<number> {
  const { rescue, unsettled, members } = await verifyRescue(file, { signal });
  const { mount_path: mount, created_at: createdAt } = rescue;
  const said = `${file}: whole; ${members.length} members, ${mount} at ${createdAt}\n`;
  host.stdout.write(json ? `${JSON.stringify({ ...rescue, unsettled }, null, 2)}\n` : said);
  return EXIT.ok;
}

/** One line that changes, on a terminal only; null takes it away. */
function barOn({ stderr }: Host, mount: string): (progress: CaptureProgress | null) => void {
  let shown = '';
  return (progress) => {
    if (stderr.isTTY !== true) return;
    const line = progress === null ? '' : `${mount}  ${progressText(progress)}`;
    if (line !== shown) stderr.write(`\r\x1b[K${line}`);
    shown = line;
  };
}

function progressText({ phase, doneBytes, totalBytes }: CaptureProgress): string {
  if (phase === 'looking') return 'looking';
  const share = totalBytes === 0 ? 1 : Math.min(1, doneBytes / totalBytes);
  const full = Math.floor(share * BAR_COLUMNS);
  const bar = '█'.repeat(full) + '░'.repeat(BAR_COLUMNS - full);
  return `${bar}  ${Math.floor(share * 100)} %  ${formatBytes(doneBytes)}`;
}
