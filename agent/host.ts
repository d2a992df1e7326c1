/**
 * The process as the steps see it: handed in by main.ts, so that nothing else touches process.*.
 */
import type { Readable } from 'node:stream';

export type Environment = Readonly<Record<string, string | undefined>>;

/** A stream that people read: a terminal, a pipe, or a file. */
export interface Output {
  readonly isTTY?: boolean;
  /** Of a terminal; it changes with its window. */
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

/** A user and group of the system, by number. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface Host {
  readonly env: Environment;
  readonly stdin: Readable;
  readonly stdinIsTerminal?: boolean;
  readonly stdout: Output;
  readonly stderr: Output;
  /** `v20.19.0` */
  readonly nodeVersion: string;
  readonly pid: number;
  readonly uid: number;
  /** Who shall own the clones and the files in the run directory; null: the process's own user. */
  readonly owner: Owner | null;
  /** Hears every signal that the process gets from now on. @returns a function that ends that. */
  onSignal(listener: (signal: NodeJS.Signals) => void): () => void;
  /**
   * Hears what nobody caught; without a listener it ends the process.
   * @param listener whether the process has to end: it then does, soon, whatever still hangs.
   * @returns a function that ends that.
   */
  onDefect(listener: (error: unknown) => boolean): () => void;
}
