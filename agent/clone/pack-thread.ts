/** What a pack thread is started with: it makes objects, and writes the files that they belong to. */
import { EarlyFiles } from '../checkout/early-files.ts';
import type { SharedMemory } from '../checkout/shared-files.ts';
import { serveThread } from '../pack/thread-work.ts';

serveThread((message, { oids }) => new EarlyFiles(message as SharedMemory, oids));
