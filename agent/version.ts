/** The version, from package.json: the one place that has it. */
import { readFileSync } from 'node:fs';
import { ownFile } from './own-files.ts';

interface PackageJson {
  readonly version: string;
}

/** agent/ in the sources and dist/ in the build are both one level below package.json. */
export const VERSION = (JSON.parse(readFileSync(ownFile('../package.json'), 'utf8')) as PackageJson)
  .version;
