/**
 * Members in; a `.tar.gz` out that is there whole or not at all: written beside its name, synced,
 * renamed. Each member's size and SHA-256 are noted as its bytes go by. Invariant: whatever ends the
 * writing early leaves no file under the name, and takes the temporary away if it can.
 */
import { createHash } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { pack } from 'tar-stream';
import type { Pack } from 'tar-stream';
import { AgentError, errnoOf } from '../errors.ts';
import { SpaceGuard, requireSpace } from '../pack/disk-space.ts';
import { draftName } from './drafts.ts';
import type { MemberRecord } from './format.ts';

/**
 * Compressed once, at the speed of the disk; a higher level takes thrice the time for a tenth. In small
 * pieces: V8 frees them when many objects were made, and of 256 KiB each, Node 24 lets 45 MB pile up.
 */
const GZIP = { level: 1, chunkSize: 32 * 1024 };
const PRIVATE = 0o600;
/** A full file system says so before the archive is begun. */
const LEAST_FREE_BYTES = 2 ** 20;

interface Entry {
  readonly stream: NodeJS.WritableStream;
  readonly ended: Promise<void>;
}

const NOTHING = Buffer.alloc(0);

export type MemberFacts = Omit<MemberRecord, 'size' | 'sha256'>;

export interface ArchiveContext {
  readonly directory: string;
  readonly name: string;
  readonly signal: AbortSignal;
}

export class Archive implements AsyncDisposable {
  readonly members: MemberRecord[] = [];
  /** Hears of every piece that goes in. */
  onBytes: (bytes: number) => void = () => undefined;
  readonly #context: ArchiveContext;
  readonly #temporary: string;
  readonly #file: FileHandle;
  readonly #space: SpaceGuard;
  readonly #pack: Pack = pack();
  readonly #written: Promise<void>;
  #failure: { readonly error: unknown } | undefined;
  #stopWaiting: ((error: unknown) => void) | undefined;
  #bytes = 0;
  #isDone = false;

  private constructor(context: ArchiveContext, temporary: string, file: FileHandle) {
    this.#context = context;
    this.#temporary = temporary;
    this.#file = file;
    this.#space = new SpaceGuard(context.directory);
    const { signal } = context;
    const write = async (chunks: AsyncIterable<Buffer>): Promise<void> => {
      for await (const chunk of chunks) {
        try {
          await file.writeFile(chunk);
        } catch (error) {
          // The streams before it only know that they were stopped.
          this.#failure = { error };
          throw error;
        }
      }
    };
    this.#written = pipeline(this.#pack, createGzip(GZIP), write, { signal });
    this.#written.catch((error: unknown) => {
      this.#failure ??= { error };
      this.#stopWaiting?.(this.#failure.error);
    });
  }

  /** Throws RESCUE_WRITE_FAILED. */
  static async create(context: ArchiveContext): Promise<Archive> {
    const { directory, name } = context;
    const temporary = join(directory, draftName(name));
    try {
      await requireSpace(directory, LEAST_FREE_BYTES, 1);
      return new Archive(context, temporary, await open(temporary, 'wx', PRIVATE));
    } catch (error) {
      throw asWriteError(error, directory);
    }
  }

  /** @param mtimeSec shown by tar; nothing depends on it. */
  async add(facts: MemberFacts, content: Buffer, mtimeSec = 0): Promise<void> {
    await this.addStream(facts, content.length, [content], mtimeSec);
  }

  /** Throws what `pieces` throws; `size` bytes have to come. */
  async addStream(
    facts: MemberFacts,
    size: number,
    pieces: AsyncIterable<Buffer> | Iterable<Buffer>,
    mtimeSec = 0,
  ): Promise<void> {
    const hash = createHash('sha256');
    const entry = this.#begin({
      name: facts.name,
      size,
      // Whoever unpacks it must be able to read and remove it.
      mode: Number.parseInt(facts.mode ?? '644', 8) | 0o600,
      mtime: new Date(mtimeSec * 1000),
    });
    for await (const piece of pieces) {
      hash.update(piece);
      await this.#put(entry, piece);
    }
    await this.#end(entry);
    this.members.push({ ...facts, size, sha256: hash.digest('hex') });
  }

  /** Adds the last member, which is not among `members`, and puts the file in place. */
  async finish(
    manifestName: string,
    manifest: Buffer,
  ): Promise<{ file: string; sizeBytes: number }> {
    const { directory, name } = this.#context;
    try {
      const entry = this.#begin({ name: manifestName, size: manifest.length, mode: 0o644 });
      await this.#put(entry, manifest);
      await this.#end(entry);
      this.#pack.finalize();
      await this.#written;
      await this.#file.sync();
      const { size: sizeBytes } = await this.#file.stat();
      const file = join(directory, name);
      await rename(this.#temporary, file);
      this.#isDone = true;
      await syncDirectory(directory);
      return { file, sizeBytes };
    } catch (error) {
      throw this.#asError(error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#pack.destroy();
    await this.#written.catch(() => undefined);
    await this.#file.close();
    if (!this.#isDone) await rm(this.#temporary, { force: true });
  }

  #begin(header: Parameters<Pack['entry']>[0]): Entry {
    let finish: () => void = () => undefined;
    const ended = new Promise<void>((resolve) => (finish = resolve));
    // Its failure is that of the whole, which is awaited.
    const stream = this.#pack.entry(header, () => {
      finish();
    });
    stream.on('error', () => undefined);
    return { stream, ended };
  }

  async #put({ stream }: Entry, piece: Buffer): Promise<void> {
    this.#context.signal.throwIfAborted();
    this.#bytes += piece.length;
    this.onBytes(piece.length);
    try {
      if (this.#space.isDue(this.#bytes)) await this.#space.check(this.#bytes);
      if (!stream.write(piece)) {
        await this.#until((resolve) => stream.once('drain', resolve));
      }
    } catch (error) {
      throw this.#asError(error);
    }
  }

  /** Waits, so that members do not queue up in memory. */
  async #end({ stream, ended }: Entry): Promise<void> {
    try {
      stream.end(NOTHING);
      await this.#until((resolve) => void ended.then(resolve));
    } catch (error) {
      throw this.#asError(error);
    }
  }

  /** What happens never if the writing has failed: then this rejects. */
  #until(happens: (resolve: () => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) throw this.#failure.error;
      this.#stopWaiting = reject;
      happens(resolve);
    });
  }

  #asError(error: unknown): unknown {
    const { signal, directory } = this.#context;
    if (signal.aborted) return signal.reason;
    return asWriteError(this.#failure?.error ?? error, directory);
  }
}

/** What the disk said of the directory that is written to, as one error. */
export function asWriteError(error: unknown, directory: string): unknown {
  if (error instanceof AgentError && error.code === 'MOUNT_NO_SPACE') {
    // It speaks of the mount's disk, and this may be another one.
    return new AgentError('RESCUE_WRITE_FAILED', error.message, { cause: error });
  }
  const errno = errnoOf(error);
  if (error instanceof AgentError || errno === undefined || errno.startsWith('ERR_')) return error;
  return new AgentError(
    'RESCUE_WRITE_FAILED',
    `no rescue could be written to ${directory}: ${errno}`,
    {
      cause: error,
      data: { errno },
    },
  );
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
