/**
 * What runs in a thread of pack-threads.ts. Entries from its queue in, their objects made, and one
 * message out when the queue has ended; then jobs (what was left over, a look at the links, what a tap has missed), one
 * message out for each.
 */
import { parentPort, receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import { toAgentError } from '../errors.ts';
import type { LateTap } from './arrival-observer.ts';
import { ArrivalResolver } from './arrival-resolver.ts';
import { EntryRingReader } from './entry-ring.ts';
import { asBuffer, receiveColumns } from './entry-table.ts';
import { LateShare, type LateJob } from './late-contents.ts';
import { LinkCollector, findBrokenRow } from './object-links.ts';
import type { ThreadJob, ThreadReply, ThreadStart } from './pack-threads.ts';
import { JobShare, type ResolveJob } from './resolve-job.ts';
import { asStorageError } from './storage-error.ts';

/** Makes a tap of the message that came with the entries; it is the same in all threads. */
export type TapMaker = (message: unknown, columns: ThreadStart['columns']) => LateTap;

/** Serves the thread's port: a ThreadStart first, ResolveJobs after it. */
export function serveThread(makeTap: TapMaker | undefined): void {
  const port = parentPort;
  if (port === null) throw new TypeError('expected to run in a worker thread');
  port.once('message', (start: ThreadStart) => {
    const links = start.collectLinks ? new LinkCollector() : undefined;
    port.on('message', (job: ThreadJob) => {
      port.postMessage(answer(() => work(job, links, makeTap)));
    });
    port.postMessage(
      answer(() => {
        takeEntries(start, links, port, makeTap);
        return { links: links?.links ?? null };
      }),
    );
  });
}

const DONE: ThreadReply = { error: null, links: null, brokenRow: null };

function answer(work: () => Partial<ThreadReply>): ThreadReply {
  try {
    return { ...DONE, ...work() };
  } catch (error) {
    return { ...DONE, error: toAgentError(asStorageError(error, 'storing the pack')).toJSON() };
  }
}

function work(
  job: ThreadJob,
  links: LinkCollector | undefined,
  makeTap: TapMaker | undefined,
): Partial<ThreadReply> {
  if (job.kind === 'check') {
    return { brokenRow: findBrokenRow({ ...job.check, oids: asBuffer(job.check.oids) }) };
  }
  if (job.kind === 'late') {
    if (makeTap !== undefined) takeLateShare(job.job, makeTap);
    return {};
  }
  resolveShare(receiveJob(job.job), links);
  return { links: links?.links ?? null };
}

function takeEntries(
  start: ThreadStart,
  links: LinkCollector | undefined,
  port: MessagePort,
  makeTap: TapMaker | undefined,
): void {
  const columns = receiveColumns(start.columns);
  const { fd, limits, contentRingBytes } = start;
  using resolver = new ArrivalResolver(columns, fd, limits, contentRingBytes, links);
  const ring = new EntryRingReader(start.ring);
  for (let next = ring.next(); next !== 'end'; next = ring.next()) {
    if (next === 'entry') resolver.take(ring.row, ring.isDelta, ring.bytes, ring.start, ring.size);
    else resolver.tap = makeTap?.(receiveMessageOnPort(port)?.message, columns);
    ring.release();
  }
}

function resolveShare(job: ResolveJob, links: LinkCollector | undefined): void {
  const share = new JobShare(job, links);
  try {
    while (share.step());
  } finally {
    share.close();
  }
}

function takeLateShare(job: LateJob, makeTap: TapMaker): void {
  const columns = receiveColumns(job.columns);
  using share = new LateShare({ ...job, columns }, makeTap(job.message, columns));
  while (share.step());
}

function receiveJob(job: ResolveJob): ResolveJob {
  const { columns, links } = job;
  return {
    ...job,
    columns: receiveColumns(columns),
    links: { ...links, refBaseOids: asBuffer(links.refBaseOids) },
  };
}
