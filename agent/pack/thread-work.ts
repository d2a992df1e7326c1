/**
 * What runs in a thread of pack-threads.ts. Entries from its queue in, their objects made, and one
 * message out when the queue has ended; then jobs (what was left over, a look at the links, what a tap has missed), one
 * message out for each.
 */
import { parentPort, receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import { toAgentError } from '../errors.ts';
import type { CheckoutMaker } from './arrival-observer.ts';
import { ArrivalResolver } from './arrival-resolver.ts';
import { asBuffer, receiveColumns } from './entry-table.ts';
import { LateShare, type LateJob } from './late-contents.ts';
import { findBrokenRow, type LinkCheck } from './link-check.ts';
import { LinkCollector, type Links } from './object-links.ts';
import type { ThreadJob, ThreadReply, ThreadStart } from './pack-threads.ts';
import { JobShare, type ResolveJob } from './resolve-job.ts';
import { asStorageError } from './storage-error.ts';

/** Serves the thread's port: a ThreadStart first, ResolveJobs after it. */
export function serveThread(makeCheckout: CheckoutMaker | undefined): void {
  const port = parentPort;
  if (port === null) throw new TypeError('expected to run in a worker thread');
  port.once('message', (start: ThreadStart) => {
    let arrived: Arrived = { found: [] };
    const { memory } = start.resolver;
    const { linkSeeds } = start.resolver;
    const links = linkSeeds === null ? undefined : new LinkCollector(linkSeeds);
    port.on('message', (job: ThreadJob) => {
      port.postMessage(
        answer(() => {
          if (job.kind === 'check') return { brokenRow: check(job.check, arrived, memory) };
          work(job, links, arrived, makeCheckout);
          return { links: allOf(arrived.found, links) };
        }),
      );
    });
    port.postMessage(
      answer(() => {
        arrived = takeEntries(start, port, makeCheckout);
        return { links: arrived.found };
      }),
    );
  });
}

/** What is left of the entries when the queue has ended. */
interface Arrived {
  readonly found: readonly Links[];
  readonly host?: ArrivalResolver;
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
  job: Exclude<ThreadJob, { kind: 'check' }>,
  links: LinkCollector | undefined,
  arrived: Arrived,
  makeCheckout: CheckoutMaker | undefined,
): void {
  if (job.kind === 'resolve') resolveShare(receiveJob(job.job), links);
  else if (job.kind === 'end') hostOf(arrived)[Symbol.dispose]();
  else if (makeCheckout !== undefined) takeLateShare(job.job, hostOf(arrived), makeCheckout);
}

function check(given: LinkCheck, arrived: Arrived, memory: WebAssembly.Memory): number | null {
  return findBrokenRow({ ...given, oids: asBuffer(given.oids) }, hostOf(arrived).kernel, memory);
}

function hostOf({ host }: Arrived): ArrivalResolver {
  if (host === undefined) throw new TypeError('expected the entries before a job');
  return host;
}

function takeEntries(
  { ring, resolver: start }: ThreadStart,
  port: MessagePort,
  makeCheckout: CheckoutMaker | undefined,
): Arrived {
  const columns = receiveColumns(start.columns);
  const resolver = new ArrivalResolver({ ...start, columns });
  resolver.takeEntries(ring, () => {
    makeCheckout?.(receiveMessageOnPort(port)?.message, resolver);
  });
  const { links } = resolver;
  return { found: links === null ? [] : [links], host: resolver };
}

function resolveShare(job: ResolveJob, links: LinkCollector | undefined): void {
  const share = new JobShare(job, links);
  try {
    while (share.step());
  } finally {
    share.close();
  }
}

function takeLateShare(job: LateJob, resolver: ArrivalResolver, makeCheckout: CheckoutMaker): void {
  // It was told, unless the plan was begun late.
  if (resolver.checkout === undefined) makeCheckout(job.message, resolver);
  const share = new LateShare(job, resolver);
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
