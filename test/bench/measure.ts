/**
 * One program run to its end: wall time, CPU of its whole process tree (the shell's `times`, which
 * counts every child that was waited for, in steps of 10 ms), and, where asked, the peak memory of
 * the tree: the sum of PSS (proc_pid_smaps_rollup), sampled. Sampling takes locks of the process
 * that is measured, so time and memory are taken in different runs.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import type { Readable } from 'node:stream';

export interface Program {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface Measured {
  readonly wallMs: number;
  readonly cpuMs: number;
  /** null in a run that measures time. */
  readonly peakBytes: number | null;
  readonly samples: number;
}

const SAMPLE_EVERY_MS = 20;

/** @throws when the program ends with anything but 0, with the end of what it said. */
export async function measure(program: Program, kind: 'time' | 'memory'): Promise<Measured> {
  // As many open files as may be: isomorphic-git opens all files of a checkout at once.
  const script = 'ulimit -n "$(ulimit -Hn)"; "$@"; code=$?; times >&3; exit $code';
  const begin = performance.now();
  const child = spawn('/bin/sh', ['-c', script, 'sh', ...program.argv], {
    cwd: program.cwd,
    env: program.env,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  const output = Promise.all([
    text(child.stdout!),
    text(child.stderr!),
    text(child.stdio[3] as Readable),
  ]);
  const sampler = kind === 'memory' ? new MemorySampler(child.pid!) : null;
  const [code] = (await once(child, 'exit')) as [number | null];
  const wallMs = performance.now() - begin;
  sampler?.stop();
  const [stdout, stderr, times] = await output;
  if (code !== 0) {
    const said = `${stdout}\n${stderr}`.trim();
    // A JavaScript error names itself in one line; other programs end with theirs.
    const line = /^\s*\w*Error: .*$/m.exec(said)?.[0].trim() ?? said.slice(-500);
    throw new Error(`ended with ${code}: ${line}`);
  }
  return {
    wallMs,
    cpuMs: cpuOf(times),
    peakBytes: sampler?.peakBytes ?? null,
    samples: sampler?.samples ?? 0,
  };
}

/** The second line of `times`: user and system time of all children. */
function cpuOf(times: string): number {
  const children = times.trim().split('\n')[1] ?? '';
  const parts = [...children.matchAll(/(\d+)m([\d.]+)s/g)];
  return parts.reduce((sum, [, minutes, seconds]) => {
    return sum + (Number(minutes) * 60 + Number(seconds)) * 1000;
  }, 0);
}

class MemorySampler {
  peakBytes = 0;
  samples = 0;
  readonly #rootPid: number;
  readonly #timer: NodeJS.Timeout;

  constructor(rootPid: number) {
    this.#rootPid = rootPid;
    this.#timer = setInterval(() => {
      this.#sample();
    }, SAMPLE_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** The shell itself is left out: it is the measurement's, not the program's. */
  #sample(): void {
    let bytes = 0;
    for (const pid of descendantsOf(this.#rootPid)) bytes += pssOf(pid);
    this.samples += 1;
    this.peakBytes = Math.max(this.peakBytes, bytes);
  }
}

function descendantsOf(pid: number): number[] {
  const found: number[] = [];
  for (const task of listed(`/proc/${pid}/task`)) {
    const children = content(`/proc/${pid}/task/${task}/children`).split(' ').filter(Boolean);
    for (const child of children.map(Number)) found.push(child, ...descendantsOf(child));
  }
  return found;
}

function pssOf(pid: number): number {
  const match = /^Pss:\s+(\d+) kB/m.exec(content(`/proc/${pid}/smaps_rollup`));
  return match === null ? 0 : Number(match[1]) * 1024;
}

/** A process may end between two reads; it then counts as nothing. */
function content(path: string): string {
  return unlessGone(() => readFileSync(path, 'utf8')) ?? '';
}

function listed(path: string): string[] {
  return unlessGone(() => readdirSync(path)) ?? [];
}

function unlessGone<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ESRCH') return null;
    throw error;
  }
}
