/**
 * `mount-agent status --watch`: looks again and again, until a signal ends it. On a terminal one
 * picture that is repainted in place, elsewhere a block (with --json a line) for each change. A daemon
 * that goes away is waited for; the exit code is that of the last look.
 */
import type { Config } from './cli.ts';
import { AgentError, EXIT } from './errors.ts';
import { fetchStatus } from './health/control-client.ts';
import type { Host } from './host.ts';
import { sleep } from './lifetime.ts';
import type { StatusSnapshot } from './status.ts';
import { renderStatus } from './terminal/status-table.ts';
import type { StatusLayout } from './terminal/status-table.ts';
import { StatusScreen } from './terminal/status-screen.ts';

const INTERVAL_MS = 1_000;
/** While something is cloned: a bar that jumps once a second looks stuck. */
const BUSY_INTERVAL_MS = 250;
/** A daemon that hangs is as good as gone. */
const LOOK_TIMEOUT_MS = 3_000;
const PLAIN_COLUMNS = 100;

const ENDING: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];

/** What a look found: the table, and since when nobody has answered. */
interface View {
  readonly snapshot: StatusSnapshot;
  readonly goneSince: Date | null;
}

interface Output {
  show(view: View): void;
  resized?(): void;
  end?(): void;
}

/** @throws DAEMON_UNREACHABLE when there is none at the start. */
export async function watchStatus(config: Config, host: Host): Promise<number> {
  const ending = new AbortController();
  let view: View = { snapshot: await fetchStatus(config.runDir), goneSince: null };
  const output = openOutput(config, host);
  const unsubscribe = host.onSignal((signal) => {
    if (ENDING.includes(signal)) ending.abort();
    else if (signal === 'SIGWINCH') output.resized?.();
  });
  try {
    for (;;) {
      output.show(view);
      await pause(intervalOf(view), ending.signal);
      if (ending.signal.aborted) break;
      view = await look(config, view, ending.signal);
    }
  } finally {
    unsubscribe();
    output.end?.();
  }
  return view.goneSince === null ? exitCodeOf(view.snapshot) : EXIT.unavailable;
}

async function look({ runDir }: Config, before: View, signal: AbortSignal): Promise<View> {
  try {
    const snapshot = await fetchStatus(runDir, { timeoutMs: LOOK_TIMEOUT_MS, signal });
    return { snapshot, goneSince: null };
  } catch (error) {
    if (signal.aborted) return before;
    if (!(error instanceof AgentError) || error.code !== 'DAEMON_UNREACHABLE') throw error;
    return { snapshot: before.snapshot, goneSince: before.goneSince ?? new Date() };
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, signal).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}

function intervalOf({ snapshot, goneSince }: View): number {
  const isBusy = snapshot.mounts.some(
    ({ phase }) => phase !== 'ready' && phase !== 'failed' && phase !== 'pending',
  );
  return isBusy && goneSince === null ? BUSY_INTERVAL_MS : INTERVAL_MS;
}

function openOutput({ json }: Config, host: Host): Output {
  const isScreen = host.stdout.isTTY === true && host.env['TERM'] !== 'dumb';
  if (json) return new JsonLines(host);
  return isScreen ? new Screen(host) : new Blocks(host);
}

class Screen implements Output {
  readonly #host: Host;
  readonly #screen: StatusScreen;
  #view: View | null = null;

  constructor(host: Host) {
    this.#host = host;
    this.#screen = new StatusScreen(host.stdout);
  }

  show(view: View): void {
    this.#view = view;
    const { goneSince, snapshot } = view;
    this.#screen.paint(snapshot, { ...layoutOf(this.#host), goneSince });
  }

  resized(): void {
    if (this.#view !== null) this.show(this.#view);
  }

  /** The last picture stays when the screen is given back. */
  end(): void {
    this.#screen[Symbol.dispose]();
    if (this.#view === null) return;
    this.#host.stdout.write(renderStatus(this.#view.snapshot, layoutOf(this.#host)));
  }
}

class Blocks implements Output {
  readonly #host: Host;
  #shown = '';
  #isGone = false;

  constructor(host: Host) {
    this.#host = host;
  }

  show({ snapshot, goneSince }: View): void {
    const now = new Date();
    if (goneSince !== null) {
      if (!this.#isGone) this.#write(`[${now.toISOString()}] The daemon does not answer.\n`);
      this.#isGone = true;
      return;
    }
    const facts = factsOf(snapshot, ['progress', 'last_activity_at', 'reclaim_at']);
    if (facts === this.#shown && !this.#isGone) return;
    this.#shown = facts;
    this.#isGone = false;
    this.#write(`[${now.toISOString()}]\n${renderStatus(snapshot, layoutOf(this.#host))}`);
  }

  #write(block: string): void {
    this.#host.stdout.write(`${block}\n`);
  }
}

class JsonLines implements Output {
  readonly #host: Host;
  #shown = '';
  #isGone = false;

  constructor(host: Host) {
    this.#host = host;
  }

  show({ snapshot, goneSince }: View): void {
    const isGone = goneSince !== null;
    if (isGone && !this.#isGone)
      this.#host.stderr.write('mount-agent: the daemon does not answer\n');
    const facts = factsOf(snapshot, []);
    const isNews = !isGone && (facts !== this.#shown || this.#isGone);
    this.#isGone = isGone;
    if (!isNews) return;
    this.#shown = facts;
    this.#host.stdout.write(`${JSON.stringify(snapshot)}\n`);
  }
}

/** What makes a table another one: not when it was looked at, nor the fields that are left out. */
function factsOf(snapshot: StatusSnapshot, without: readonly string[]): string {
  const left = new Set(['checked_at', ...without]);
  return JSON.stringify(snapshot, (key, value: unknown) => (left.has(key) ? undefined : value));
}

export function exitCodeOf(snapshot: StatusSnapshot): number {
  return snapshot.mounts.some((mount) => mount.at_risk !== null) ? EXIT.atRisk : EXIT.ok;
}

/** For the stream as it is now: its width changes with its window. */
export function layoutOf({ stdout, env }: Host): StatusLayout {
  return {
    columns: stdout.columns ?? PLAIN_COLUMNS,
    colour: stdout.isTTY === true && (env['NO_COLOR'] ?? '') === '',
    now: new Date(),
  };
}
