/**
 * A process that a bundle is run in once, for its code cache: PATH-OF-BUNDLE ARG… on the command line;
 * when it ends, what V8 had compiled by then stands beside the bundle.
 */
import { loadBundle } from '../agent/bundle.ts';
import { keepFlags, writeCache } from './rehearsal-cache.ts';

const [node = '', , path = '', ...args] = process.argv;
process.argv = [node, path, ...args];
keepFlags();
const bundle = loadBundle(path);
process.once('exit', () => {
  writeCache(path, bundle);
});
bundle.run();
