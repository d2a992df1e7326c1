/**
 * A thread of delta resolution: a job in, its share of it done, and one message out. See
 * resolve-threads.ts, which starts it.
 */
import { parentPort } from 'node:worker_threads';
import { toAgentError } from '../errors.ts';
import { JobShare, type ResolveJob } from './resolve-job.ts';
import type { ThreadReply } from './resolve-threads.ts';
import { asStorageError } from './storage-error.ts';

parentPort?.on('message', (message: ResolveJob) => {
  parentPort?.postMessage(work(unpack(message)));
});

function work(job: ResolveJob): ThreadReply {
  const share = new JobShare(job);
  try {
    while (share.step());
    return { error: null };
  } catch (error) {
    return { error: toAgentError(asStorageError(error, 'reading the pack')).toJSON() };
  } finally {
    share.close();
  }
}

/** On its way between threads a Buffer becomes a plain Uint8Array on the same memory. */
function unpack(job: ResolveJob): ResolveJob {
  const { columns, links } = job;
  return {
    ...job,
    arena: asBuffer(job.arena),
    columns: { ...columns, oids: asBuffer(columns.oids) },
    links: { ...links, refBaseOids: asBuffer(links.refBaseOids) },
  };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
