/** Looks at a process and its descendants again and again: which there were, and their peak memory. */
import { readFileSync } from 'node:fs';

const INTERVAL_MS = 25;

export class ProcessWatch {
  /** Every process seen: its number and when it was started. */
  readonly seen = new Map<number, string>();
  /** The largest VmHWM of a descendant. */
  largestBytes = 0;
  readonly #root: number;
  readonly #timer: NodeJS.Timeout;

  constructor(root: number) {
    this.#root = root;
    this.#timer = setInterval(() => {
      this.#look();
    }, INTERVAL_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Those of the processes seen that still run. */
  living(): number[] {
    return [...this.seen]
      .filter(([pid, started]) => statOf(pid)?.started === started)
      .map(([pid]) => pid);
  }

  #look(): void {
    const tree = new Set([this.#root]);
    for (const pid of tree) {
      const stat = statOf(pid);
      if (stat === null) continue;
      this.seen.set(pid, stat.started);
      if (pid !== this.#root) this.largestBytes = Math.max(this.largestBytes, peakOf(pid));
      const children = textOf(`/proc/${pid}/task/${pid}/children`);
      for (const child of children.split(' ').filter((each) => each !== ''))
        tree.add(Number(child));
    }
  }
}

/** pid (name) state …; the name may hold anything. null for a zombie, and for none. */
function statOf(pid: number): { readonly started: string } | null {
  const stat = textOf(`/proc/${pid}/stat`);
  const [state, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // 22nd of all: starttime.
  const started = rest[18];
  return started === undefined || state === 'Z' ? null : { started };
}

function peakOf(pid: number): number {
  const [, kilobytes = '0'] = /^VmHWM:\s+(\d+)/m.exec(textOf(`/proc/${pid}/status`)) ?? [];
  return Number(kilobytes) * 1024;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // The process has ended between two looks.
    return '';
  }
}
