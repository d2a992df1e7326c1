/**
 * What V8's optimising compiler makes of the kernel, done when the kernel is built: a clone of 10 MB is
 * over before V8 has done the same beside it, function by function (8 % of its time, 10 % of the processor
 * time of a smaller one). In: kernel.wasm and kernel.code beside it. Out: a module that is compiled, or null: then
 * V8 compiles it as it always does.
 *
 * V8 stores such code for browsers, and Node has no interface to that. So it is reached by a syntax of V8's own
 * (%Name), which is allowed for as long as one function takes to compile. V8 refuses what another version of it,
 * another processor or other flags have made; whether the file is whole and belongs to this kernel and this
 * executable is asked here, by a SHA-256 at its front.
 */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInThisContext } from 'node:vm';
import { errnoOf } from '../errors.ts';

const DIGEST_BYTES = 32;

/**
 * Code that leaves bounds to the processor (the trap handler) must not run where Node has turned that off, as
 * under a limit of addresses: V8 does not look.
 */
const READ = `(function (code, kernel) {
  if (kernel && %IsWasmTrapHandlerEnabled()) return %DeserializeWasmModule(code, kernel);
})`;
const WRITE = '(function (module) { if (module) return %SerializeWasmModule(module); })';

type Read = (code: ArrayBuffer, kernel: Buffer) => WebAssembly.Module | undefined;
type Write = (module: WebAssembly.Module) => ArrayBuffer;

/** What makes V8 compile all of a module at once, by its optimising compiler. */
const AT_ONCE = ['--no-liftoff', '--no-wasm-lazy-compilation'];
/** `--no-liftoff` turns off the last one, too. */
const AS_ALWAYS = ['--liftoff', '--wasm-lazy-compilation', '--wasm-dynamic-tiering'];

export function codePathOf(kernelPath: string): string {
  return kernelPath.replace(/\.wasm$/, '.code');
}

/** Null where there is none that fits, whatever the reason. */
export function readKernelCode(kernelPath: string, kernel: Buffer): WebAssembly.Module | null {
  try {
    const file = readFileSync(codePathOf(kernelPath));
    const code = file.subarray(DIGEST_BYTES);
    if (!digestOf(kernel, code).equals(file.subarray(0, DIGEST_BYTES))) return null;
    const read = compileNative(READ) as Read | null;
    return read?.(new Uint8Array(code).buffer, kernel) ?? null;
  } catch (error) {
    // No such file, or no such executable any more.
    if (errnoOf(error) === undefined) throw error;
    return null;
  }
}

/** For the build. Null where this V8 cannot. */
export function createKernelCode(kernel: Buffer): Buffer | null {
  const write = compileNative(WRITE) as Write | null;
  if (write === null) return null;
  for (const flag of AT_ONCE) setFlagsFromString(flag);
  const module = new WebAssembly.Module(kernel);
  // What it writes is for a V8 with the flags that it has then.
  for (const flag of AS_ALWAYS) setFlagsFromString(flag);
  const code = Buffer.from(write(module));
  return Buffer.concat([digestOf(kernel, code), code]);
}

/** V8 only compares its version number, which builds of Node with changes of their own have in common. */
function digestOf(kernel: Buffer, code: Buffer): Buffer {
  const { arch, execPath, version } = process;
  const maker = JSON.stringify([version, arch, statSync(execPath).size, kernel.length]);
  return createHash('sha256').update(maker).update(kernel).update(code).digest();
}

/** Called once, because V8 compiles a body at its first call. Null: there is no such function in this V8. */
function compileNative(text: string): unknown {
  setFlagsFromString('--allow-natives-syntax');
  try {
    const compiled = runInThisContext(text) as () => void;
    compiled();
    return compiled;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  } finally {
    setFlagsFromString('--no-allow-natives-syntax');
  }
}
