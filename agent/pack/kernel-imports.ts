/**
 * What the kernel (agent/kernel) calls, by the file of it that does. Addresses are signed, and so they are
 * taken with `>>> 0`.
 */
/** What the kernel calls for a checkout: see agent/kernel/plan.ts and files.ts. Addresses are signed. */
export interface CheckoutImports {
  /** Whether a checkout takes a name that could be one of those that are refused. */
  verify(name: number, length: number, mode: number): boolean;
  /** Writes the file; `begun`: 1 where it is there already, and ours. Throws. */
  writeAgain(node: number, content: number, size: number, begun: number): void;
  /** Makes the directory; false: it could not, and `refuse` throws why. */
  makeAgain(node: number): boolean;
  refuse(): void;
  isLfsPointer(content: number, size: number): boolean;
}

/** Of WASI, preview 1. They return 0, or an error's number. */
export type WasiFunctions = {
  path_open(
    directory: number,
    lookup: number,
    path: number,
    length: number,
    how: number,
    rights: bigint,
    inherited: bigint,
    flags: number,
    opened: number,
  ): number;
  path_create_directory(directory: number, path: number, length: number): number;
  fd_write(fd: number, pieces: number, count: number, written: number): number;
  fd_filestat_set_times(fd: number, atime: bigint, mtime: bigint, flags: number): number;
  fd_filestat_get(fd: number, to: number): number;
  fd_close(fd: number): number;
};

/** What the kernel calls, by the file that does. */
export interface KernelImports {
  readonly files: WasiFunctions & {
    writeAgain(node: number, content: number, size: number, begun: number): void;
    makeAgain(node: number): number;
    refuse(): void;
    isLfsPointer(content: number, size: number): number;
  };
  readonly objects: {
    /** Puts the SHA-1 of [from, end) to `to`. */
    hash(from: number, end: number, to: number): void;
  };
  readonly plan: {
    verify(name: number, length: number, mode: number): number;
  };
  readonly resolver: {
    /** Reads what the pack's file has of `row`, behind its header; returns its bytes, or 0: more than `limit`. */
    readStored(row: number, to: number, limit: number): number;
    /** Inflates it to `to`, whatever it takes. */
    readEntry(row: number, to: number): void;
  };
}
