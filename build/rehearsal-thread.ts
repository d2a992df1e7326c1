/**
 * Stands for pack-thread.js during a rehearsal: what V8 had compiled by the last of its answers stands
 * beside the bundle. It is written before the answer is given: after it the thread may be ended at any time.
 */
import { parentPort } from 'node:worker_threads';
import { loadBundle } from '../agent/bundle.ts';
import { writeCache } from './rehearsal-cache.ts';

const path = import.meta.filename.replace(/\.js$/, '.bundle.js');
const bundle = loadBundle(path);
if (parentPort === null) throw new TypeError('expected to run in a worker thread');
const answer = parentPort.postMessage.bind(parentPort);
parentPort.postMessage = (message: unknown): void => {
  writeCache(path, bundle);
  answer(message);
};
bundle.run();
