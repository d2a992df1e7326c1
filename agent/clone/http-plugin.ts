/**
 * The seam to isomorphic-git. To it this is an `http` client of a host with a single ref and an empty
 * pack; behind it the refs come by ls-refs and the pack streams into our own ingest, with
 * back-pressure. Invariant: request() of the POST settles only when pack and idx are durable, since
 * isomorphic-git writes refs right after, and it throws on any fault, since faults inside a body that
 * isomorphic-git reads would be lost.
 */
import type { GitHttpRequest, GitHttpResponse, HttpClient } from 'isomorphic-git';
import { TransportError } from '../errors.ts';
import { ingestPack, prepareIngest } from '../pack/ingest.ts';
import type { BufferPool } from '../pack/buffer-pool.ts';
import type { ArrivalObserver } from '../pack/arrival-observer.ts';
import type { PackLimits } from '../pack/limits.ts';
import type { PackSink, PackSource } from '../pack/pack-source.ts';
import type { Turn } from '../pack/turns.ts';
import type { Checkout } from '../resource.ts';
import { synthesiseAdvertisement } from './advertisement.ts';
import type { Advertisement } from './advertisement.ts';
import { AGENT, discoverRefs } from './discover-refs.ts';
import { FetchAnswer } from './fetch-answer.ts';
import { fetchRequest } from './fetch-request.ts';
import { encodeLine, FLUSH } from './pkt-line.ts';
import type { Pour } from './pour.ts';
import type { ProgressReporter } from './progress-reporter.ts';
import { missingCommit, planRefs } from './ref-plan.ts';
import type { RefPlan } from './ref-plan.ts';
import { wantsOf } from './remote-refs.ts';
import type { RemoteRefs } from './remote-refs.ts';
import { StallGuard } from './stall-guard.ts';
import type { Transport } from './transport.ts';
import type { TransportLimits } from './transport-limits.ts';

export interface HttpPluginContext {
  readonly transport: Transport;
  readonly packDir: string;
  readonly limits: { readonly pack: PackLimits; readonly transport: TransportLimits };
  readonly checkout: Checkout | null;
  readonly signal: AbortSignal;
  readonly reporter: ProgressReporter;
  readonly buffers: BufferPool;
  readonly turn: Turn | undefined;
  /** Who looks at the pack that brings these refs while it arrives. */
  readonly observerFor: (plan: RefPlan) => ArrivalObserver;
}

export interface FetchedPack {
  readonly objectCount: number;
  readonly packBytes: number;
  /** See IngestOutcome. */
  readonly brokenOid: string | null;
  readonly shallow: readonly string[];
}

const NO_PACK: FetchedPack = { objectCount: 0, packBytes: 0, brokenOid: null, shallow: [] };

/** What the host has, and what becomes of it. */
interface Discovery {
  readonly advertisement: Advertisement;
  readonly refs: RemoteRefs;
  readonly plan: RefPlan;
}

export class HttpPlugin implements HttpClient {
  readonly #context: HttpPluginContext;
  readonly #discovering: Promise<Discovery>;
  readonly #asking: Promise<Pour | null>;
  #discovery: Discovery | null = null;
  #pack: FetchedPack = NO_PACK;

  /**
   * Asks for the refs, and for the pack as soon as they are there: the host answers while
   * isomorphic-git makes the gitdir. What comes of it, request() returns or throws.
   */
  constructor(context: HttpPluginContext) {
    this.#context = context;
    this.#discovering = this.#discover();
    this.#asking = this.#discovering.then((discovery) => this.#askForPack(discovery));
    this.#asking.catch(() => undefined);
  }

  /** The refs to be written; known once isomorphic-git's fetch has returned. */
  get plan(): RefPlan {
    return this.#discovered.plan;
  }

  /** What came; nothing for an empty repository. */
  get pack(): FetchedPack {
    return this.#pack;
  }

  // An arrow function, because isomorphic-git may call it detached from its object.
  readonly request = async (request: GitHttpRequest): Promise<GitHttpResponse> => {
    if (request.method === 'GET') {
      this.#discovery = await this.#discovering;
      const [firstWant = null] = wantsOf(this.#discovery.refs);
      return respond(request, 'advertisement', synthesiseAdvertisement(firstWant));
    }
    // What isomorphic-git would ask for (HEAD alone) is part of what was asked for.
    this.#pack = await this.#fetch();
    return respond(request, 'result', Buffer.concat([encodeLine('NAK\n'), FLUSH]));
  };

  get #discovered(): Discovery {
    if (this.#discovery === null) throw new TypeError('nothing was discovered yet');
    return this.#discovery;
  }

  async #discover(): Promise<Discovery> {
    const { transport, checkout } = this.#context;
    const { advertisement, refs } = await discoverRefs(transport);
    // A branch that is missing is found here, before anything large is asked for.
    return { advertisement, refs, plan: planRefs(refs, checkout) };
  }

  /** null for an empty repository. */
  async #askForPack({ advertisement, refs, plan }: Discovery): Promise<Pour | null> {
    const { version, capabilities } = advertisement;
    const wants = new Set(wantsOf(refs));
    if (wants.size === 0) return null;
    // Protocol 2 serves any object by name; protocol 0 refuses the whole request for one unknown.
    if (version === 2 && plan.detachAt !== null) wants.add(plan.detachAt);
    const body = fetchRequest({ version, capabilities, wants: [...wants], agent: AGENT });
    // While the host looks for the objects.
    setImmediate(prepareIngest);
    return this.#context.transport.fetchPack(body, version);
  }

  async #fetch(): Promise<FetchedPack> {
    const { advertisement, refs } = this.#discovered;
    const pour = await this.#asking;
    if (pour === null) throw new TypeError('nothing was asked for');
    const shallow = [...refs.shallow];
    const { objectCount, packBytes, brokenOid } = await this.#ingest(async (sink, stop) => {
      shallow.push(...(await this.#receive(pour, advertisement.version, sink, stop)));
    });
    return { objectCount, packBytes, brokenOid, shallow };
  }

  /** Returns the lines of `.git/shallow`. */
  async #receive(
    pour: Pour,
    version: 0 | 2,
    sink: PackSink,
    stop: AbortSignal,
  ): Promise<readonly string[]> {
    using guard = new StallGuard(this.#context.limits.transport);
    const answer = new FetchAnswer(version, (bytes) => {
      guard.received(bytes.length);
      sink.take(bytes);
    });
    const take = (chunk: Buffer): Promise<void> | null => {
      answer.push(chunk);
      const backlog = sink.backlog();
      return backlog === null ? null : guard.excuse(backlog);
    };
    await this.#explain(pour(take, AbortSignal.any([stop, guard.signal])));
    answer.end();
    return answer.shallow;
  }

  #ingest(source: PackSource): ReturnType<typeof ingestPack> {
    const { packDir, limits, signal, reporter, buffers, turn, observerFor } = this.#context;
    const { plan } = this.#discovered;
    return ingestPack(source, {
      packDir,
      limits: limits.pack,
      signal,
      observer: observerFor(plan),
      collectLinks: true,
      buffers,
      turn,
      onProgress: ({ phase, receivedBytes, objects, totalObjects }) => {
        reporter.update(phase, {
          received_bytes: receivedBytes,
          objects,
          total_objects: totalObjects,
        });
      },
    });
  }

  /** The host's "not our ref <oid>" about the manifest's own commit has a better name. */
  async #explain<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      const { detachAt } = this.#discovered.plan;
      const remote = error instanceof TransportError && error.code === 'TRANSPORT_REMOTE';
      if (remote && detachAt !== null && error.message.includes(`not our ref ${detachAt}`)) {
        throw missingCommit(detachAt);
      }
      throw error;
    }
  }
}

function respond({ url, method }: GitHttpRequest, kind: string, body: Buffer): GitHttpResponse {
  return {
    url,
    method: method ?? 'GET',
    statusCode: 200,
    statusMessage: 'OK',
    // Compared literally by isomorphic-git.
    headers: { 'content-type': `application/x-git-upload-pack-${kind}` },
    body: once(body),
  };
}

/** A generator object, because isomorphic-git sets properties on the body. */
// eslint-disable-next-line @typescript-eslint/require-await -- the type asks for an async iterable
async function* once(body: Buffer): AsyncIterableIterator<Uint8Array> {
  yield body;
}
