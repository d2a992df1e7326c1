/**
 * In: agent/kernel/, which is AssemblyScript. Out: dist/kernel.wasm, the same bytes for the same
 * sources, and dist/kernel.code, what this Node's V8 makes of it. The compiler takes 2 s, a build is made before
 * every run of the tests: what came of the same files before is taken from .cache/.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, mkdir, readFile, readdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { errnoOf } from '../agent/errors.ts';
import { codePathOf, createKernelCode } from '../agent/pack/kernel-code.ts';

const execute = promisify(execFile);
const SOURCES = 'agent/kernel';
const ASSEMBLYSCRIPT = 'node_modules/assemblyscript';
const CACHE = '.cache/kernel';

/**
 * @returns the path of its library, of which functions such as `bswap` go into the module.
 * @throws what the compiler says of the sources.
 */
export async function buildKernel(root: string, path: string): Promise<string> {
  const cached = join(root, CACHE, `${await keyOf(root)}.wasm`);
  try {
    await cp(cached, path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    await compile(root, path);
    await keep(path, cached);
  }
  const code = createKernelCode(await readFile(path));
  if (code !== null) await writeFile(codePathOf(path), code);
  return join(root, ASSEMBLYSCRIPT, 'std');
}

/** Of all that decides what comes out: sources, flags and the compiler. */
async function keyOf(root: string): Promise<string> {
  const hash = createHash('sha256');
  const names = await readdir(join(root, SOURCES), { recursive: true });
  const sources = names.filter((name) => /\.(?:ts|json)$/.test(name)).sort();
  const files = [...sources.map((name) => join(SOURCES, name)), 'package-lock.json'];
  for (const file of files) {
    const content = await readFile(join(root, file));
    hash.update(`${file} ${content.length}\n`).update(content);
  }
  return hash.digest('hex');
}

/** In a process of its own: tsx would go through the whole compiler when it is loaded, for 6 s. */
async function compile(root: string, path: string): Promise<void> {
  const asc = join(root, ASSEMBLYSCRIPT, 'bin/asc.js');
  const flags = ['--config', join(SOURCES, 'asconfig.json'), '--outFile', path];
  // Without the first flag, it starts itself again with it.
  const argv = ['--enable-source-maps', asc, ...flags];
  const { stderr } = await execute(process.execPath, argv, { cwd: root });
  process.stderr.write(stderr);
}

/** Another build may be at the same. */
async function keep(path: string, cached: string): Promise<void> {
  await mkdir(dirname(cached), { recursive: true });
  const whole = `${cached}.${process.pid}`;
  await cp(path, whole);
  await rename(whole, cached);
}
