import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { builtFile } from '../../agent/own-files.ts';
import { codePathOf, readKernelCode } from '../../agent/pack/kernel-code.ts';
import { createKernelMemory } from '../../agent/pack/kernel-memory.ts';
import { compileKernel, instantiateKernel } from '../../agent/pack/kernel.ts';
import { IMPORTS } from '../kernel/instance.ts';

const KERNEL = builtFile('kernel.wasm');
const READ_CODE = fileURLToPath(new URL('read-code.ts', import.meta.url));

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kernel-code-'));
  path = join(directory, 'kernel.wasm');
  copyFileSync(KERNEL, path);
  copyFileSync(codePathOf(KERNEL), codePathOf(path));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

function read(): WebAssembly.Module | null {
  return readKernelCode(path, readFileSync(path));
}

/** Whether Node, started with the flags, takes the code. */
function isTaken(flags: readonly string[]): boolean {
  const argv = [...flags, '--import', 'tsx', READ_CODE, path];
  const said = execFileSync(process.execPath, argv, { encoding: 'utf8' });
  expect(['taken\n', 'refused\n']).toContain(said);
  return said === 'taken\n';
}

describe('the code that the build has made of the kernel', () => {
  it('is taken by this Node, and is the kernel', () => {
    const module = read();
    expect(module).toBeInstanceOf(WebAssembly.Module);
    const memory = createKernelMemory(1);
    const kernel = instantiateKernel(module!, memory, IMPORTS);
    Buffer.from(memory.buffer).write('Wikipedia', 100);
    expect(kernel.adler32(100, 109)).toBe(0x11e60398);
    expect(WebAssembly.Module.exports(module!)).toEqual(
      WebAssembly.Module.exports(new WebAssembly.Module(readFileSync(path))),
    );
  });

  it('leaves the syntax that it is read by forbidden', () => {
    read();
    expect(() => new Script('%SerializeWasmModule()')).toThrow(SyntaxError);
  });

  it('is not taken under other flags of V8', () => {
    expect(isTaken([])).toBe(true);
    expect(isTaken(['--no-wasm-tier-up'])).toBe(false);
  });

  it('is not taken where nothing but the code would look at bounds', () => {
    expect(isTaken(['--disable-wasm-trap-handler'])).toBe(false);
  });
});

describe('code that is not taken, and then V8 compiles the kernel itself', () => {
  const FAULTS: Record<string, (code: Buffer) => Buffer> = {
    empty: () => Buffer.alloc(0),
    'shorter than its digest': (code) => code.subarray(0, 31),
    'cut short': (code) => code.subarray(0, -1),
    longer: (code) => Buffer.concat([code, Buffer.alloc(1)]),
    'changed by a bit': (code) => {
      const changed = Buffer.from(code);
      changed[changed.length >> 1]! ^= 1;
      return changed;
    },
  };

  it.each(Object.keys(FAULTS))('%s', (name) => {
    writeFileSync(codePathOf(path), FAULTS[name]!(readFileSync(codePathOf(path))));
    expect(read()).toBeNull();
    expect(compileKernel(path)).toBeInstanceOf(WebAssembly.Module);
  });

  it('missing', () => {
    rmSync(codePathOf(path));
    expect(read()).toBeNull();
    expect(compileKernel(path)).toBeInstanceOf(WebAssembly.Module);
  });

  it('made of another kernel', () => {
    // A custom section behind it, which changes nothing else.
    const other = Buffer.concat([readFileSync(path), Buffer.from([0, 2, 1, 0x61])]);
    writeFileSync(path, other);
    expect(read()).toBeNull();
    expect(compileKernel(path)).toBeInstanceOf(WebAssembly.Module);
  });
});
