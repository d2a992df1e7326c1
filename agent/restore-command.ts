/**
 * `mount-agent restore FILE [MOUNT]`: a rescue file and a fresh clone in, the clone as the lost one was
 * out, and in words what came back and what did not. Needs no daemon. Ends with 0, with 65 for a file
 * that is not as it should be, with 69 for a clone that nothing can be restored into.
 */
import { lstatSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Config } from './cli.ts';
import { AgentError, EXIT } from './errors.ts';
import type { Host } from './host.ts';
import { describeCounts } from './rescue/counts.ts';
import { restoreBeside } from './rescue/restore-beside.ts';
import { restore } from './rescue/restore.ts';
import type { RestoreOutcome, RestoreProgress } from './rescue/restore.ts';
import { MISSING_NAME } from './rescue/salvage.ts';
import { readHeader } from './rescue/shelf.ts';

const SHOWN = 20;

export async function restoreCommand(config: Config, host: Host): Promise<number> {
  const ending = new AbortController();
  const unsubscribe = host.onSignal((signal) => {
    if (signal !== 'SIGINT' && signal !== 'SIGTERM') return;
    ending.abort(new AgentError('ABORTED', `the restore was stopped by ${signal}`));
  });
  try {
    const [file = '', mount] = config.operands.map((operand) => resolve(operand));
    const place = mount ?? (await readHeader(file)).mount_path;
    const outcome = await run(config, host, file, place, ending.signal);
    const target = config.into === null ? place : resolve(config.into);
    const isWhole = outcome.missing.length === 0;
    host.stdout.write(
      config.json ? `${JSON.stringify(outcome, null, 2)}\n` : tell(outcome, target),
    );
    return isWhole ? EXIT.ok : EXIT.unavailable;
  } finally {
    unsubscribe();
  }
}

async function run(
  config: Config,
  host: Host,
  file: string,
  mount: string,
  signal: AbortSignal,
): Promise<RestoreOutcome> {
  const onProgress = progressOn(host);
  using _line = {
    [Symbol.dispose]: () => {
      onProgress(null);
    },
  };
  const common = { file, mount, signal, onProgress };
  const { hooks: withHooks, config: withConfig, outsideWorktrees } = config;
  if (config.into !== null) {
    return await restoreBeside({ ...common, into: resolve(config.into), withHooks, withConfig });
  }
  requireOwner(mount, host.uid);
  return await restore({ ...common, mountPath: mount, withHooks, withConfig, outsideWorktrees });
}

/** What root puts into a clone of somebody else, its owner could not change. */
function requireOwner(mount: string, uid: number): void {
  const owner = lstatSync(mount, { throwIfNoEntry: false })?.uid ?? uid;
  if (uid !== 0 || owner === 0) return;
  const message = `${mount} belongs to uid ${owner}, and this runs as root`;
  throw new AgentError('RESCUE_TARGET_INVALID', message, {
    remedy: 'Run the command as the owner of the clone.',
  });
}

/** One line that changes, on a terminal only; null takes it away. */
function progressOn({ stderr }: Host): (progress: RestoreProgress | null) => void {
  let last = '';
  return (progress) => {
    if (stderr.isTTY !== true) return;
    const line = progress === null ? '' : textOf(progress);
    if (line !== last) stderr.write(`\r\x1b[K${line}`);
    last = line;
  };
}

function textOf({ phase, bytes, totalBytes }: RestoreProgress): string {
  const percent = totalBytes === 0 ? 100 : Math.floor((bytes / totalBytes) * 100);
  return `${phase} ${percent} %`;
}

function tell(outcome: RestoreOutcome, target: string): string {
  const { rescue, repositories, notRestored, missing, lost } = outcome;
  const { created_at: createdAt, session_id: session, operation, counts } = rescue;
  const from = session === null ? createdAt : `${createdAt}, session ${session}`;
  const lines = [
    missing.length === 0
      ? `${target} is as it was (${printable(from)})`
      : `${target} has what the rescue itself holds (${printable(from)}); see ${MISSING_NAME} there`,
    ...describeCounts(counts, null).map((what) => `  ${what}`),
    ...(operation === null ? [] : [`  a ${printable(operation)} under way: go on with --continue`]),
    ...repositories.slice(1).map((name) => `  ${printable(name)}`),
    ...section('missing, because no clone here has the commits below it:', missing),
    ...section(
      'not as it was:',
      notRestored.map(({ what, why }) => `${what}: ${why}`),
    ),
    ...section('was not in the rescue:', lost),
  ];
  return `${lines.join('\n')}\n`;
}

function section(heading: string, lines: readonly string[]): string[] {
  if (lines.length === 0) return [];
  const shown = lines.slice(0, SHOWN).map((line) => `  ${printable(line)}`);
  if (lines.length > SHOWN) shown.push(`  and ${lines.length - SHOWN} more`);
  return [heading, ...shown];
}

/** The rescue's words, for a terminal: no escape sequence of theirs reaches it. */
function printable(text: string): string {
  // eslint-disable-next-line no-control-regex -- these are what has to be masked
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, '\uFFFD');
}
