/**
 * What happens to the command when the daemon's process dies and can do nothing about it itself
 * (SIGKILL, out of memory): a small shell that outlives it reads from a pipe whose other end the daemon
 * holds. A word in it means that all is well; its end without a word, that the daemon is dead. Then it
 * says so, as a line of the log, and ends the command's process group, or leaves it alone.
 */
import { spawn } from 'node:child_process';
import type { Log } from '../log.ts';

export type OnCrash = 'end' | 'go-on';

export interface DeathWatchContext {
  readonly pid: number;
  readonly leadsGroup: boolean;
  readonly onCrash: OnCrash;
  /** From SIGTERM to SIGKILL. */
  readonly graceMs: number;
  readonly log: Log;
}

export const DIED: Readonly<Record<OnCrash, string>> = {
  end: 'the daemon died: its command is ended',
  'go-on':
    'the daemon died: its command goes on, with the tokens of now, and nobody warns of work at risk',
};

/** $1: a process, or with a minus a group. $2: seconds of grace. $3: what to say. $4: what to do. */
const SCRIPT = `
trap '' HUP INT QUIT TERM
read -r word && exit 0
printf '{"level":"fatal","time":"%s","msg":"%s"}\\n' "$(date -u +%Y-%m-%dT%H:%M:%S.000Z)" "$3" >&3
[ "$4" = end ] || exit 0
kill -s TERM -- "$1"
while [ "$2" -gt 0 ] && kill -s 0 -- "$1"; do
  sleep 1
  set -- "$1" "$(($2 - 1))"
done
kill -s KILL -- "$1"`;

export class DeathWatch implements Disposable {
  readonly #allIsWell: () => void;

  constructor({ pid, leadsGroup, onCrash, graceMs, log }: DeathWatchContext) {
    const target = String(leadsGroup ? -pid : pid);
    const seconds = String(Math.ceil(graceMs / 1000));
    const args = ['-c', SCRIPT, 'sh', target, seconds, DIED[onCrash], onCrash];
    // Out of our group: what ends us must not end it. Complaints of kill go nowhere.
    const shell = spawn('/bin/sh', args, {
      stdio: ['pipe', 'ignore', 'ignore', 2],
      env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
      detached: true,
    });
    shell.on('error', (error) => {
      log.warn({ err: error }, 'nobody watches over the daemon');
    });
    const { stdin } = shell;
    // It has ended before us.
    stdin?.on('error', () => undefined);
    this.#allIsWell = () => {
      stdin?.end('well\n');
    };
    shell.unref();
  }

  /** The command has ended, or ends under our own eyes. */
  [Symbol.dispose](): void {
    this.#allIsWell();
  }
}
