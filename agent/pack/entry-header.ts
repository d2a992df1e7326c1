/**
 * The bytes before an entry's zlib stream: type and size, and for deltas the base
 * (gitformat-pack, "The header is followed by number of object entries"). Whatever stands there is
 * a claim of the peer; sizes stay exact integers (below 2^53) or are refused.
 */
import { PackError } from '../errors.ts';

export const OBJECT_TYPE = {
  commit: 1,
  tree: 2,
  blob: 3,
  tag: 4,
  ofsDelta: 6,
  refDelta: 7,
} as const;

export type ObjectTypeName = 'commit' | 'tree' | 'blob' | 'tag';

/** By type number; holes are types that no object has. */
export const TYPE_NAMES: readonly (ObjectTypeName | undefined)[] = [
  undefined,
  'commit',
  'tree',
  'blob',
  'tag',
];

export const OID_BYTES = 20;

/** One header, reused from entry to entry: a pack has many. */
export class EntryHeader {
  type = 0;
  /** Inflated size of what follows: the object, or the delta. */
  size = 0;
  /** ofs-delta: how far before this entry its base begins. */
  baseDistance = 0;
  /** ref-delta: where the base's oid stands in the buffer that was parsed. */
  baseOidStart = 0;
  /** Bytes from the entry's first to its zlib stream. */
  length = 0;

  /**
   * Parses the header at buffer[start, end). Returns false when it goes on behind `end`.
   * `offset` is the entry's place in the pack. Throws PackError.
   */
  parse(buffer: Buffer, start: number, end: number, offset: number): boolean {
    let position = start;
    if (position >= end) return false;
    let byte = buffer[position++]!;
    this.type = (byte >> 4) & 7;
    let size = byte & 15;
    let scale = 16;
    while (byte & 0x80) {
      if (position >= end) return false;
      byte = buffer[position++]!;
      size += (byte & 0x7f) * scale;
      scale *= 128;
      if (size > Number.MAX_SAFE_INTEGER || scale > 2 ** 66) {
        throw new PackError('PACK_ENTRY_SIZE', `entry at ${offset}: size is 2^53 or more`, {
          data: { offset },
        });
      }
    }
    this.size = size;
    if (this.type === OBJECT_TYPE.ofsDelta)
      position = this.#parseDistance(buffer, position, end, offset);
    else if (this.type === OBJECT_TYPE.refDelta) {
      this.baseOidStart = position;
      position += OID_BYTES;
    } else if (TYPE_NAMES[this.type] === undefined) {
      throw new PackError(
        'PACK_ENTRY_TYPE',
        `entry at ${offset}: no object has type ${this.type}`,
        {
          data: { offset, type: this.type },
        },
      );
    }
    this.length = position - start;
    return position <= end;
  }

  /** The distance of an ofs-delta; the position behind `end` when it is cut off there. */
  #parseDistance(buffer: Buffer, start: number, end: number, offset: number): number {
    let position = start;
    if (position >= end) return end + 1;
    let byte = buffer[position++]!;
    let distance = byte & 0x7f;
    while (byte & 0x80) {
      if (position >= end) return end + 1;
      byte = buffer[position++]!;
      distance = (distance + 1) * 128 + (byte & 0x7f);
      if (distance > offset) break;
    }
    if (distance === 0 || distance > offset) {
      throw new PackError(
        'PACK_DELTA_OFFSET',
        `entry at ${offset}: its delta base is not before it`,
        {
          data: { offset },
        },
      );
    }
    this.baseDistance = distance;
    return position;
  }
}
