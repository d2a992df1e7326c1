/**
 * The first file that Node reads of each process; NAME.js in dist/ runs NAME.bundle.js beside it, with
 * V8's code cache where there is one. A cache made by another Node, or for another text, is refused
 * by V8 and costs nothing but the time it would have saved.
 */
import { loadBundle } from './bundle.ts';

/** Commands with a bundle of their own, main-rescue: they need not load a daemon first. */
const APART = ['rescue', 'restore'];

const own = import.meta.filename.replace(/\.js$/, '');
const isApart = own.endsWith('/main') && APART.includes(process.argv[2] ?? '');
loadBundle(`${own}${isApart ? '-rescue' : ''}.bundle.js`).run();
