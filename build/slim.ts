/**
 * Parts of packages that every start would pay for and no start needs, each with what stands in for
 * it. Each stand-in says what it saves.
 */
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'esbuild';

/** What is imported, by which files (all, unless told), and what they get instead. */
const STAND_INS = [
  { imported: /^string-width$/, by: /./, file: 'string-width.ts' },
  { imported: /^sha\.js\/sha1\.js$/, by: /isomorphic-git/, file: 'lazy-sha1.cjs' },
  { imported: /^\.\/(?:lib\/)?transport$/, by: /\/pino\//, file: 'no-transport.cjs' },
  { imported: /^pako$/, by: /isomorphic-git/, file: 'lazy-pako.cjs' },
];

export const slim: Plugin = {
  name: 'slim',
  setup(build) {
    for (const { imported, by, file } of STAND_INS) {
      const path = fileURLToPath(new URL(`slim/${file}`, import.meta.url));
      build.onResolve({ filter: imported }, ({ importer }) =>
        by.test(importer) ? { path } : null,
      );
    }
  },
};

/** For a bundle that start-main.ts runs for `rescue` and `restore` alone. */
export const rescueOnly = without(/^\.\/(?:boot|mount-once|commands|clone\/clone-processes)\.ts$/);

/** For one of `mount` alone. */
export const mountOnly = without(/^\.\/(?:boot|commands|rescue-command|restore-command)\.ts$/);

/** @param others what `main.ts` loads for commands that are not in the bundle. */
function without(others: RegExp): Plugin {
  return {
    name: 'without-others',
    setup(build) {
      const path = fileURLToPath(new URL('slim/elsewhere.cjs', import.meta.url));
      build.onResolve({ filter: others }, ({ importer }) =>
        importer.endsWith('/agent/main.ts') ? { path } : null,
      );
    },
  };
}
