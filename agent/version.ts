/** The version, from package.json: the one place that has it. */
import { readFileSync } from 'node:fs';

interface PackageJson {
  readonly version: string;
}

/** agent/ in the sources and dist/ in the build are both one level below package.json. */
export const VERSION = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as PackageJson
).version;
