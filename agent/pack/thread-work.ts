/**
 * What runs in a thread of pack-threads.ts. Entries from its queue in, their objects made, and one
 * message out when the queue has ended; then jobs (what was left over, a look at the links, what a tap has missed), one
 * message out for each.
 */
import { parentPort, receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import { toAgentError } from '../errors.ts';
import type { LateTap } from './arrival-observer.ts';
import { ArrivalResolver } from './arrival-resolver.ts';
import { asBuffer, receiveColumns, type EntryColumns } from './entry-table.ts';
import { LateShare, type LateJob } from './late-contents.ts';
import { LinkCollector, findBrokenRow, type Links } from './object-links.ts';
import type { ThreadJob, ThreadReply, ThreadStart } from './pack-threads.ts';
import { JobShare, type ResolveJob } from './resolve-job.ts';
import { asStorageError } from './storage-error.ts';

/** Makes a tap of the message that came with the entries; it is the same in all threads. */
export type TapMaker = (message: unknown, columns: EntryColumns) => LateTap;

/** Serves the thread's port: a ThreadStart first, ResolveJobs after it. */
export function serveThread(makeTap: TapMaker | undefined): void {
  const port = parentPort;
  if (port === null) throw new TypeError('expected to run in a worker thread');
  port.once('message', (start: ThreadStart) => {
    let found: readonly Links[] = [];
    const links = start.resolver.linkSeeds === null ? undefined : new LinkCollector();
    port.on('message', (job: ThreadJob) => {
      port.postMessage(
        answer(() => ({ links: allOf(found, links), ...work(job, links, makeTap) })),
      );
    });
    port.postMessage(
      answer(() => {
        found = takeEntries(start, port, makeTap);
        return { links: found };
      }),
    );
  });
}

const DONE: ThreadReply = { error: null, links: [], brokenRow: null };

/** What the kernel has collected, and what was afterwards. */
function allOf(found: readonly Links[], links: LinkCollector | undefined): readonly Links[] {
  return links === undefined ? found : [...found, links.links];
}

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
  return {};
}

function takeEntries(
  { ring, resolver: start }: ThreadStart,
  port: MessagePort,
  makeTap: TapMaker | undefined,
): readonly Links[] {
  const columns = receiveColumns(start.columns);
  using resolver = new ArrivalResolver({ ...start, columns });
  resolver.takeEntries(ring, () => {
    resolver.tap = makeTap?.(receiveMessageOnPort(port)?.message, columns);
  });
  const { links } = resolver;
  return links === null ? [] : [links];
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
