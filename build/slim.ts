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
  { imported: /^pako$/, by: /isomorphic-git/, file: 'lazy-pako.cjs' },
];

/** What `main.ts` loads for commands that are not in the bundle of `rescue` and `restore`. */
const OTHER_COMMANDS = /^\.\/(?:boot|mount-once|commands|clone\/clone-processes)\.ts$/;

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

/** For a bundle that start.ts runs for `rescue` and `restore` alone. */
export const rescueOnly: Plugin = {
  name: 'rescue-only',
  setup(build) {
    const path = fileURLToPath(new URL('slim/elsewhere.cjs', import.meta.url));
    build.onResolve({ filter: OTHER_COMMANDS }, ({ importer }) =>
      importer.endsWith('/agent/main.ts') ? { path } : null,
    );
  },
};
