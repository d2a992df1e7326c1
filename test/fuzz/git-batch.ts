/**
 * One git command for many files at once: a shell per core goes through its share, so that a case
 * costs one fork and one exec (3 ms). Everything lies in a directory in memory where there is one.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';

export const GIT_ENV = {
  PATH: process.env['PATH'] ?? '/usr/bin:/bin',
  HOME: '/nonexistent',
  LC_ALL: 'C',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_TERMINAL_PROMPT: '0',
};

const LANES = 4;

export class FuzzDirectory implements Disposable {
  readonly path = mkdtempSync(join(memoryDirectory(), 'mount-agent-fuzz-'));

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

function memoryDirectory(): string {
  try {
    accessSync('/dev/shm', constants.W_OK);
    return '/dev/shm';
  } catch {
    // No such place, or not for us: the disk will do.
    return tmpdir();
  }
}

/**
 * Runs `command` with `$1` set to each of the names, in `cwd`.
 * @returns the exit codes, in the order of the names.
 */
export async function exitCodes(
  cwd: string,
  command: string,
  names: readonly string[],
): Promise<number[]> {
  const shells = Math.min(availableParallelism(), names.length);
  const codes = new Map<string, number>();
  const share = async (first: number): Promise<void> => {
    const own = names.filter((_name, at) => at % shells === first);
    // A timeout of its own for each command would cost as much as the command.
    const script = `one() { ${command}; }; for name do (one "$name") </dev/null; echo "$name $?"; done`;
    const shell = spawn('sh', ['-c', script, 'sh', ...own], {
      cwd,
      env: GIT_ENV,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let output = '';
    shell.stdout.setEncoding('latin1').on('data', (text: string) => (output += text));
    await once(shell, 'close');
    for (const line of output.split('\n')) {
      const space = line.lastIndexOf(' ');
      if (space > 0) codes.set(line.slice(0, space), Number(line.slice(space + 1)));
    }
  };
  await Promise.all(Array.from({ length: shells }, (_, at) => share(at)));
  return names.map((name) => codes.get(name) ?? -1);
}

/** An empty bare repository below `directory`. */
export function makeRepository(directory: string): string {
  const path = join(directory, 'repository');
  execFileSync('git', ['init', '--quiet', '--bare', path], { env: GIT_ENV });
  return path;
}

/** `work` on each item, four at a time: our own side waits for the disk most of the time. */
export async function inLanes<T, R>(
  items: readonly T[],
  work: (item: T, at: number, lane: number) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  const lane = async (number: number): Promise<void> => {
    for (let at = next++; at < items.length; at = next++) {
      results[at] = await work(items[at]!, at, number);
    }
  };
  await Promise.all(Array.from({ length: LANES }, (_, number) => lane(number)));
  return results;
}
