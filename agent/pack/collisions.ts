/**
 * A sorted table in; nothing out, or PACK_COLLISION. A pack may hold an object twice; two
 * different objects under one oid are a SHA-1 collision, and in a fresh clone only the pack itself
 * can bring one. Their contents are compared by type and SHA-256, one at a time in memory.
 */
import { createHash } from 'node:crypto';
import { PackError } from '../errors.ts';
import { BufferPool } from './buffer-pool.ts';
import { DeltaHeader, applyDelta } from './delta.ts';
import { EntryReader } from './entry-reader.ts';
import { NO_BASE, oidOf, type EntryTable } from './entry-table.ts';
import { createInflater } from './inflate.ts';
import type { SortedTable } from './sorted-table.ts';

/** Throws PackError when two rows share an oid and nothing else. */
export function refuseCollisions(sorted: SortedTable, fd: number): void {
  const { table } = sorted;
  let digests: ContentDigests | undefined;
  try {
    for (const [left, right] of sorted.equalPairs()) {
      digests ??= new ContentDigests(table, fd);
      if (digests.of(left) === digests.of(right)) continue;
      const oid = oidOf(table, left);
      const offset = table.offsets[right]!;
      throw new PackError(
        'PACK_COLLISION',
        `entry at ${offset}: another object has the oid ${oid}`,
        {
          data: { offset, oid, otherOffset: table.offsets[left]! },
        },
      );
    }
  } finally {
    digests?.close();
  }
}

/** SHA-256 of type and content of a row; the table is resolved. */
class ContentDigests {
  readonly #table: EntryTable;
  readonly #inflater = createInflater();
  readonly #reader: EntryReader;
  readonly #pool = new BufferPool();
  readonly #header = new DeltaHeader();
  #lastRow = -1;
  #lastDigest = '';

  constructor(table: EntryTable, fd: number) {
    this.#table = table;
    this.#reader = new EntryReader(fd, table, table.endOffset, this.#inflater);
  }

  of(row: number): string {
    if (row === this.#lastRow) return this.#lastDigest;
    const digest = createHash('sha256').update(`${this.#table.types[row]!} `);
    if (this.#table.bases[row] === NO_BASE) {
      this.#reader.stream(row, (piece) => digest.update(piece));
    } else {
      const { content, size } = this.#rebuild(row);
      digest.update(content.subarray(0, size));
      this.#pool.give(content);
    }
    this.#lastRow = row;
    this.#lastDigest = digest.digest('hex');
    return this.#lastDigest;
  }

  #rebuild(row: number): { content: Buffer; size: number } {
    const { bases, sizes } = this.#table;
    const chain: number[] = [];
    let at = row;
    for (; bases[at] !== NO_BASE; at = bases[at]!) chain.push(at);
    let size = sizes[at]!;
    let content = this.#read(at);
    for (const step of chain.reverse()) {
      const delta = this.#read(step);
      this.#header.parse(delta, 0, sizes[step]!);
      const { position, resultSize } = this.#header;
      const result = this.#pool.take(resultSize);
      applyDelta(content, 0, size, delta, position, sizes[step]!, result, 0, resultSize);
      this.#pool.give(content);
      this.#pool.give(delta);
      content = result;
      size = resultSize;
    }
    return { content, size };
  }

  #read(row: number): Buffer {
    const content = this.#pool.take(this.#table.sizes[row]! + 1);
    this.#reader.read(row, content, 0);
    return content;
  }

  close(): void {
    this.#inflater.close();
  }
}
