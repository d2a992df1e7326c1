/** The memory that the kernel works on, in WebAssembly's pages: made, and made larger. */
import { PackError } from '../errors.ts';

export const KERNEL_PAGE_BYTES = 2 ** 16;
/** As in agent/kernel/asconfig.json: all that an address reaches. */
const MAXIMUM_PAGES = 2 ** 16;

/** Of at least so many bytes, all zero; the system commits a page when it is written. */
export function createKernelMemory(bytes = 0): WebAssembly.Memory {
  return asLimit(
    () =>
      new WebAssembly.Memory({
        initial: Math.ceil(bytes / KERNEL_PAGE_BYTES),
        maximum: MAXIMUM_PAGES,
        shared: true,
      }),
  );
}

/**
 * Makes it larger by whole pages; returns the address of these zeros, in one step, whatever other threads
 * take. `memory.buffer` is another one then, in every thread.
 */
export function growKernelMemory(memory: WebAssembly.Memory, bytes: number): number {
  const pages = Math.ceil(bytes / KERNEL_PAGE_BYTES);
  return asLimit(() => memory.grow(pages)) * KERNEL_PAGE_BYTES;
}

/** V8 reserves 8 to 10 GiB of addresses for each memory, so that no access needs a check. */
function asLimit<T>(allocate: () => T): T {
  try {
    return allocate();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new PackError('PACK_LIMIT', `no addresses for the memory of a clone: ${error.message}`, {
      cause: error,
      remedy:
        'Lift the limit on address space (ulimit -v): each clone reserves 10 GiB of addresses.',
    });
  }
}
