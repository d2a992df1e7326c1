/**
 * The header of an entry that the kernel has refused in; the PackError out that says why: it points to no
 * entry, or the pack is over a limit.
 */
import { PackError } from '../errors.ts';
import { OBJECT_TYPE, type EntryHeader } from './entry-header.ts';
import type { PackLimits } from './limits.ts';

export interface RefusedEntry {
  /** Parsed, so that it is well as far as it goes. */
  readonly header: EntryHeader;
  readonly offset: number;
  /** Its base's row, or negative. */
  readonly base: number;
  /** Of deltas, with this one. */
  readonly depth: number;
  /** What all entries before it inflate to. */
  readonly inflatedBytes: number;
}

export function refusalOf(entry: RefusedEntry, limits: PackLimits): PackError {
  const { header, offset, base, depth, inflatedBytes } = entry;
  const { type, size, baseDistance } = header;
  const { objectBytes, expandedBytes, chainDepth } = limits;
  if (type === OBJECT_TYPE.ofsDelta && base < 0) {
    const message = `entry at ${offset}: no entry begins at its delta base's offset ${offset - baseDistance}`;
    return new PackError('PACK_DELTA_OFFSET', message, { data: { offset } });
  }
  if (size > objectBytes) {
    return overLimit(`entry at ${offset} claims ${size} bytes`, offset, objectBytes);
  }
  if (inflatedBytes + size > expandedBytes) {
    return overLimit('the pack expands to more', offset, expandedBytes);
  }
  return overLimit(`entry at ${offset}: a chain of ${depth} deltas`, offset, chainDepth);
}

function overLimit(what: string, offset: number, limit: number): PackError {
  return new PackError('PACK_LIMIT', `${what}, the limit is ${limit}`, { data: { offset, limit } });
}
