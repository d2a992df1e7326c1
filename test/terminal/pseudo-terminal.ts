/**
 * The built program on a terminal of its own, by script(1), and what a person would see there: the
 * few control sequences that it sends are carried out on a grid of characters.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { eventually } from '../health/fixtures.ts';
import { PROGRAM } from '../end-to-end/session.ts';

export interface TerminalOptions {
  readonly columns: number;
  readonly rows: number;
  readonly env?: Readonly<Record<string, string>>;
}

export class PseudoTerminal implements AsyncDisposable {
  /** Every byte so far. */
  sent = '';
  readonly ended: Promise<number>;
  readonly #child: ChildProcess;

  /** @param command run by sh; it becomes the program by `exec`. */
  constructor(command: string, { columns, rows, env = {} }: TerminalOptions) {
    const line = `stty cols ${columns} rows ${rows}; printf 'at=%s %s=\\n' "$(tty)" $$; exec ${command}`;
    this.#child = spawn('script', ['-qec', line, '/dev/null'], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { PATH: process.env['PATH'] ?? '', TERM: 'xterm-256color', LANG: 'C.UTF-8', ...env },
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.sent += text));
    this.ended = once(this.#child, 'close').then(([code]) => code as number);
  }

  /** `mount-agent …` */
  static program(args: readonly string[], options: TerminalOptions): PseudoTerminal {
    return new PseudoTerminal([process.execPath, PROGRAM, ...args].join(' '), options);
  }

  type(text: string): void {
    this.#child.stdin?.write(text);
  }

  async signal(signal: NodeJS.Signals): Promise<void> {
    process.kill(Number((await this.#place())[2]), signal);
  }

  /** As when somebody pulls at the window. */
  async resize(columns: number, rows: number): Promise<void> {
    const path = (await this.#place())[1] ?? '';
    const stty = spawn('stty', ['-F', path, 'cols', String(columns), 'rows', String(rows)]);
    await once(stty, 'close');
  }

  async untilSeen(what: string | RegExp): Promise<void> {
    await eventually(() => new RegExp(what).test(this.screen.join('\n')), 25_000);
  }

  /** The lines as they stand, without blanks at their ends. */
  get screen(): string[] {
    return pictureOf(this.sent);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
  }

  #place(): Promise<RegExpExecArray> {
    return eventually(() => /at=(\S+) (\d+)=/.exec(this.sent) ?? false);
  }
}

// eslint-disable-next-line no-control-regex -- the sequences themselves
const SEQUENCE = /\x1b\[(\??)(\d*)([A-Za-z])|\r|\n|\x07|./gsu;

/** Only what the program sends; another sequence is an error of the test. */
export function pictureOf(sent: string): string[] {
  let lines: string[][] = [[]];
  let [row, column] = [0, 0];
  let saved: [string[][], number, number] = [lines, row, column];
  for (const [text, isPrivate, number, letter] of sent.matchAll(SEQUENCE)) {
    const line = (lines[row] ??= []);
    if (letter === undefined) {
      if (text === '\r') column = 0;
      else if (text === '\n') row++;
      else if (text !== '\x07') line[column++] = text;
    } else if (isPrivate === '?' && number === '1049') {
      if (letter === 'h') [saved, lines, row, column] = [[lines, row, column], [], 0, 0];
      else [lines, row, column] = saved;
    } else if (letter === 'H') [row, column] = [0, 0];
    else if (letter === 'K') line.length = Math.min(line.length, column);
    else if (letter === 'J') {
      line.length = Math.min(line.length, column);
      lines.length = row + 1;
    } else if (letter !== 'm' && isPrivate !== '?')
      throw new Error(`unknown: ${JSON.stringify(text)}`);
  }
  return Array.from(lines, (line) =>
    Array.from(line, (each) => each)
      .join('')
      .trimEnd(),
  );
}
