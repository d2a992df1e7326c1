/**
 * A process in, the memory of its whole tree out: the sum of PSS (proc_pid_smaps_rollup), which counts
 * what several share once. The peak is sampled.
 */
import { readFileSync, readdirSync } from 'node:fs';

const SAMPLE_EVERY_MS = 20;

/** Of all descendants of `rootPid`; itself is left out: it is the measurement's shell. */
export class MemorySampler {
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

  #sample(): void {
    const bytes = descendantsOf(this.#rootPid).reduce((sum, pid) => sum + pssOf(pid), 0);
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

/** Of the process and all its descendants, now. */
export function pssOfTree(pid: number): number {
  return [pid, ...descendantsOf(pid)].reduce((sum, each) => sum + pssOf(each), 0);
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
