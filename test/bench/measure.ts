/**
 * One program run to its end: wall time, CPU of its whole process tree (the shell's `times`, which
 * counts every child that was waited for, in steps of 10 ms), and, where asked, the peak memory of
 * the tree: the sum of PSS (proc_pid_smaps_rollup), sampled. Sampling takes locks of the process
 * that is measured, so time and memory are taken in different runs.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import { MemorySampler } from './process-memory.ts';

export interface Program {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

export interface Measured {
  readonly wallMs: number;
  /** Milliseconds since the epoch. */
  readonly endedAtMs: number;
  readonly cpuMs: number;
  /** null in a run that measures time. */
  readonly peakBytes: number | null;
  readonly samples: number;
}

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
  const endedAtMs = Date.now();
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
    endedAtMs,
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
