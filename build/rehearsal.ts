/**
 * A process that a bundle is run in once, for its code cache: PATH-OF-BUNDLE ARG… on the command line;
 * when it ends, what V8 had compiled by then stands beside the bundle.
 */
import { writeFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { cachePathOf, loadBundle } from '../agent/bundle.ts';

const [node = '', , path = '', ...args] = process.argv;
process.argv = [node, path, ...args];
// V8 forgets what was not run for a while, and a cache is only good for the very same flags.
setFlagsFromString('--no-flush-bytecode');
const bundle = loadBundle(path);
process.once('exit', () => {
  setFlagsFromString('--flush-bytecode');
  writeFileSync(cachePathOf(path), bundle.createCache());
});
bundle.run();
