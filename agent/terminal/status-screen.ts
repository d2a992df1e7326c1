/**
 * The table of `status --watch` on a terminal. Enters: a snapshot, and the width and height as they are
 * now. Leaves: one write per picture, on the alternate screen, each line over the one before: nothing
 * is cleared first, so nothing flickers. Whatever ends it, cursor and screen are given back.
 */
import type { StatusSnapshot } from '../status.ts';
import { createPalette } from './palette.ts';
import { renderStatus } from './status-table.ts';
import type { StatusLayout } from './status-table.ts';
import { cut } from './text.ts';
import { formatDuration, plural } from './units.ts';

export interface ScreenStream {
  readonly rows?: number;
  write(text: string): unknown;
}

export interface ScreenLayout extends StatusLayout {
  /** Since when the daemon has not answered: what is shown is old. */
  readonly goneSince: Date | null;
}

// xterm's control sequences: the alternate screen, the cursor, and an update shown as a whole.
const OPEN = '\x1b[?1049h\x1b[?25l';
const CLOSE = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[?2026h\x1b[H';
const LINE_END = '\x1b[K';
const REST = '\x1b[J\x1b[?2026l';
const ROWS = 24;

export class StatusScreen implements Disposable {
  readonly #stream: ScreenStream;

  constructor(stream: ScreenStream) {
    this.#stream = stream;
    stream.write(OPEN);
  }

  paint(snapshot: StatusSnapshot, layout: ScreenLayout): void {
    const lines = pictureOf(snapshot, layout, this.#stream.rows ?? ROWS);
    this.#stream.write(HOME + lines.map((line) => line + LINE_END).join('\r\n') + REST);
  }

  [Symbol.dispose](): void {
    this.#stream.write(CLOSE);
  }
}

/** At most `rows` lines, the last of which says how to end it, or that the daemon is gone. */
export function pictureOf(
  snapshot: StatusSnapshot,
  { goneSince, ...layout }: ScreenLayout,
  rows: number,
): string[] {
  // The last column stays free: after it, clearing the rest of a line takes its last character.
  const columns = Math.max(1, layout.columns - 1);
  const colour = layout.colour && goneSince === null;
  const table = renderStatus(snapshot, { ...layout, columns, colour, bars: true });
  const lines = table.trimEnd().split('\n');
  const room = Math.max(0, rows - 2);
  const hidden = lines.length - room;
  if (hidden > 0) {
    lines.splice(Math.max(0, room - 1));
    lines.push(cut(`… ${plural(hidden + 1, 'more line')}`, columns));
  }
  const palette = createPalette(layout.colour);
  const footer =
    goneSince === null
      ? palette.faint(cut('Ctrl-C ends', columns))
      : palette.bad(cut(goneFor(layout.now.getTime() - goneSince.getTime()), columns));
  return [...lines.slice(0, room), '', footer].slice(-rows);
}

function goneFor(ms: number): string {
  return `No answer from the daemon for ${formatDuration(ms)}; still trying`;
}
