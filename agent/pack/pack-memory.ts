/**
 * The memory of one pack on its way, that WebAssembly and all threads share: the window, the entry
 * table, the queues and the contents. Taken in pieces, given back as a whole. The system commits a
 * page only where it is written, so that a pack's claims cost nothing.
 */
import { createKernelMemory, growKernelMemory } from './kernel-memory.ts';

export class PackMemory {
  readonly memory: WebAssembly.Memory;

  /** Throws PACK_LIMIT. */
  constructor() {
    this.memory = createKernelMemory();
  }

  /** Takes `bytes` of zeroed memory. Throws PACK_LIMIT. */
  take(bytes: number): Buffer {
    return takeMemory(this.memory, bytes);
  }
}

/** The same for a thread, which has the memory alone. */
export function takeMemory(memory: WebAssembly.Memory, bytes: number): Buffer {
  const address = growKernelMemory(memory, bytes);
  return Buffer.from(memory.buffer, address, bytes);
}
