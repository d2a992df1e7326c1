/**
 * The manifest's path in, its bytes out: waits for the file to appear and to be whole, because the
 * orchestrator may drop it after the start and write it in place. Invariant: no more than the
 * limit is held, and only a regular file is read, never a FIFO that could block the process.
 */
import { constants, watch } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { ManifestError, errnoOf } from '../errors.ts';
import { reasonOf, sleep } from '../lifetime.ts';
import { isJson } from './json-text.ts';
import { manifestTooLarge } from './parse-manifest.ts';
import { MANIFEST_LIMIT_BYTES } from './schema.ts';

export interface ReadManifestContext {
  /** How long the file may take to appear and to become whole; 0 reads what is there now. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Read to its end when the path is `-`. */
  readonly stdin?: Readable;
  /** Called once, when there is something to wait for. */
  readonly onWaiting?: () => void;
  /** Called with the version of a file that was read whole; see versionOf(). */
  readonly onRead?: (version: string) => void;
}

/** Text that is no JSON is taken for half-written until it has stood still for so long. */
const SETTLE_MS = 1000;
/** How often to look where the directory can be watched (events may be lost) and where not. */
const WATCHED_POLL_MS = 1000;
const BLIND_POLL_MS = 200;
/** A writer's burst of events is answered by one look. */
const LEAST_WAIT_MS = 50;

/** @throws ManifestError MANIFEST_MISSING, MANIFEST_UNREADABLE, MANIFEST_TOO_LARGE. */
export async function readManifest(path: string, context: ReadManifestContext): Promise<Buffer> {
  return path === '-' ? readStandardInput(context) : readFileWhenWhole(resolve(path), context);
}

async function readFileWhenWhole(path: string, context: ReadManifestContext): Promise<Buffer> {
  const { signal, timeoutMs } = context;
  const deadline = performance.now() + timeoutMs;
  using changes = new DirectoryChanges(dirname(path));
  let onWaiting = context.onWaiting;
  let seen = null as Snapshot | null;
  let seenSince = performance.now();
  for (let looks = 1; ; looks++) {
    signal.throwIfAborted();
    // To watch takes a start 5 ms, and mostly the manifest is there.
    if (looks > 1) changes.open();
    const snapshot = await readSnapshot(path);
    const now = performance.now();
    if (snapshot?.version !== seen?.version) seenSince = now;
    seen = snapshot;
    if (snapshot !== null && isJson(snapshot.bytes.toString())) {
      context.onRead?.(snapshot.version);
      return snapshot.bytes;
    }
    if (looks === 1) continue;
    const settled = snapshot !== null && snapshot.bytes.length > 0 && now - seenSince >= SETTLE_MS;
    if (settled || now >= deadline) break;
    onWaiting?.();
    onWaiting = undefined;
    await changes.next(Math.min(deadline - now, SETTLE_MS), signal);
  }
  // What never became whole is handed on: the parser says what is wrong with it.
  if (seen !== null) return seen.bytes;
  throw missing(`expected a manifest at ${path}, got no whole one within ${timeoutMs / 1000} s`);
}

interface Snapshot {
  readonly bytes: Buffer;
  /** Differs when the file was replaced or written to. */
  readonly version: string;
}

/** The file as it stands, or null while it is absent or changes under the reader. */
async function readSnapshot(path: string): Promise<Snapshot | null> {
  await using file = await openRegular(path);
  if (file === null) return null;
  try {
    const before = await file.stat({ bigint: true });
    if (!before.isFile()) throw unreadable(`expected a file at ${path}, got ${kindOf(before)}`);
    if (before.size > MANIFEST_LIMIT_BYTES) throw manifestTooLarge(Number(before.size));
    const bytes = Buffer.alloc(Number(before.size) + 1);
    let length = 0;
    while (length < bytes.length) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    const version = versionOf(before);
    const changed = versionOf(await file.stat({ bigint: true })) !== version;
    return changed ? null : { bytes: bytes.subarray(0, length), version };
  } catch (error) {
    throw asUnreadable(error, path);
  }
}

async function openRegular(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw asUnreadable(error, path);
  }
}

/** Differs between two files, and between two states of one that was written to. */
export function versionOf({ ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [ino, size, mtimeNs, ctimeNs].join(' ');
}

function kindOf(stats: BigIntStats): string {
  if (stats.isDirectory()) return 'a directory';
  return stats.isFIFO() ? 'a pipe (use "-" for standard input)' : 'a device or socket';
}

async function readStandardInput(context: ReadManifestContext): Promise<Buffer> {
  const { stdin, signal, timeoutMs, onWaiting } = context;
  if (stdin === undefined) throw missing('expected a manifest on standard input, got none');
  onWaiting?.();
  const timeout = AbortSignal.timeout(timeoutMs);
  const chunks: Buffer[] = [];
  let length = 0;
  const stop = AbortSignal.any([signal, timeout]);
  // Destroying the stream ends the loop below whatever the other side does.
  const onStop = (): void => void stdin.destroy(reasonOf(stop));
  stop.addEventListener('abort', onStop);
  try {
    stop.throwIfAborted();
    for await (const chunk of stdin) {
      const bytes = Buffer.from(chunk as Buffer | string);
      length += bytes.length;
      if (length > MANIFEST_LIMIT_BYTES) throw manifestTooLarge(length);
      chunks.push(bytes);
    }
    return Buffer.concat(chunks);
  } catch (error) {
    if (error instanceof ManifestError || signal.aborted) throw error;
    if (!timeout.aborted) throw asUnreadable(error, 'standard input');
    throw missing(`expected standard input to end within ${timeoutMs / 1000} s`);
  } finally {
    stop.removeEventListener('abort', onStop);
  }
}

/** Wakes up when something happens in a directory, or after a while where nothing can be told. */
class DirectoryChanges {
  readonly #directory: string;
  #watcher: ReturnType<typeof watch> | null = null;
  #changed = false;
  #wake: (() => void) | null = null;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Watches from now on, where that is possible: called before each look, so no change is lost. */
  open(): void {
    this.#changed = false;
    if (this.#watcher !== null) return;
    try {
      this.#watcher = watch(this.#directory, () => {
        this.#changed = true;
        this.#wake?.();
      });
      this.#watcher.on('error', () => {
        this[Symbol.dispose]();
      });
    } catch (error) {
      // The directory is not there yet, or the system has no watches left: polling goes on.
      if (errnoOf(error) === undefined) throw error;
    }
  }

  /** @throws the signal's reason. */
  async next(limitMs: number, signal: AbortSignal): Promise<void> {
    await sleep(LEAST_WAIT_MS, signal);
    if (this.#changed) return;
    const pollMs = this.#watcher === null ? BLIND_POLL_MS : WATCHED_POLL_MS;
    const woken = new AbortController();
    this.#wake = () => {
      woken.abort();
    };
    await sleep(Math.min(pollMs, limitMs), AbortSignal.any([signal, woken.signal])).catch(
      (error: unknown) => {
        if (!woken.signal.aborted || signal.aborted) throw error;
      },
    );
    this.#wake = null;
  }

  [Symbol.dispose](): void {
    this.#watcher?.close();
    this.#watcher = null;
  }
}

function missing(message: string): ManifestError {
  return new ManifestError('MANIFEST_MISSING', message);
}

function unreadable(message: string, cause?: unknown): ManifestError {
  return new ManifestError('MANIFEST_UNREADABLE', message, { cause });
}

function asUnreadable(error: unknown, path: string): unknown {
  const errno = errnoOf(error);
  if (error instanceof ManifestError || errno === undefined) return error;
  return unreadable(`cannot read the manifest at ${path}: ${errno}`, error);
}
