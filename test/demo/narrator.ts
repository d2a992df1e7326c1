/**
 * The demo's voice: numbered steps, indented details, one line redrawn on a terminal for progress,
 * and a check mark for each thing that was seen to happen.
 */
import type { WriteStream } from 'node:tty';

const GUTTER = '   │ ';
const PLAIN_LINE_EVERY_MS = 700;

export class Narrator {
  readonly #out: WriteStream;
  readonly #colour: boolean;
  #steps = 0;
  #redrawn = '';
  #redrawnAt = 0;

  constructor(out: WriteStream) {
    this.#out = out;
    this.#colour = out.isTTY && out.hasColors();
  }

  title(text: string): void {
    this.#line(`\n${this.#paint('1', text)}`);
  }

  step(text: string): void {
    this.#steps += 1;
    this.#line(
      `\n${this.#paint('1;36', `${String(this.#steps).padStart(2)} `)}${this.#paint('1', text)}`,
    );
  }

  detail(text: string): void {
    const painted = text.startsWith('$ ') ? this.#paint('1', text) : text;
    this.#line(this.#paint('2', GUTTER) + painted);
  }

  seen(text: string): void {
    this.#line(`   ${this.#paint('32', '✓')} ${text}`);
  }

  skipped(text: string): void {
    this.#line(`   ${this.#paint('33', '–')} skipped: ${text}`);
  }

  failed(text: string): void {
    this.#line(`\n   ${this.#paint('1;31', '✗')} ${this.#paint('1', text)}`);
  }

  /** A line that the next one of its kind replaces on a terminal; elsewhere one now and then. */
  redraw(text: string): void {
    if (text === this.#redrawn) return;
    if (this.#out.isTTY) this.#out.write(`\r\x1b[K${GUTTER}${text}`);
    else if (Date.now() - this.#redrawnAt < PLAIN_LINE_EVERY_MS) return;
    else this.#out.write(`${GUTTER}${text.trimEnd()}\n`);
    this.#redrawn = text;
    this.#redrawnAt = Date.now();
  }

  #line(text: string): void {
    if (this.#redrawn !== '' && this.#out.isTTY) this.#out.write('\n');
    this.#redrawn = '';
    this.#out.write(`${text}\n`);
  }

  #paint(code: string, text: string): string {
    return this.#colour ? `\x1b[${code}m${text}\x1b[0m` : text;
  }
}

/** Ten cells of which `fraction` is full. */
export function bar(fraction: number): string {
  const full = Math.round(Math.min(1, Math.max(0, fraction)) * 10);
  return '█'.repeat(full) + '░'.repeat(10 - full);
}
