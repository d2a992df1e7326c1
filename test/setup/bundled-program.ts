/**
 * The text of an ES module that imports from `./agent/…` → the path of a file that Node runs as it
 * is: no loader for TypeScript adds its memory, its system calls or its time to what is observed.
 */
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const ROOT = new URL('../../', import.meta.url);

export async function bundledProgram(source: string): Promise<string> {
  const name = createHash('sha1').update(source).digest('hex').slice(0, 12);
  const outdir = fileURLToPath(new URL(`.cache/programs/${name}`, ROOT));
  await build({
    stdin: { contents: source, resolveDir: fileURLToPath(ROOT), loader: 'ts' },
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    // What is loaded late in the program is loaded late here.
    splitting: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20.19',
    logLevel: 'warning',
    // As if it stood in dist/, where the program's own files are.
    define: {
      'import.meta.dirname': JSON.stringify(fileURLToPath(new URL('dist', ROOT))),
      'import.meta.filename': JSON.stringify(fileURLToPath(new URL('dist/program.js', ROOT))),
    },
  });
  return `${outdir}/stdin.mjs`;
}
