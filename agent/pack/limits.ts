/**
 * What a pack may cost. PackLimits are refusals: everything in a pack is the peer's claim, so each
 * dimension that can grow has an end. PackTuning changes speed and memory, never what is accepted.
 */
import { availableParallelism } from 'node:os';

const MiB = 2 ** 20;
const GiB = 2 ** 30;

export interface PackLimits {
  /** Bytes of the pack stream. */
  readonly packBytes: number;
  /** Entries that the pack header may claim. */
  readonly objectCount: number;
  /** Inflated size of one object. */
  readonly objectBytes: number;
  /** Size of an object that a delta makes or builds on: these two are whole in memory. */
  readonly deltaObjectBytes: number;
  /** All that inflating and applying deltas may produce, recomputed objects counted again. */
  readonly expandedBytes: number;
  /** Deltas between an object and the entry that is stored whole. */
  readonly chainDepth: number;
}

/** Well above any repository that Git itself makes; `deltaObjectBytes` is its core.bigFileThreshold. */
export const PACK_LIMITS: PackLimits = {
  packBytes: 1024 * GiB,
  objectCount: 2 ** 25,
  objectBytes: 64 * GiB,
  deltaObjectBytes: 512 * MiB,
  expandedBytes: 16 * 1024 * GiB,
  chainDepth: 65_535,
};

export interface PackTuning {
  /** Bytes looked at in one go; an entry that does not fit is inflated piece by piece. */
  readonly windowBytes: number;
  /** What may have been stored and not scanned yet; a broken pack costs so much more to be refused. */
  readonly aheadBytes: number;
  /** Objects above this size are never whole in memory while the pack arrives. */
  readonly streamBytes: number;
  /** Contents of delta bases kept while the deltas left over are resolved. */
  readonly baseCacheBytes: number;
  /** Contents that each thread keeps while the pack arrives, for the deltas on them. */
  readonly contentRingBytes: number;
  /** Entries on their way to a thread; a power of two. */
  readonly entryRingBytes: number;
  /** Threads beside the one that receives the pack. */
  readonly threads: number;
  /**
   * They are started when so much has arrived, or at once for a pack that claims so many objects: a
   * small pack is done before a thread is up.
   */
  readonly threadedBytes: number;
  readonly threadedObjects: number;
  /** Largest offset that an idx stores in 31 bits. */
  readonly largestShortOffset: number;
}

export const PACK_TUNING: PackTuning = {
  windowBytes: MiB,
  aheadBytes: 64 * MiB,
  streamBytes: MiB,
  baseCacheBytes: 64 * MiB,
  contentRingBytes: 8 * MiB,
  entryRingBytes: 4 * MiB,
  threads: Math.min(3, availableParallelism() - 1),
  threadedBytes: 8 * MiB,
  threadedObjects: 25_000,
  largestShortOffset: 0x7fff_ffff,
};
