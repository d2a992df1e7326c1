/**
 * A command in; its exit code and output out, as from spawnSync. But the command is a child of one
 * small shell that lives as long as this process: a fork of a test's own process, with hundreds of
 * megabytes in it, costs four times what git itself needs for an answer.
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface ShellOutcome {
  /** As `$?` says it: 128 and the signal's number when a signal ended it. */
  readonly status: number;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
}

export interface ShellCommand {
  readonly cwd: string;
  readonly argv: readonly string[];
  /** Beside what the shell was started with; undefined takes one away. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

export class Shell {
  readonly #commands: number;
  readonly #replies: number;
  readonly #stdout: number;
  readonly #stderr: number;

  constructor(env: NodeJS.ProcessEnv) {
    const directory = mkdtempSync(join(tmpdir(), 'shell-'));
    const at = (name: string): string => join(directory, name);
    try {
      const { status } = spawnSync('mkfifo', [at('commands'), at('replies')]);
      if (status !== 0) throw new Error(`mkfifo in ${directory}: exit code ${String(status)}`);
      const commands = openPipe(at('commands'));
      const replies = openPipe(at('replies'));
      const outputs = ['stdout', 'stderr'].map((name) => openSync(at(name), 'a'));
      spawn('sh', [], {
        env,
        stdio: [commands.read, 'ignore', 'ignore', replies.write, ...outputs],
      }).unref();
      // The shell's alone: with this process its pipe ends, and with the pipe the shell.
      for (const fd of [commands.read, replies.write, ...outputs]) closeSync(fd);
      [this.#commands, this.#replies] = [commands.write, replies.read];
      [this.#stdout, this.#stderr] = [openSync(at('stdout'), 'r+'), openSync(at('stderr'), 'r+')];
    } finally {
      // Whoever has them open goes on using them.
      rmSync(directory, { recursive: true });
    }
  }

  run({ cwd, argv, env }: ShellCommand): ShellOutcome {
    const words = argv.map(quote).join(' ');
    const settings = Object.entries(env)
      .map(([name, value]) =>
        value === undefined ? `unset ${name}` : `export ${name}=${quote(value)}`,
      )
      .join(' && ');
    const steps = [`cd ${quote(cwd)}`, ...(settings === '' ? [] : [settings]), `exec ${words}`];
    writeAll(this.#commands, `( ${steps.join(' && ')} ) </dev/null >&4 2>&5; echo $? >&3\n`);
    const status = this.#readReply();
    return { status, stdout: takeAll(this.#stdout), stderr: takeAll(this.#stderr) };
  }

  #readReply(): number {
    const buffer = Buffer.alloc(16);
    for (let length = 0; ;) {
      const bytes = readSync(this.#replies, buffer, length, buffer.length - length, null);
      if (bytes === 0) throw new Error('the shell that runs the commands has ended');
      length += bytes;
      if (buffer[length - 1] === 0x0a) return Number(buffer.toString('latin1', 0, length - 1));
    }
  }
}

/** Each end is opened while the other one is there, and waits for bytes as a pipe's end should. */
function openPipe(path: string): { read: number; write: number } {
  const first = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const write = openSync(path, 'w');
  const read = openSync(path, 'r');
  closeSync(first);
  return { read, write };
}

function writeAll(fd: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
}

/** What a command appended; the next one begins at the start again. */
function takeAll(fd: number): Buffer {
  const content = Buffer.alloc(fstatSync(fd).size);
  for (let at = 0; at < content.length;) {
    const bytes = readSync(fd, content, at, content.length - at, at);
    if (bytes === 0) break;
    at += bytes;
  }
  if (content.length > 0) ftruncateSync(fd, 0);
  return content;
}

function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}
