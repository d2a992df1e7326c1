/**
 * Progress of the mounts while somebody waits. In: the status table; out: on a terminal one line per
 * mount, rewritten in place at most ten times a second; elsewhere plain lines, on each change of
 * phase and every ten seconds in between. Ends with the last state standing, and full errors.
 */
import type { MountStatus, StatusTable } from '../status.ts';
import { countedOf, labelsOf } from './describe.ts';
import { createPalette } from './palette.ts';
import type { Palette } from './palette.ts';
import { hasStopped, phaseLines, progressSentence, terminalLine } from './progress-line.ts';
import { RateMeter } from './rate-meter.ts';
import { cut, widthOf } from './text.ts';
import { formatBytes, formatCount } from './units.ts';

export interface OutputStream {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  write(text: string): unknown;
}

export interface ProgressOptions {
  /** Only ever on a terminal; the caller knows about NO_COLOR. */
  readonly colour?: boolean;
  readonly intervalMs?: number;
}

export interface ProgressDisplay extends Disposable {
  /** Writes whole lines of somebody else (the log) without tearing the display. */
  print(text: string): void;
}

export function showProgress(
  status: StatusTable,
  stream: OutputStream,
  options: ProgressOptions = {},
): ProgressDisplay {
  return stream.isTTY === true
    ? new TerminalDisplay(status, stream, options)
    : new PlainDisplay(status, stream, options);
}

const FRAME_MS = 100;
/** Rates and waits change without any change of the table. */
const IDLE_FRAME_MS = 1_000;
const SENTENCE_MS = 10_000;
const COLUMNS = 80;
const ROWS = 24;
const LONGEST_LABEL_COLUMNS = 24;

class TerminalDisplay implements ProgressDisplay {
  readonly #status: StatusTable;
  readonly #stream: OutputStream;
  readonly #palette: Palette;
  readonly #meters = new Map<string, { readonly unit: string; readonly meter: RateMeter }>();
  readonly #timer: NodeJS.Timeout;
  readonly #unsubscribe: () => void;
  #changed = true;
  #paintedAtMs = 0;
  #lines = 0;

  constructor(status: StatusTable, stream: OutputStream, options: ProgressOptions) {
    this.#status = status;
    this.#stream = stream;
    this.#palette = createPalette(options.colour ?? false);
    this.#unsubscribe = status.subscribe(() => {
      this.#changed = true;
    });
    this.#timer = setInterval(() => {
      this.#tick();
    }, options.intervalMs ?? FRAME_MS);
    this.#timer.unref();
    this.#paint();
  }

  print(text: string): void {
    this.#stream.write(this.#erase() + withNewline(text));
    this.#paint();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#unsubscribe();
    this.#paint(Infinity);
    const { mounts } = this.#status;
    const labels = labelsOf(mounts.map((mount) => mount.mount_path));
    for (const mount of mounts.filter(({ phase }) => phase === 'failed')) {
      const lines = phaseLines(mount, labels.get(mount.mount_path) ?? '', new Date());
      this.#stream.write(withNewline(lines.join('\n')));
    }
  }

  #tick(): void {
    if (this.#changed || Date.now() - this.#paintedAtMs >= IDLE_FRAME_MS) this.#paint();
  }

  /** @param rows the lines that the terminal can show without scrolling. */
  #paint(rows = this.#stream.rows ?? ROWS): void {
    this.#changed = false;
    this.#paintedAtMs = Date.now();
    const lines = this.#frame(rows);
    // One write, so that no other output comes between erasing and painting.
    this.#stream.write(this.#erase() + lines.map((line) => `${line}\n`).join(''));
    this.#lines = lines.length;
  }

  /** Back to the first line of the last frame, and everything from there on cleared. */
  #erase(): string {
    const up = this.#lines === 0 ? '' : `\x1b[${this.#lines}A`;
    this.#lines = 0;
    return up === '' ? '' : `\r${up}\x1b[J`;
  }

  #frame(rows: number): string[] {
    const { mounts } = this.#status;
    // The last column stays free: writing it makes some terminals wrap.
    const columns = (this.#stream.columns ?? COLUMNS) - 1;
    const labels = labelsOf(mounts.map((mount) => mount.mount_path));
    const widest = Math.max(0, ...[...labels.values()].map(widthOf));
    const labelColumns = Math.min(LONGEST_LABEL_COLUMNS, widest, Math.floor(columns / 3));
    const shown = mounts.length < rows ? mounts : busiest(mounts, Math.max(1, rows - 2));
    const lines = shown.map((mount) =>
      terminalLine(mount, {
        label: labels.get(mount.mount_path) ?? '',
        labelColumns,
        columns,
        rate: this.#rateOf(mount),
        palette: this.#palette,
      }),
    );
    if (shown.length < mounts.length) lines.push(cut(summary(mounts, shown.length), columns));
    return lines;
  }

  #rateOf(mount: MountStatus): string {
    const counted = countedOf(mount);
    if (counted === null) {
      this.#meters.delete(mount.mount_path);
      return '';
    }
    const unit = mount.phase === 'receiving' ? 'bytes' : counted.unit;
    const known = this.#meters.get(mount.mount_path);
    const meter = known?.unit === unit ? known.meter : new RateMeter();
    this.#meters.set(mount.mount_path, { unit, meter });
    meter.add(unit === 'bytes' ? mount.progress.received_bytes : counted.done, Date.now());
    const rate = meter.perSecond;
    if (rate === null) return '';
    return unit === 'bytes'
      ? `${formatBytes(rate)}/s`
      : `${formatCount(Math.round(rate))} ${unit}/s`;
  }
}

/** In the table's order, those first that something happens to, then the failed, then the rest. */
function busiest(mounts: readonly MountStatus[], count: number): readonly MountStatus[] {
  const rank = ({ phase }: MountStatus): number => {
    if (phase === 'failed') return 1;
    if (phase === 'pending') return 2;
    return phase === 'ready' ? 3 : 0;
  };
  const chosen = new Set([...mounts].sort((a, b) => rank(a) - rank(b)).slice(0, count));
  return mounts.filter((mount) => chosen.has(mount));
}

function summary(mounts: readonly MountStatus[], shown: number): string {
  const ready = mounts.filter(({ phase }) => phase === 'ready').length;
  return `and ${mounts.length - shown} more; ${ready} of ${mounts.length} ready`;
}

class PlainDisplay implements ProgressDisplay {
  readonly #status: StatusTable;
  readonly #stream: OutputStream;
  readonly #said = new Map<string, string>();
  readonly #timer: NodeJS.Timeout;
  readonly #unsubscribe: () => void;

  constructor(status: StatusTable, stream: OutputStream, options: ProgressOptions) {
    this.#status = status;
    this.#stream = stream;
    this.#unsubscribe = status.subscribe(() => {
      this.#sayChanges();
    });
    this.#timer = setInterval(() => {
      this.#sayProgress();
    }, options.intervalMs ?? SENTENCE_MS);
    this.#timer.unref();
    this.#sayChanges();
  }

  print(text: string): void {
    this.#stream.write(withNewline(text));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.#unsubscribe();
  }

  /** A mount that is only waiting says nothing: most do for a moment, some for minutes. */
  #sayChanges(): void {
    const { mounts } = this.#status;
    for (const mount of mounts) {
      const { mount_path: path, phase, error } = mount;
      const state = hasStopped(mount) ? `${phase} ${JSON.stringify(error)}` : phase;
      if ((this.#said.get(path) ?? 'pending') === state) continue;
      this.#said.set(path, state);
      this.print(phaseLines(mount, labelOf(mount, mounts), new Date()).join('\n'));
    }
  }

  #sayProgress(): void {
    const { mounts } = this.#status;
    for (const mount of mounts) {
      const isOver = mount.phase === 'ready' || mount.phase === 'failed';
      if (!isOver) this.print(progressSentence(mount, labelOf(mount, mounts)));
    }
  }
}

function labelOf(mount: MountStatus, mounts: readonly MountStatus[]): string {
  return labelsOf(mounts.map(({ mount_path: path }) => path)).get(mount.mount_path) ?? '';
}

function withNewline(text: string): string {
  return text.endsWith('\n') ? text : `${text}\n`;
}
