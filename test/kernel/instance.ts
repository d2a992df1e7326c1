/** The kernel as it was built, on a memory of its own. */
import {
  instantiateKernel,
  kernelModule,
  type Kernel,
  type KernelImports,
} from '../../agent/pack/kernel.ts';

/** None of these is called where no pack is scanned. */
const IMPORTS: KernelImports = {
  objects: { made: () => undefined },
  resolver: { readEntry: () => undefined },
  scanner: { tree: () => 0 },
};

export function instantiate(
  pages: number,
  maximum = 65_536,
): { readonly kernel: Kernel; readonly memory: WebAssembly.Memory } {
  const memory = new WebAssembly.Memory({ initial: pages, maximum, shared: true });
  return { kernel: instantiateKernel(kernelModule(), memory, IMPORTS), memory };
}
