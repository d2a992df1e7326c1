/**
 * main.js: as start.ts, but the daemon has its first clone process started before anything
 * else, even before its own command line is read. Node starts and loads its code (100 ms) while this process
 * does the same. Where it turns out to be of no use it is ended, or hears the end of its standard input.
 */
import { loadBundle } from './bundle.ts';
import { startCloneProcess } from './clone/clone-process.ts';

/** Commands that need not load a daemon first have bundles of their own. */
const APART = new Map([
  ['mount', 'main-mount'],
  ['rescue', 'main-rescue'],
  ['restore', 'main-rescue'],
]);

const [, , command = '', ...rest] = process.argv;
const { env } = process;
/** Whose its files shall be is for main.ts to find out. */
const mayHaveOwner =
  env['MOUNT_AGENT_OWNER'] !== undefined || rest.some((word) => word.startsWith('--owner'));
const spare = command === 'run' && !mayHaveOwner ? startCloneProcess({ env }) : null;
// It is tried again by whoever needs one, and can say what is wrong.
spare?.once('error', () => undefined);
const name = APART.get(command) ?? 'main';
const bundle = loadBundle(import.meta.filename.replace(/main\.js$/, `${name}.bundle.js`));
bundle.run(spare?.pid === undefined ? null : spare);
