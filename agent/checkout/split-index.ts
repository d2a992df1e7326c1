/**
 * The "link" extension: an index that holds only its differences from a shared one. The shared
 * index's entries and the differences come in, the whole index goes out, in order.
 * gitformat-index, "Split index"; bitmaps in EWAH form (javaewah), as git's ewah/ewah_io.c has them.
 */
import { CheckoutError } from '../errors.ts';
import { OID_BYTES } from './index-entry.ts';
import type { IndexEntry } from './index-entry.ts';

export interface IndexLink {
  /** null when the index is marked as split but has no shared part yet. */
  readonly sharedOid: string | null;
  /** Bitmaps over the shared index's positions. */
  readonly deleted: Buffer;
  readonly replaced: Buffer;
}

const NULL_OID = '0'.repeat(2 * OID_BYTES);
const EWAH_HEADER_BYTES = 8;
const EWAH_TRAILER_BYTES = 4;
const WORD_BYTES = 8;
const WORD_BITS = 64;

export function parseLink(bytes: Buffer): IndexLink {
  if (bytes.length < OID_BYTES) throw corrupt('shorter than an oid');
  const oid = bytes.toString('hex', 0, OID_BYTES);
  const deletedEnd = bitmapEnd(bytes, OID_BYTES);
  const replacedEnd = bitmapEnd(bytes, deletedEnd);
  if (replacedEnd !== bytes.length) throw corrupt(`ends at ${replacedEnd} of ${bytes.length}`);
  return {
    sharedOid: oid === NULL_OID ? null : oid,
    deleted: bytes.subarray(OID_BYTES, deletedEnd),
    replaced: bytes.subarray(deletedEnd, replacedEnd),
  };
}

/** @returns where the bitmap at `start` ends; both bitmaps may be absent. */
function bitmapEnd(bytes: Buffer, start: number): number {
  if (start === bytes.length) return start;
  if (start + EWAH_HEADER_BYTES + EWAH_TRAILER_BYTES > bytes.length) throw corrupt('short bitmap');
  const wordCount = bytes.readUInt32BE(start + 4);
  const end = start + EWAH_HEADER_BYTES + wordCount * WORD_BYTES + EWAH_TRAILER_BYTES;
  if (end > bytes.length) throw corrupt(`bitmap of ${wordCount} words in ${bytes.length} bytes`);
  return end;
}

/** @returns the whole index. `own` starts with the replacements, which carry no path. */
export function mergeSplitIndex(
  shared: readonly IndexEntry[],
  own: readonly IndexEntry[],
  link: IndexLink,
): IndexEntry[] {
  const merged: (IndexEntry | null)[] = [...shared];
  let replacementCount = 0;
  for (const position of setBits(link.replaced, shared.length)) {
    const replacement = own[replacementCount++];
    if (replacement?.pathBytes !== 0) throw corrupt('fewer replacements than its bitmap has bits');
    merged[position] = replacement.withPathOf(shared[position]!);
  }
  for (const position of setBits(link.deleted, shared.length)) merged[position] = null;
  const kept = merged.filter((entry) => entry !== null);
  return mergeSorted(kept, own.slice(replacementCount));
}

/** Merges two sorted lists; of equal entries the added one stays. */
function mergeSorted(kept: readonly IndexEntry[], added: readonly IndexEntry[]): IndexEntry[] {
  const merged: IndexEntry[] = [];
  let next = 0;
  for (const entry of added) {
    if (entry.pathBytes === 0) throw corrupt('an entry has no path');
    let order = -1;
    while (next < kept.length && (order = kept[next]!.compare(entry)) < 0) {
      merged.push(kept[next++]!);
    }
    if (next < kept.length && order === 0) next++;
    merged.push(entry);
  }
  for (; next < kept.length; next++) merged.push(kept[next]!);
  return merged;
}

/** The positions of the one bits, ascending. A bit at or past `limit` is damage. */
function* setBits(bitmap: Buffer, limit: number): Generator<number> {
  if (bitmap.length === 0) return;
  const end = bitmap.length - EWAH_TRAILER_BYTES;
  let position = 0;
  let at = EWAH_HEADER_BYTES;
  while (at < end) {
    // A marker word: 1 bit of value, 32 bits of run length, 31 bits of literal words that follow.
    const marker = bitmap.readBigUInt64BE(at);
    at += WORD_BYTES;
    const runBits = Number((marker >> 1n) & 0xffff_ffffn) * WORD_BITS;
    if ((marker & 1n) === 1n && runBits > 0) {
      if (position + runBits > limit)
        throw corrupt(`names entry ${position + runBits} of ${limit}`);
      for (let bit = 0; bit < runBits; bit++) yield position + bit;
    }
    position += runBits;
    const literalsEnd = at + Number(marker >> 33n) * WORD_BYTES;
    if (literalsEnd > end) throw corrupt('bitmap marker past its end');
    for (; at < literalsEnd; at += WORD_BYTES, position += WORD_BITS) {
      for (let word = bitmap.readBigUInt64BE(at), bit = 0; word !== 0n; word >>= 1n, bit++) {
        if ((word & 1n) === 0n) continue;
        if (position + bit >= limit) throw corrupt(`names entry ${position + bit} of ${limit}`);
        yield position + bit;
      }
    }
  }
}

function corrupt(what: string): CheckoutError {
  return new CheckoutError('INDEX_INVALID', `damaged link extension of a split index: ${what}`);
}
