/**
 * A number of bytes in, the address of as much zeroed memory out. The memory is shared by all threads
 * of a pack, and growing it is atomic, so that it needs no other bookkeeping: what is taken is never
 * given back but with the whole memory, and the system commits a page only when it is written.
 */
const PAGE_BYTES: u32 = 65_536;

/** 0 when there is none. */
export function allocate(bytes: u32): usize {
  const pages = (u64(bytes) + (PAGE_BYTES - 1)) / PAGE_BYTES;
  const before = memory.grow(i32(pages));
  return before === -1 ? 0 : usize(before) * PAGE_BYTES;
}

/**
 * Writes to all of what was taken, for who looks into it here and there before he writes: a page that is read
 * first is committed at its first write, and every other thread is interrupted for that.
 */
export function touch(address: usize, bytes: u32): void {
  memory.fill(address, 0, bytes);
}
