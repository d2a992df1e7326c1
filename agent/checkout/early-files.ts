/**
 * What the kernel of one thread calls while it writes files of the worktree (agent/kernel/files.ts): WASI,
 * and whatever WASI does not do. Each content is written as it passes, so that no blob is inflated a
 * second time. What does not pass (a blob too large to be whole in memory, one that comes before its
 * tree) is left to checkOut, as are symlinks and conversions.
 */
import { writeSync } from 'node:fs';
import type { CheckoutImports } from '../pack/kernel-imports.ts';
import type { KernelHost } from '../pack/kernel-host.ts';
import { SLACK } from '../pack/object-hash.ts';
import { isLfsPointer } from './lfs-pointer.ts';
import { NodeTable, type NodeMemory } from './node-table.ts';
import { verifyName } from './path-safety.ts';
import { WorktreeFiles } from './worktree-files.ts';
import { CheckoutError } from '../errors.ts';

const NSEC_PER_SEC = 1_000_000_000n;

/** Throws what WorktreeFiles throws. */
export class EarlyFiles implements CheckoutImports {
  readonly nodes: NodeTable;
  readonly #host: KernelHost;
  readonly #files: WorktreeFiles;
  /** All of the kernel's memory. */
  #bytes: Buffer;
  /** Room for a content from elsewhere. */
  #room: Buffer = Buffer.alloc(0);
  #isStarted = false;
  #failure: unknown;

  constructor(given: NodeMemory, host: KernelHost) {
    this.#host = host;
    this.nodes = new NodeTable(given, host);
    this.#files = new WorktreeFiles(given.worktree, given.mtimeSec);
    const { byteOffset: scratch } = host.take(host.kernel.FILES_SCRATCH_BYTES.value);
    this.#bytes = Buffer.from(host.memory.buffer);
    host.checkout = this;
    host.kernel.beginFiles(scratch, BigInt(given.mtimeSec) * NSEC_PER_SEC);
  }

  /** At least so many bytes in the kernel's memory, until the next call. */
  roomFor(size: number): Buffer {
    if (size + SLACK > this.#room.length) {
      this.#room = this.#host.take(2 * (size + SLACK));
      this.#bytes = Buffer.from(this.#host.memory.buffer);
    }
    return this.#room;
  }

  verify(name: number, length: number, mode: number): boolean {
    const start = name >>> 0;
    try {
      verifyName(this.#bytes.subarray(start, start + length), mode);
      return true;
    } catch (error) {
      if (error instanceof CheckoutError) return false;
      throw error;
    }
  }

  writeAgain(node: number, content: number, size: number, begun: number): void {
    const entry = this.nodes.entry(node);
    if (begun === 1) this.#files.removeFile(entry);
    this.#files.createFile(entry, (fd) => {
      const start = content >>> 0;
      const end = start + size;
      for (let at = start; at < end;) at += writeSync(fd, this.#bytes, at, end - at);
    });
    if (this.#isStarted) return;
    this.#isStarted = true;
    // Whatever this checkout makes has one owner.
    this.#host.kernel.useWasi(entry.uid, entry.gid);
  }

  makeAgain(node: number): boolean {
    try {
      this.#files.makeDirectory(this.nodes.path(node));
      return true;
    } catch (error) {
      this.#failure = error;
      return false;
    }
  }

  refuse(): never {
    throw this.#failure;
  }

  isLfsPointer(content: number, size: number): boolean {
    return isLfsPointer(this.#bytes, content >>> 0, size);
  }
}
