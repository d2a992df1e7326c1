/** The kernel as it was built, on a memory of its own. */
import { instantiateKernel, kernelModule, type Kernel } from '../../agent/pack/kernel.ts';

export function instantiate(
  pages: number,
  maximum = 65_536,
): { readonly kernel: Kernel; readonly memory: WebAssembly.Memory } {
  const memory = new WebAssembly.Memory({ initial: pages, maximum, shared: true });
  return { kernel: instantiateKernel(kernelModule(), memory), memory };
}
