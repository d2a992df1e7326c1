/**
 * The terminal that the command runs on, which belongs to the command. A line is written only while
 * it is in its usual (canonical) mode; to a program that draws the screen itself (an editor, an
 * agent's own interface) only the bell is rung. termios(3), as stty(1) shows it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { errnoOf } from '../errors.ts';
import { mask } from './text.ts';

export interface CommandTerminal {
  /** Its file descriptor in this process. */
  readonly fd: number;
  write(text: string): unknown;
}

const STTY_TIMEOUT_MS = 2_000;

/**
 * @param urgent whether it is worth the bell.
 * @returns false when nothing was written: the mode is unknown, or there is no place for it.
 */
export async function noticeOnTerminal(
  terminal: CommandTerminal,
  line: string,
  urgent: boolean,
): Promise<boolean> {
  const mode = await readMode(terminal.fd);
  if (mode === null || (mode === 'drawn' && !urgent)) return false;
  const bell = urgent ? '\x07' : '';
  // On a line of its own, also after a program's half line.
  terminal.write(mode === 'drawn' ? bell : `\r\n${bell}mount-agent: ${mask(line)}\r\n`);
  return true;
}

type Mode = 'lines' | 'drawn';

async function readMode(fd: number): Promise<Mode | null> {
  const settings = await readSettings(fd);
  if (settings === null) return null;
  // We may stand in the background of a shell with job control: then the write would stop us.
  if (settings.has('tostop')) return null;
  return settings.has('icanon') && settings.has('echo') ? 'lines' : 'drawn';
}

/** The names of what is on, or null where there is no stty, or no terminal any more. */
async function readSettings(fd: number): Promise<ReadonlySet<string> | null> {
  const stty = spawn('stty', ['-a'], {
    stdio: [fd, 'pipe', 'ignore'],
    timeout: STTY_TIMEOUT_MS,
  });
  let text = '';
  stty.stdout?.setEncoding('utf8').on('data', (part: string) => (text += part));
  try {
    const [code] = (await once(stty, 'close')) as [number | null];
    return code === 0 ? new Set(text.split(/[\s;]+/)) : null;
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return null;
  }
}
