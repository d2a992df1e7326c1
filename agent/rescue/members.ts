/**
 * A rescue file in; its members one after the other out, as plain files of the archive: whatever else a
 * tar can hold (links, devices, directories) is no member of a rescue. Memory: a piece of one member.
 */
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { AgentError, errnoOf } from '../errors.ts';
import { collectYoung } from '../garbage.ts';

/** Twice as many as the largest manifest can name. */
const MEMBER_LIMIT = 2 ** 20;
/** Without, a restore of 80 MB took up to 100 MB more than one of a small file, on Node 24. */
const COLLECT_EACH_BYTES = 4 * 2 ** 20;
/** zlib has codes as well: Z_DATA_ERROR. */
const SYSTEM_ERRNO = /^E[A-Z]+$/;

export interface Member {
  readonly name: string;
  /** Has to be read to its end, or to be skipped. */
  readonly content: AsyncIterable<Buffer>;
  readonly skip: () => void;
}

/**
 * @param take called for each member in turn; what it throws ends the reading.
 * @throws RESCUE_INVALID for what is no such archive; the signal's reason.
 */
export async function readMembers(
  file: string,
  signal: AbortSignal,
  take: (member: Member) => Promise<void>,
): Promise<void> {
  const entries = extract();
  const source = createReadStream(file);
  const inflated = createGunzip();
  inflated.on('data', collectorEach(COLLECT_EACH_BYTES));
  // A stream of streamx, which pipeline() takes and whose types are not Node's.
  const feeding = pipeline(source, inflated, entries as unknown as NodeJS.WritableStream, {
    signal,
  });
  // A failure ends the loop as well, and is told by it.
  feeding.catch(() => undefined);
  let count = 0;
  try {
    for await (const entry of entries) {
      const { name, type } = entry.header;
      if (++count > MEMBER_LIMIT) throw invalid(file, `more than ${MEMBER_LIMIT} members`);
      if (isForAll(entries)) throw invalid(file, 'a pax header speaks for all of its members');
      if (type !== 'file') throw invalid(file, `${JSON.stringify(name)} is a ${type}`);
      await take({
        name,
        content: entry as AsyncIterable<Buffer>,
        skip: () => void entry.resume(),
      });
    }
    await feeding;
  } catch (error) {
    signal.throwIfAborted();
    throw asRescueError(error, file);
  } finally {
    source.destroy();
  }
}

function collectorEach(bytes: number): (piece: Buffer) => void {
  let passed = 0;
  return ({ length }) => {
    passed += length;
    if (passed < bytes) return;
    passed = 0;
    collectYoung();
  };
}

/** tar-stream passes over such a header, tar(1) does not: the two would unpack different files. */
function isForAll(entries: unknown): boolean {
  return (entries as { readonly _paxGlobal: unknown })._paxGlobal !== null;
}

function asRescueError(error: unknown, file: string): unknown {
  if (error instanceof AgentError) return error;
  const errno = errnoOf(error);
  if (errno !== undefined && SYSTEM_ERRNO.test(errno)) {
    const isFile = error instanceof Error && 'path' in error && error.path === file;
    return isFile ? invalid(file, `it cannot be read: ${errno}`, error) : error;
  }
  if (!(error instanceof Error) || isDefect(error)) return error;
  return invalid(file, error.message, error);
}

/** For what is wrong with the bytes tar-stream throws plain errors, and zlib its own codes. */
function isDefect(error: Error): boolean {
  if (error instanceof TypeError || error instanceof RangeError) return true;
  const code = errnoOf(error);
  return code !== undefined && !/^Z_|^ERR_STREAM_PREMATURE_CLOSE$/.test(code);
}

function invalid(file: string, why: string, cause?: unknown): AgentError {
  return new AgentError('RESCUE_INVALID', `${file} is no whole rescue: ${why}`, { cause });
}
