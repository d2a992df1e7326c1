/**
 * The kernel's exports, and nothing else; agent/pack/kernel.ts has the same names for TypeScript. In:
 * addresses in the memory that all threads of an ingest share. Out: numbers. AssemblyScript, compiled
 * to dist/kernel.wasm with the flags of asconfig.json.
 */
export { adler32 } from './adler32';
export { cacheTreeLimit, encodeCacheTree } from './cache-tree';
export {
  changedCount,
  countWritten,
  directoryCount,
  encodeEntries,
  encodedEnd,
  fileCount,
  nextAttributes,
  nextLeft,
  orderNodes,
  pointerCount,
  writtenBytes,
  writtenCount,
} from './checkout';
export { setContentRing } from './content-ring';
export { CRC_SCRATCH_BYTES, crc32, initCrc32 } from './crc32';
export {
  DELTA_FAULT,
  applyDelta,
  deltaBaseSize,
  deltaResultSize,
  parseDeltaHeader,
  sameBeginOf,
} from './delta';
export {
  fillCrcs,
  fillFanOut,
  fillOffsets,
  fillOids,
  fillPlaces,
  findEqual,
  sortRows,
  sortScratchBytes,
} from './idx';
export { FAULT, INFLATE_SCRATCH_BYTES, NEEDS_INPUT, inflate, initInflate } from './inflate';
export {
  findBroken,
  indexOids,
  initLinks,
  linkNamedBy,
  linkPlaces,
  linkWords,
  linksFailed,
  takeLinks,
} from './links';
export { FILES_SCRATCH_BYTES, beginFiles, takeBlob, useWasi, wantsBlob } from './files';
export { allocate } from './memory';
export { OID_ROOM, nodeCount, setNodes } from './nodes';
export { setCollects } from './objects';
export { useQueues } from './owners';
export { beginPlan, nextWanted, planTree, wantedTrees } from './plan';
export { releaseMessage, takeEntries } from './queue';
export {
  faultBase,
  faultBaseSize,
  faultDelta,
  faultDeltaSize,
  faultRow,
  lateCount,
  madeBytes,
  planArrived,
  setResolver,
  takeLate,
} from './resolver';
export {
  addRow,
  base,
  count,
  inflatedBytes,
  owner,
  packOffset,
  placed,
  scan,
  setScanner,
  skip,
  stopBefore,
  takeInflated,
  taken,
  wholeCount,
} from './scanner';
export { SHA1_SCRATCH_BYTES, initSha1, sha1 } from './sha1';
export { setTable } from './table';
