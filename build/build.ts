/**
 * `npm run build`: agent/ in, dist/ out. Each process and thread becomes one CommonJS file with all
 * that it needs from node_modules, and V8's code cache beside it (rehearse.ts); the kernel becomes
 * WebAssembly (kernel.ts). CommonJS, because Node has no way to give an ES module its code cache.
 */
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { BuildOptions, Plugin } from 'esbuild';
import { buildKernel } from './kernel.ts';
import { licencesOf } from './licences.ts';
import { rehearse } from './rehearse.ts';
import { mountOnly, rescueOnly, slim } from './slim.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const DIST = join(ROOT, 'dist');

/** yargs looks for translations some folders above itself: it must not find a stranger's. */
const NOWHERE = 'file:///nonexistent/yargs/lib/platform-shims/esm.mjs';

/** What Node is started with, and where that begins. */
const ENTRIES: Readonly<Record<string, string>> = {
  main: 'agent/main.ts',
  'clone-worker': 'agent/clone/worker.ts',
  'rescue-worker': 'agent/rescue/worker.ts',
  'pack-thread': 'agent/clone/pack-thread.ts',
};

/** What runs them. */
const START = 'agent/start.ts';
const STARTERS = {
  ...Object.fromEntries(Object.keys(ENTRIES).map((name) => [name, START])),
  main: 'agent/start-main.ts',
};

/** Of main.js, for some of its commands (start-main.ts). */
const MOUNT_ENTRIES = { 'main-mount': 'agent/main.ts' };
const RESCUE_ENTRIES = { 'main-rescue': 'agent/main.ts' };

const OPTIONS: BuildOptions = {
  absWorkingDir: ROOT,
  outdir: DIST,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  // As ES module: of CommonJS, which Node would take, nothing can be left out.
  alias: { 'isomorphic-git': join(ROOT, 'node_modules/isomorphic-git/index.js') },
  target: 'node20.19',
  define: { 'import.meta.filename': '__filename', 'import.meta.dirname': '__dirname' },
  legalComments: 'none',
  logLevel: 'warning',
};

await rm(DIST, { recursive: true, force: true });
const inputs = [
  await buildKernel(ROOT, join(DIST, 'kernel.wasm')),
  ...(await buildBundles(ENTRIES, [slim])),
  ...(await buildBundles(MOUNT_ENTRIES, [slim, mountOnly])),
  ...(await buildBundles(RESCUE_ENTRIES, [slim, rescueOnly])),
];
await buildStarters(STARTERS);
await cp(join(ROOT, 'agent/credentials'), join(DIST, 'credentials'), {
  recursive: true,
  filter: (path) => !path.endsWith('.ts'),
});
await cp(join(ROOT, 'agent/health/status-page.html'), join(DIST, 'health/status-page.html'));
// The sources are ES modules, dist/ is not.
await writeFile(join(DIST, 'package.json'), '{ "type": "commonjs" }\n');
await writeFile(join(DIST, 'LICENSES.txt'), await licencesOf(inputs));
await rehearse(DIST, {
  beforeThreads: () => buildStarters({ 'pack-thread': 'build/rehearsal-thread.ts' }),
});
await buildStarters({ 'pack-thread': START });

/** @returns the paths of all that went into them. */
async function buildBundles(
  entries: Readonly<Record<string, string>>,
  plugins: Plugin[],
): Promise<string[]> {
  const { metafile } = await build({
    ...OPTIONS,
    entryPoints: Object.entries(entries).map(([name, path]) => ({
      in: path,
      out: `${name}.bundle`,
    })),
    // Loaded late, but not by Node's module loader: it would not find it.
    supported: { 'dynamic-import': false },
    // Each process reads all of it. Names and lines are for whoever reads a stack.
    minifySyntax: true,
    minifyWhitespace: true,
    plugins,
    define: { ...OPTIONS.define, 'import.meta.url': JSON.stringify(NOWHERE) },
    metafile: true,
  });
  for (const name of Object.keys(entries)) {
    const path = join(DIST, `${name}.bundle.js`);
    await writeFile(path, inAscii(asProgram(await readFile(path, 'utf8'))));
  }
  return Object.keys(metafile.inputs).map((path) => join(ROOT, path));
}

async function buildStarters(entries: Readonly<Record<string, string>>): Promise<void> {
  await build({
    ...OPTIONS,
    entryPoints: Object.entries(entries).map(([out, path]) => ({ in: path, out })),
    banner: { js: '#!/usr/bin/env node' },
  });
}

/** What agent/bundle.ts runs. */
function asProgram(code: string): string {
  return `(function (require, __filename, __dirname, __spare) {${code}\n})`;
}

/**
 * Text in ASCII needs no decoding, and half the memory. esbuild leaves other characters only in
 * comments and regular expressions, where an escape means the same.
 */
function inAscii(code: string): string {
  const escape = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  return code.replaceAll(/[^\0-\x7f]/g, escape);
}
