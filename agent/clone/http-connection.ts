/**
 * HTTP/1.1 over one connection, one request at a time. Enters: a request as bytes. Leaves: the head of
 * its answer, then the body as parts of one buffer that the socket fills again and again; Node's client
 * copies each of them into two new ones, and takes half as much time again per MB. Invariant: nothing is
 * handed over after the end, and what nobody reads stops the socket.
 */
import type { OnReadOpts, Socket } from 'node:net';
import { reasonOf } from '../lifetime.ts';
import { AnswerBody, HeadText } from './http-answer.ts';
import type { Answer, AnswerHead, BodySink, PourOptions } from './http-answer.ts';

/** As much as libuv asks the system for at once. */
const READ_BYTES = 65_536;

export interface HeadTimeouts {
  readonly connectTimeoutMs: number;
  readonly headersTimeoutMs: number;
}

/** Who gets what the socket gives. */
interface Reader {
  take(bytes: Buffer): void;
  /** Null when the host has ended the connection. */
  end(error: Error | null): void;
  /** What take() threw. */
  fail(error: Error): void;
}

export class HttpConnection {
  readonly #socket: Socket;
  #reader: Reader | null = null;
  /** What came while there was no reader: the beginning of a body. */
  #held: Buffer[] = [];
  #over: { readonly error: Error | null } | null = null;
  #isIdle = true;
  #leaveSignal = (): void => undefined;

  constructor(connect: (onread: OnReadOpts) => Socket) {
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
    const callback = (length: number): boolean => {
      this.#take(buffer.subarray(0, length));
      return true;
    };
    this.#socket = connect({ buffer, callback });
    // In its place where TLS begins on a socket that there was before.
    this.#socket.on('data', (bytes: Buffer) => {
      this.#take(bytes);
    });
    this.#socket.on('error', (error) => {
      this.#end(error);
    });
    const onEnd = (): void => {
      this.#end(null);
    };
    this.#socket.on('end', onEnd).on('close', onEnd);
  }

  /** It may be used for another request. */
  get isIdle(): boolean {
    return this.#isIdle && this.#over === null;
  }

  destroy(): void {
    this.#isIdle = false;
    this.#leaveSignal();
    this.#socket.destroy();
  }

  /** @throws the reason of `signal`, ETIMEDOUT, TransportError, what the network throws. */
  async ask(request: Buffer, timeouts: HeadTimeouts, signal: AbortSignal): Promise<Answer> {
    signal.throwIfAborted();
    const onAbort = (): void => {
      this.#end(reasonOf(signal));
      this.destroy();
    };
    signal.addEventListener('abort', onAbort);
    this.#leaveSignal = () => {
      signal.removeEventListener('abort', onAbort);
    };
    this.#isIdle = false;
    this.#socket.write(request);
    const head = await this.#orDestroy(this.#head(timeouts));
    const pour: Answer['pour'] = async (sink, stop, options) => {
      const body = new AnswerBody(head, (part) => {
        sink.take(part);
      });
      await this.#orDestroy(this.#pour(body, sink, stop, options));
      this.#leaveSignal();
      this.#isIdle = !head.isLast && body.isComplete && this.#held.length === 0;
      if (!this.#isIdle) this.destroy();
    };
    const destroy = (): void => {
      this.destroy();
    };
    return { ...head, pour, destroy };
  }

  async #orDestroy<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      this.destroy();
      throw error;
    }
  }

  #head({ connectTimeoutMs, headersTimeoutMs }: HeadTimeouts): Promise<AnswerHead> {
    const socket = this.#socket;
    return new Promise((resolve, reject) => {
      const end = (error: Error | null): void => {
        clearTimeout(timer);
        this.#reader = null;
        reject(error ?? lost('the connection ended before an answer'));
      };
      const giveUp = (what: string): void => {
        end(timedOut(what));
      };
      let timer = setTimeout(giveUp, connectTimeoutMs, 'no connection');
      const awaitHead = (): void => {
        clearTimeout(timer);
        timer = setTimeout(giveUp, headersTimeoutMs, 'no answer');
      };
      const connecting = connectingOf(socket);
      if (connecting === null) awaitHead();
      else socket.once(connecting, awaitHead);
      const text = new HeadText();
      this.#read({
        end,
        fail: end,
        take: (bytes) => {
          const found = text.push(bytes);
          if (found === null) return;
          clearTimeout(timer);
          socket.pause();
          this.#reader = null;
          if (found.rest.length > 0) this.#held.push(found.rest);
          resolve(found.head);
        },
      });
    });
  }

  #pour(
    body: AnswerBody,
    sink: BodySink,
    stop: AbortSignal,
    { idleTimeoutMs, explain }: PourOptions,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      let isBusy = false;
      const settle = (error?: Error): void => {
        clearTimeout(idle);
        stop.removeEventListener('abort', onStop);
        this.#reader = null;
        if (error === undefined) resolve();
        else reject(error);
      };
      const onStop = (): void => {
        settle(reasonOf(stop));
      };
      const idle = setTimeout(() => {
        if (!isBusy) settle(explain(timedOut('no byte')));
      }, idleTimeoutMs);
      const goOn = (): void => {
        isBusy = false;
        if (this.#reader !== reader) return;
        idle.refresh();
        this.#socket.resume();
      };
      const take = (bytes: Buffer): void => {
        idle.refresh();
        const taken = body.push(bytes);
        if (taken < bytes.length) this.#held.push(bytes.subarray(taken));
        if (body.isComplete) settle();
        // A socket that is paused may give what TLS had decrypted before.
        const backlog = body.isComplete || isBusy ? null : sink.backlog();
        if (backlog === null) return;
        isBusy = true;
        this.#socket.pause();
        backlog.then(goOn, settle);
      };
      const end = (error: Error | null): void => {
        if (error === null && body.isUnbounded) settle();
        else settle(explain(error ?? lost('the connection ended within an answer')));
      };
      const reader: Reader = { take, end, fail: settle };
      stop.addEventListener('abort', onStop);
      if (stop.aborted) onStop();
      else if (body.isComplete) settle();
      else this.#read(reader);
    });
  }

  #read(reader: Reader): void {
    this.#reader = reader;
    this.#socket.resume();
    for (const bytes of this.#held.splice(0)) this.#take(bytes);
    if (this.#over !== null) this.#end(this.#over.error);
  }

  #take(bytes: Buffer): void {
    const reader = this.#reader;
    if (reader === null) {
      // Nothing was asked for.
      if (this.#isIdle) this.destroy();
      else this.#held.push(Buffer.from(bytes));
      return;
    }
    try {
      reader.take(bytes);
    } catch (error) {
      reader.fail(error as Error);
    }
  }

  #end(error: Error | null): void {
    this.#over ??= { error };
    this.#reader?.end(error);
  }
}

/** The event that says that it stands; null where it does. */
function connectingOf(socket: Socket): 'connect' | 'secureConnect' | null {
  // Of a TLSSocket, until its handshake is done.
  if ('secureConnecting' in socket && socket.secureConnecting === true) return 'secureConnect';
  return socket.connecting ? 'connect' : null;
}

function timedOut(what: string): Error {
  return Object.assign(new Error(what), { code: 'ETIMEDOUT' });
}

function lost(what: string): Error {
  return Object.assign(new Error(what), { code: 'ECONNRESET' });
}
