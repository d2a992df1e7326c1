/**
 * In: a bundle that has run. Out: V8's code cache beside it. Both happen under V8's flags of a start, because
 * a cache is only good for the very same ones; but V8 would forget what was not run for a while.
 */
import { writeFileSync } from 'node:fs';
import v8 from 'node:v8';
import { cachePathOf } from '../agent/bundle.ts';
import type { Bundle } from '../agent/bundle.ts';

const { setFlagsFromString } = v8;

const NEEDED = ['--expose-gc', '--allow-natives-syntax', '--no-allow-natives-syntax'];

/** From now on in this process, whatever flags the bundle sets. */
export function keepFlags(): void {
  setFlagsFromString('--no-flush-bytecode');
  v8.setFlagsFromString = (flag) => {
    // It calls gc() right after the first, and compiles V8's own syntax between the others.
    if (NEEDED.includes(flag)) setFlagsFromString(flag);
  };
}

export function writeCache(path: string, bundle: Bundle): void {
  setFlagsFromString('--flush-bytecode');
  setFlagsFromString('--no-expose-gc');
  writeFileSync(cachePathOf(path), bundle.createCache());
  setFlagsFromString('--no-flush-bytecode');
}
