/**
 * The first file that Node reads of each process but main.js (start-main.ts); NAME.js in dist/ runs
 * NAME.bundle.js beside it, with V8's code cache where there is one. A cache made by another Node, or for
 * another text, is refused by V8 and costs nothing but the time it would have saved.
 */
import { loadBundle } from './bundle.ts';

loadBundle(import.meta.filename.replace(/\.js$/, '.bundle.js')).run();
