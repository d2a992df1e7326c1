/**
 * One answer and how it is sent: whole, at a given speed, or damaged on purpose (cut, stalled,
 * corrupted after N bytes). Every way ends when the client goes away.
 */
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Link } from './link.ts';

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readable | Buffer | string;
}

export type Damage =
  | { readonly type: 'cut'; readonly afterBytes: number }
  /** Without `afterBytes` not even the headers are sent. */
  | { readonly type: 'stall'; readonly afterBytes?: number }
  | { readonly type: 'corrupt'; readonly atByte: number };

export interface Shaping {
  readonly bytesPerSecond: number | null;
  readonly damage: Damage | null;
}

/** @param sent is told the size of each piece of the body as it is handed to the socket. */
export async function sendReply(
  response: ServerResponse,
  reply: Reply,
  shaping: Shaping,
  sent: (bytes: number) => void,
): Promise<void> {
  if (shaping.damage?.type === 'stall' && shaping.damage.afterBytes === undefined) {
    if (reply.body instanceof Readable) reply.body.destroy();
    await closed(response);
    return;
  }
  response.writeHead(reply.status, reply.headers);
  const source =
    reply.body instanceof Readable ? reply.body : Readable.from([bufferOf(reply.body)]);
  const shaped = shape(source, shaping, response);
  try {
    await pipeline(async function* () {
      for await (const piece of shaped) {
        sent(piece.length);
        yield piece;
      }
    }, response);
  } catch (error) {
    // The client went away, or the connection was cut on purpose: nobody is left to answer.
    if (!response.destroyed && !source.destroyed) throw error;
  } finally {
    source.destroy();
  }
}

function bufferOf(body: Buffer | string): Buffer {
  return typeof body === 'string' ? Buffer.from(body) : body;
}

async function* shape(
  source: Readable,
  { bytesPerSecond, damage }: Shaping,
  response: ServerResponse,
): AsyncGenerator<Buffer> {
  let position = 0;
  const link = bytesPerSecond === null ? null : new Link(bytesPerSecond);
  for await (const chunk of source as AsyncIterable<Buffer>) {
    for await (const slice of link?.pass(chunk) ?? [chunk]) {
      const start = position;
      position += slice.length;
      if (damage?.type === 'corrupt') corrupt(slice, damage.atByte - start);
      const end = damage === null || damage.type === 'corrupt' ? undefined : damage.afterBytes;
      if (end !== undefined && position >= end) {
        yield slice.subarray(0, end - start);
        await interrupt(response, damage?.type === 'cut');
        return;
      }
      yield slice;
    }
  }
}

function corrupt(slice: Buffer, at: number): void {
  const byte = slice[at];
  if (byte !== undefined) slice[at] = byte ^ 0xff;
}

/** Lets what was written reach the client, then closes the connection or leaves it hanging. */
async function interrupt(response: ServerResponse, cut: boolean): Promise<void> {
  if (cut) response.socket?.destroySoon();
  await closed(response);
}

function closed(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    if (response.destroyed) resolve();
    else response.once('close', resolve);
  });
}
