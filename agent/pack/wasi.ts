/**
 * A directory in, the functions of WASI out that make files and directories below it for the kernel: Node
 * has them for programs in WebAssembly. They cost no object and no string a call. Where Node does not have
 * them, or something goes wrong, each of them says so, and the file is made with node:fs.
 */
import type { WASI } from 'node:wasi';
import type { WasiFunctions } from './kernel-imports.ts';

/** The number of an error: not supported. */
const NOTSUP = 58;
const WORKTREE_FD = 3;

const notSupported = (): number => NOTSUP;
export const NO_WASI: WasiFunctions = {
  path_open: notSupported,
  path_create_directory: notSupported,
  fd_write: notSupported,
  fd_filestat_set_times: notSupported,
  fd_filestat_get: notSupported,
  fd_close: notSupported,
};

export class Wasi implements Disposable {
  readonly functions: WasiFunctions;

  /** @param directory null: there is none, and nothing is made. */
  constructor(directory: string | null, memory: WebAssembly.Memory) {
    this.functions = (directory === null ? null : start(directory, memory)) ?? NO_WASI;
  }

  /** Node itself does not close the directory. */
  [Symbol.dispose](): void {
    this.functions.fd_close(WORKTREE_FD);
  }
}

function start(directory: string, memory: WebAssembly.Memory): WasiFunctions | null {
  try {
    const wasi = new (loadWasi())({ version: 'preview1', preopens: { '/': directory } });
    wasi.initialize({ exports: { memory } });
    // Node's types say `object`; the standard says what is in it.
    return wasi.wasiImport as unknown as WasiFunctions;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    return null;
  }
}

/** An experiment to Node, and it says so to whoever loads it: but here nothing depends on it. */
function loadWasi(): typeof WASI {
  const said = Object.getOwnPropertyDescriptor(process, 'emitWarning');
  process.emitWarning = () => undefined;
  try {
    return process.getBuiltinModule('node:wasi').WASI;
  } finally {
    if (said !== undefined) Object.defineProperty(process, 'emitWarning', said);
  }
}
