/**
 * `warned` in the run directory: what was warned of, so that a daemon that starts again repeats
 * nothing and can still withdraw it. Its mtime is that of the period of rest that the threshold
 * belongs to. The owner of the directory can write it: what it says is checked, and never trusted.
 */
import { closeSync, constants, fstatSync, futimesSync, openSync } from 'node:fs';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';
import type { Owner } from '../host.ts';
import { removeFile, writeAnew } from './private-file.ts';

export type WarningReason = 'deadline' | 'token_refused';

/** A warning that was given and not yet withdrawn. */
export interface OpenWarning {
  readonly reason: WarningReason;
  readonly mountPaths: readonly string[];
}

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
/** Two mtimes are the same when they differ by less: utimes takes a float of seconds. */
const SAME_MS = 1;
/** Far more than ever stands there. */
const LONGEST_BYTES = 1_000_000;

export class WarningMemory {
  /** The least threshold that was warned of in this period of rest; Infinity: none. */
  thresholdMs = Infinity;
  /** Mounts whose refused token was warned of. */
  refused: ReadonlySet<string> = new Set();
  open: OpenWarning | null = null;
  readonly #path: string;
  readonly #owner: Owner | undefined;

  constructor(runDir: string, owner: Owner | undefined) {
    this.#path = join(runDir, 'warned');
    this.#owner = owner;
  }

  /** @param activityMs mtime of the activity file: another period of rest has no threshold yet. */
  load(activityMs: number | undefined): void {
    const found = this.#read();
    if (found === undefined) return;
    const { mtimeMs, content } = found;
    const { threshold_ms: thresholdMs, refused, open } = content;
    const isThisRest = activityMs !== undefined && Math.abs(mtimeMs - activityMs) <= SAME_MS;
    if (isThisRest && typeof thresholdMs === 'number') this.thresholdMs = thresholdMs;
    this.refused = new Set(stringsOf(refused));
    const mountPaths = stringsOf((open as { mount_paths?: unknown } | undefined)?.mount_paths);
    const reason = (open as { reason?: unknown } | undefined)?.reason;
    if (mountPaths.length > 0 && (reason === 'deadline' || reason === 'token_refused')) {
      this.open = { reason, mountPaths };
    }
  }

  /** @throws what the disk says. */
  save(activityMs: number): void {
    const { thresholdMs, refused, open } = this;
    if (thresholdMs === Infinity && refused.size === 0 && open === null) {
      removeFile(this.#path);
      return;
    }
    const content = {
      ...(thresholdMs === Infinity ? {} : { threshold_ms: thresholdMs }),
      ...(refused.size === 0 ? {} : { refused: [...refused] }),
      ...(open === null ? {} : { open: { reason: open.reason, mount_paths: open.mountPaths } }),
    };
    writeAnew(this.#path, this.#owner, (fd) => {
      writeFileSync(fd, `${JSON.stringify(content)}\n`);
      futimesSync(fd, activityMs / 1000, activityMs / 1000);
    });
  }

  #read(): { mtimeMs: number; content: Record<string, unknown> } | undefined {
    try {
      const fd = openSync(this.#path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
      try {
        const { mtimeMs, size } = fstatSync(fd);
        if (size > LONGEST_BYTES) return undefined;
        const content: unknown = JSON.parse(readFileSync(fd, 'utf8'));
        return typeof content === 'object' && content !== null
          ? { mtimeMs, content: content as Record<string, unknown> }
          : undefined;
      } finally {
        closeSync(fd);
      }
    } catch (error) {
      // Without a memory there is one warning too many, which is better than one too few.
      if (error instanceof SyntaxError || errnoOf(error) !== undefined) return undefined;
      throw error;
    }
  }
}

function stringsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}
