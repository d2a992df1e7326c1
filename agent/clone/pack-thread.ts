/** What a pack thread is started with: it makes objects, and writes the files that they belong to. */
import { EarlyFiles } from '../checkout/early-files.ts';
import type { NodeMemory } from '../checkout/node-table.ts';
import { serveThread } from '../pack/thread-work.ts';

serveThread((message, host) => {
  // The kernel of `host` calls it from now on.
  new EarlyFiles(message as NodeMemory, host);
});
