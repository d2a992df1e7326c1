/**
 * A kernel and what it calls for a checkout, which is only known once the kernel has begun: until then
 * nothing of that is called.
 */
import type { Kernel } from './kernel.ts';
import type { CheckoutImports, KernelImports, WasiFunctions } from './kernel-imports.ts';
import { instantiateKernel, kernelModule } from './kernel.ts';
import { PackMemory } from './pack-memory.ts';
import { NO_WASI } from './wasi.ts';

export interface KernelHost {
  readonly kernel: Kernel;
  readonly memory: WebAssembly.Memory;
  /** To be set before anything is planned or written. */
  checkout: CheckoutImports | undefined;
  /** Takes `bytes` of zeroed memory, for good. Throws PACK_LIMIT. */
  take(bytes: number): Buffer;
}

/**
 * The kernel's imports for whatever `host` has for a checkout at the time of a call. Those of WASI are called
 * without anything between: a function that hands on BigInts is compiled 150 times for 50,000 files, V8 gives
 * each of them up again.
 */
export function checkoutImports(
  host: Pick<KernelHost, 'checkout'>,
  wasi: WasiFunctions,
): Pick<KernelImports, 'files' | 'plan'> {
  const given = (): CheckoutImports => {
    if (host.checkout === undefined) throw new TypeError('no checkout has begun');
    return host.checkout;
  };
  return {
    plan: {
      verify: (name, length, mode) => (given().verify(name, length, mode) ? 1 : 0),
    },
    files: {
      ...wasi,
      writeAgain: (node, content, size, begun) => {
        given().writeAgain(node, content, size, begun);
      },
      makeAgain: (node) => (given().makeAgain(node) ? 1 : 0),
      refuse: () => {
        given().refuse();
      },
      isLfsPointer: (content, size) => (given().isLfsPointer(content, size) ? 1 : 0),
    },
  };
}

/** A kernel for a checkout alone, where no pack arrives. Throws PACK_LIMIT. */
export class CheckoutKernel implements KernelHost {
  readonly kernel: Kernel;
  readonly #memory = new PackMemory();
  checkout: CheckoutImports | undefined;

  /** @param wasi what files are written by, where any are. */
  constructor(wasi: (memory: WebAssembly.Memory) => WasiFunctions = () => NO_WASI) {
    const noPack = (): never => {
      throw new TypeError('no pack arrives here');
    };
    this.kernel = instantiateKernel(kernelModule(), this.memory, {
      ...checkoutImports(this, wasi(this.memory)),
      objects: { hash: noPack },
      resolver: { readEntry: noPack, readStored: noPack },
    });
  }

  get memory(): WebAssembly.Memory {
    return this.#memory.memory;
  }

  take(bytes: number): Buffer {
    return this.#memory.take(bytes);
  }
}
