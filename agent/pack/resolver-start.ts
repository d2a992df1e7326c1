/**
 * What a thread needs to make objects, as a message: the kernel's module, the table, the file, and places in the
 * memory that all threads of a pack share. Out: the kernel set up with them.
 */
import { randomInt } from 'node:crypto';
import { PIECE_BYTES } from './entry-reader.ts';
import type { EntryColumns } from './entry-table.ts';
import { KERNEL_PAGE_BYTES } from './kernel-memory.ts';
import type { Kernel } from './kernel.ts';
import type { PackLimits, PackTuning } from './limits.ts';
import { HEADROOM, SLACK } from './object-hash.ts';
import type { LinkSeeds } from './object-links.ts';
import type { PackMemory } from './pack-memory.ts';

const CONTENT_RING_UNIT = 64;
/** At least, for what the kernel inflates, checks and hashes with: a page each. */
const SCRATCH_BYTES = KERNEL_PAGE_BYTES;

/** Addresses of what one thread has for itself. */
interface Places {
  readonly inflate: number;
  readonly crc: number;
  readonly sha1: number;
  /** The contents of the objects made last, and where each row's is. */
  readonly contents: number;
  readonly contentBytes: number;
  readonly contentOfRow: number;
  /** HEADROOM, room for one entry, SLACK. */
  readonly scratch: number;
  readonly scratchBytes: number;
  readonly chain: number;
  readonly chainRows: number;
  /** PIECE_BYTES of an entry as it is stored. */
  readonly stored: number;
}

/** All that a resolver needs; a message to a thread. */
export interface ResolverStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly columns: EntryColumns;
  /** The pack file: an entry is in it before it comes here; a descriptor serves all threads of a process. */
  readonly fd: number;
  readonly limits: PackLimits;
  /** Where a checkout writes files; null: there is none. */
  readonly directory: string | null;
  readonly places: Places;
  /** Of the tables of links, the same ones for a whole pack (link-check.ts); null: none are collected. */
  readonly linkSeeds: LinkSeeds | null;
}

export function makeLinkSeeds(): LinkSeeds {
  return [randomInt(2 ** 32), randomInt(2 ** 32)];
}

/** Takes the memory of one resolver. Throws PACK_LIMIT. */
export function prepareResolver(
  memory: PackMemory,
  { contentRingBytes, streamBytes }: PackTuning,
  given: Omit<ResolverStart, 'memory' | 'places'>,
): ResolverStart {
  const { limits, columns } = given;
  const take = (bytes: number): number => memory.take(bytes).byteOffset;
  const contentBytes = Math.ceil(contentRingBytes / CONTENT_RING_UNIT) * CONTENT_RING_UNIT;
  const chainRows = limits.chainDepth + 1;
  const places = {
    inflate: take(SCRATCH_BYTES),
    crc: take(SCRATCH_BYTES),
    sha1: take(SCRATCH_BYTES),
    contents: take(contentBytes),
    contentBytes,
    contentOfRow: take(columns.offsets.length * 4),
    scratch: take(HEADROOM + streamBytes + SLACK),
    scratchBytes: streamBytes,
    chain: take(chainRows * 4),
    chainRows,
    stored: take(PIECE_BYTES),
  };
  return { ...given, memory: memory.memory, places };
}

/** Tells the kernel of a thread all of it. */
export function setUp(kernel: Kernel, { columns, limits, places, linkSeeds }: ResolverStart): void {
  const { offsets, sizes, crcs, bases, types, headerLengths, depths, oids } = columns;
  const inOrder = [offsets, sizes, crcs, bases, types, headerLengths, depths, oids] as const;
  const [o, s, c, b, t, h, d, i] = inOrder.map(({ byteOffset }) => byteOffset);
  kernel.setTable(o!, s!, c!, b!, t!, h!, d!, i!);
  kernel.initInflate(places.inflate);
  kernel.initCrc32(places.crc);
  kernel.initSha1(places.sha1);
  const { contents, contentBytes, contentOfRow, scratch, chain, chainRows } = places;
  kernel.setContentRing(contents, contentBytes, contentOfRow, offsets.length);
  const { deltaObjectBytes, expandedBytes } = limits;
  const stored = scratch + HEADROOM;
  kernel.setResolver(
    deltaObjectBytes,
    expandedBytes,
    stored,
    places.scratchBytes,
    chain,
    chainRows,
    places.stored,
    PIECE_BYTES,
  );
  kernel.setCollects(linkSeeds === null ? 0 : 1);
  if (linkSeeds !== null) kernel.initLinks(...linkSeeds);
}
