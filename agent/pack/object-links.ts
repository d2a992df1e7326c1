/**
 * Commits, trees and tags that the kernel does not see whole in; what they lead to out, as the kernel's
 * own tables have it (agent/kernel/links.ts): 8 bytes of each oid that a whole history needs, and one
 * object that names it. Content that Git could not read ends in silence here: whether objects are
 * well-formed is not asked.
 */
import type { ArrivedObjects } from './arrived-objects.ts';
import { OBJECT_TYPE, OID_BYTES } from './entry-header.ts';

const SPACE = 0x20;
const NEWLINE = 0x0a;
const FIRST_BITS = 12;
/** Of each oid. */
const KEPT_BYTES = 8;

/** What is found, as a message to another thread. */
export interface Links {
  /** The first 8 bytes of an oid a place, as two words, little-endian; both 0 where the place is free. */
  readonly words: Int32Array;
  /** Per place: the row of an object that names it. */
  readonly namedBy: Int32Array;
}

/** Not to be guessed: who makes oids that collide must not slow a lookup. */
export type LinkSeeds = readonly [number, number];

export class LinkCollector {
  readonly #seeds: LinkSeeds;
  #bits = FIRST_BITS;
  #words = new Int32Array(2 * 2 ** FIRST_BITS);
  #namedBy = new Int32Array(2 ** FIRST_BITS);
  #count = 0;

  constructor([high, low]: LinkSeeds) {
    this.#seeds = [high | 1, low | 1];
  }

  get links(): Links {
    return { words: this.#words, namedBy: this.#namedBy };
  }

  /** Takes the object at `row`: content[start, start + size). */
  take(row: number, type: number, content: Buffer, start: number, size: number): void {
    const end = start + size;
    if (type === OBJECT_TYPE.tree) this.#takeTree(row, content, start, end);
    else if (type === OBJECT_TYPE.commit) this.#takeCommit(row, content, start, end);
    else if (type === OBJECT_TYPE.tag) this.#takeHex(row, content, start, end, 'object ');
  }

  #takeTree(row: number, content: Buffer, start: number, end: number): void {
    let at = start;
    while (at < end) {
      // "160000": a commit of another repository.
      const isGitlink = content[at] === 0x31 && content[at + 1] === 0x36;
      while (at < end && content[at] !== SPACE) at++;
      while (at < end && content[at] !== 0) at++;
      const oid = at + 1;
      at = oid + OID_BYTES;
      if (at > end) return;
      if (!isGitlink) this.#add(wordAt(content, oid), wordAt(content, oid + 4), row);
    }
  }

  #takeCommit(row: number, content: Buffer, start: number, end: number): void {
    let at = this.#takeHex(row, content, start, end, 'tree ');
    while (at !== -1) at = this.#takeHex(row, content, at, end, 'parent ');
  }

  /** A line "<keyword><oid>" at `at`; returns where the next line begins, or -1 where none is. */
  #takeHex(row: number, content: Buffer, at: number, end: number, keyword: string): number {
    const hex = at + keyword.length;
    const next = hex + 2 * OID_BYTES + 1;
    if (next > end || content[next - 1] !== NEWLINE) return -1;
    if (content.toString('latin1', at, hex) !== keyword) return -1;
    // Ends where a digit is none.
    const oid = Buffer.from(content.toString('latin1', hex, hex + 2 * KEPT_BYTES), 'hex');
    if (oid.length < KEPT_BYTES) return -1;
    this.#add(wordAt(oid, 0), wordAt(oid, 4), row);
    return next;
  }

  #add(high: number, low: number, row: number): void {
    const words = this.#words;
    const mask = this.#namedBy.length - 1;
    const [seedHigh, seedLow] = this.#seeds;
    let place = ((Math.imul(high, seedHigh) ^ Math.imul(low, seedLow)) >>> 7) & mask;
    while (words[2 * place] !== 0 || words[2 * place + 1] !== 0) {
      if (words[2 * place] === high && words[2 * place + 1] === low) return;
      place = (place + 1) & mask;
    }
    words[2 * place] = high;
    words[2 * place + 1] = low;
    this.#namedBy[place] = row;
    if (++this.#count * 2 > mask) this.#grow();
  }

  #grow(): void {
    const { words, namedBy } = this.links;
    this.#bits++;
    this.#words = new Int32Array(2 * 2 ** this.#bits);
    this.#namedBy = new Int32Array(2 ** this.#bits);
    this.#count = 0;
    for (let place = 0; place < namedBy.length; place++) {
      const high = words[2 * place]!;
      const low = words[2 * place + 1]!;
      if (high !== 0 || low !== 0) this.#add(high, low, namedBy[place]!);
    }
  }
}

/** Takes what went by without its content: all of these have a name. */
export function collectUnseen(
  links: LinkCollector,
  rows: readonly number[],
  objects: ArrivedObjects,
): void {
  for (const row of rows) {
    const { type, content } = objects.at(row);
    links.take(row, type, content, 0, content.length);
  }
}

function wordAt(bytes: Buffer, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}
