/**
 * One way out for warnings (a program, a URL, a terminal). Enters: events in their order. Leaves:
 * one delivery at a time; while it goes on only the newest event waits, because what is out of date
 * helps nobody. Each event ends as delivered, failed or superseded, and is counted so.
 */
import { toAgentError } from '../errors.ts';
import { reasonOf, sleep } from '../lifetime.ts';
import type { Log } from '../log.ts';
import type { WarningEvent } from './warning-event.ts';

export type DeliveryResult = 'delivered' | 'failed' | 'superseded';

export interface Delivery {
  /** Aborted when the session ends: whatever is under way has to end too. */
  readonly signal: AbortSignal;
  /** Aborted when a newer event waits: no reason to try this one again. */
  readonly superseded: AbortSignal;
}

export interface OutboxContext {
  readonly channel: string;
  /** @throws when it could not be delivered; false: there was nobody to deliver it to. */
  readonly deliver: (event: WarningEvent, delivery: Delivery) => Promise<boolean>;
  readonly log: Log;
  readonly onResult: (channel: string, result: DeliveryResult) => void;
  /** Between two deliveries. */
  readonly pauseMs?: number;
}

/** Work that comes and goes must not start a program many times a second. */
const PAUSE_MS = 1_000;
/** What a delivery under way gets at the end of the session. */
const END_GRACE_MS = 500;

class Superseded extends Error {}

export class WarningOutbox implements AsyncDisposable {
  readonly #context: OutboxContext;
  readonly #ending = new AbortController();
  #superseded = new AbortController();
  #next: WarningEvent | null = null;
  #working: Promise<void> | null = null;

  constructor(context: OutboxContext) {
    this.#context = context;
  }

  /** Never waits, never throws. */
  send(event: WarningEvent): void {
    if (this.#ending.signal.aborted) return;
    if (this.#next !== null) this.#end(this.#next, 'superseded');
    this.#next = event;
    this.#superseded.abort(new Superseded('a newer event waits'));
    this.#working ??= this.#work();
  }

  /** What is under way gets a moment. */
  async [Symbol.asyncDispose](): Promise<void> {
    const { signal } = this.#ending;
    const timer = setTimeout(() => {
      this.#ending.abort(new Error('the session has ended'));
    }, END_GRACE_MS);
    if (this.#working === null) clearTimeout(timer);
    await this.#working;
    clearTimeout(timer);
    if (!signal.aborted) this.#ending.abort(new Error('the session has ended'));
  }

  async #work(): Promise<void> {
    for (let event = this.#take(); event !== null; event = this.#take()) {
      await this.#deliver(event);
      if (this.#next !== null) await this.#pause();
    }
    // In the same turn as the look that found nothing: an event sent later starts anew.
    this.#working = null;
  }

  async #pause(): Promise<void> {
    const { signal } = this.#ending;
    await sleep(this.#context.pauseMs ?? PAUSE_MS, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }

  #take(): WarningEvent | null {
    const event = this.#next;
    this.#next = null;
    this.#superseded = new AbortController();
    return event;
  }

  async #deliver(event: WarningEvent): Promise<void> {
    const { channel, deliver, log } = this.#context;
    const { signal } = this.#ending;
    const superseded = this.#superseded.signal;
    try {
      signal.throwIfAborted();
      const isDelivered = await deliver(event, { signal, superseded });
      if (isDelivered) this.#end(event, 'delivered');
    } catch (error) {
      if (superseded.aborted && reasonOf(superseded) === error) {
        this.#end(event, 'superseded');
        return;
      }
      const { message, code, remedy } = toAgentError(error);
      log.error({ channel, id: event.id, code, reason: message, remedy }, 'warning not delivered');
      this.#end(event, 'failed');
    }
  }

  #end(event: WarningEvent, result: DeliveryResult): void {
    const { channel, log, onResult } = this.#context;
    const { id } = event;
    if (result !== 'failed') log.debug({ channel, id, event: event.event }, `warning ${result}`);
    onResult(channel, result);
  }
}
