/**
 * Keeps `status.json` in the run directory equal to `/status`. In: changes of the table; out: whole
 * files of mode 0600, by rename, at most one per interval; the last change always reaches the disk.
 * A failed write is logged (RUN_DIR_UNUSABLE) and tried again with the next change: the daemon does
 * not depend on it.
 */
import { constants } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { AgentError, errnoOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { StatusTable } from '../status.ts';
import type { Redact } from './answer.ts';
import type { Owner } from './control-server.ts';

export interface StatusFileContext {
  readonly runDir: string;
  readonly status: StatusTable;
  readonly redact: Redact;
  readonly log: Log;
  readonly owner?: Owner | undefined;
  readonly intervalMs?: number;
}

const INTERVAL_MS = 500;
const REMEDY =
  'Make --run-dir writable for the user that runs mount-agent, with room on its disk; mind that /status is right meanwhile.';

export class StatusFile {
  readonly #context: StatusFileContext;
  readonly #path: string;
  readonly #unsubscribe: () => void;
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> = Promise.resolve();
  #written = '';
  #failing = false;

  /** Writes the first state before it returns. */
  static async open(context: StatusFileContext): Promise<StatusFile> {
    const file = new StatusFile(context);
    await file.#write();
    return file;
  }

  private constructor(context: StatusFileContext) {
    this.#context = context;
    this.#path = join(context.runDir, 'status.json');
    this.#unsubscribe = context.status.subscribe(() => {
      this.#schedule();
    });
  }

  /** Writes the last state. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#unsubscribe();
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#write();
  }

  /** The timer runs from the first unwritten change on: none waits longer than the interval. */
  #schedule(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      void this.#write();
    }, this.#context.intervalMs ?? INTERVAL_MS);
  }

  #write(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#writeNow());
    return this.#writing;
  }

  async #writeNow(): Promise<void> {
    const { status, redact, log } = this.#context;
    const text = `${redact(JSON.stringify(status.snapshot()))}\n`;
    if (text === this.#written) return;
    try {
      await this.#replace(text);
      this.#written = text;
      this.#failing = false;
    } catch (error) {
      const err = this.#unusable(error);
      // Once per series of failures: a full disk must not fill the log as well.
      if (!this.#failing) log.warn({ err, path: this.#path }, 'status.json not written');
      this.#failing = true;
    }
  }

  #unusable(error: unknown): unknown {
    const errno = errnoOf(error);
    if (errno === undefined) return error;
    const path = this.#path;
    const options = { cause: error, data: { path, errno }, remedy: REMEDY };
    return new AgentError('RUN_DIR_UNUSABLE', `cannot write ${path}: ${errno}`, options);
  }

  /** No fsync: after a crash of the machine there is no daemon whose status it could be. */
  async #replace(text: string): Promise<void> {
    const aside = `${this.#path}.new`;
    // The owner can write here and root may run this: nothing that was planted is followed.
    await rm(aside, { force: true });
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    const handle = await open(aside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    try {
      await handle.writeFile(text);
      const { owner } = this.#context;
      if (owner !== undefined) await handle.chown(owner.uid, owner.gid);
    } finally {
      await handle.close();
    }
    await rename(aside, this.#path);
  }
}
