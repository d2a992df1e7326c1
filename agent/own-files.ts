/**
 * Where this program's own files stand: read or started by path, they are found from here and from
 * nowhere else, because the build puts every module into a few files directly in dist/.
 */
import { join } from 'node:path';

/** A file that is the same in agent/ and in dist/, such as a shell script. */
export function ownFile(path: string): string {
  return join(import.meta.dirname, path);
}

/** What the build makes; code that runs from its TypeScript source (the tests) takes it as well. */
export function builtFile(name: string): string {
  return ownFile(import.meta.filename.endsWith('.ts') ? `../dist/${name}` : name);
}
