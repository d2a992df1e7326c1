/** The kernel as it was built, on a memory of its own. */
import { instantiateKernel, kernelModule, type Kernel } from '../../agent/pack/kernel.ts';
import type { KernelImports } from '../../agent/pack/kernel-imports.ts';
import { checkoutImports } from '../../agent/pack/kernel-host.ts';
import { NO_WASI } from '../../agent/pack/wasi.ts';

/** None of these is called where no pack is scanned, and nothing planned. */
export const IMPORTS: KernelImports = {
  ...checkoutImports({ checkout: undefined }, NO_WASI),
  objects: { hash: () => undefined },
  resolver: { readEntry: () => undefined, readStored: () => 0 },
};

export function instantiate(
  pages: number,
  maximum = 65_536,
): { readonly kernel: Kernel; readonly memory: WebAssembly.Memory } {
  const memory = new WebAssembly.Memory({ initial: pages, maximum, shared: true });
  return { kernel: instantiateKernel(kernelModule(), memory, IMPORTS), memory };
}
