/**
 * What the objects of a pack lead to in, when all of it has its names; an object that leads to none of
 * them out. By the kernel, which looks each up by the same seeds that its tables are made by: it goes
 * through both in one order.
 */
import { PackError } from '../errors.ts';
import type { Kernel } from './kernel.ts';
import type { Links } from './object-links.ts';

/** As a message to another thread, too. */
export interface LinkCheck {
  readonly found: readonly Links[];
  /** 20 bytes a row, of `count` rows; in the kernel's memory. */
  readonly oids: Buffer;
  readonly count: number;
}

/** The row of an object that leads to none of the rows; null where all lead to one. Throws PACK_LIMIT. */
export function findBrokenRow(
  { found, oids, count }: LinkCheck,
  kernel: Kernel,
  memory: WebAssembly.Memory,
): number | null {
  if (kernel.indexOids(oids.byteOffset, count) === 0) throw noMemory();
  for (const links of found) {
    const { words, namedBy } = place(links, kernel, memory);
    const row = kernel.findBroken(words.byteOffset, namedBy.byteOffset, namedBy.length);
    if (row !== -1) return row;
  }
  return null;
}

/** What was collected by JavaScript moves into the kernel's memory. */
function place(links: Links, kernel: Kernel, memory: WebAssembly.Memory): Links {
  const { words, namedBy } = links;
  if (words.buffer instanceof SharedArrayBuffer) return links;
  const address = kernel.allocate(words.byteLength + namedBy.byteLength) >>> 0;
  if (address === 0) throw noMemory();
  const placed = {
    words: new Int32Array(memory.buffer, address, words.length),
    namedBy: new Int32Array(memory.buffer, address + words.byteLength, namedBy.length),
  };
  placed.words.set(words);
  placed.namedBy.set(namedBy);
  return placed;
}

function noMemory(): PackError {
  return new PackError('PACK_LIMIT', 'no memory to look for what is missing in the history');
}
