/** The answer to a request for a pack, from a host that says each byte of HTTP itself. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Transport } from '../../agent/clone/transport.ts';
import { TRANSPORT_LIMITS } from '../../agent/clone/transport-limits.ts';
import type { Pour } from '../../agent/clone/pour.ts';
import { Token } from '../../agent/token.ts';
import { TOKEN } from './job.ts';
import { poured } from './streams.ts';

const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: application/x-git-upload-pack-result\r\n';
const BODY = 'x'.repeat(50_000);
const CHUNKED = `${HEAD}transfer-encoding: chunked\r\n\r\n`;

let server: Server;
let sockets: Socket[];
let session: AbortController;
let transport: Transport | undefined;
/** What the host does once it was asked. */
let answer: (socket: Socket) => void;

beforeEach(async () => {
  sockets = [];
  session = new AbortController();
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', (request) => {
      if (request.includes('POST')) answer(socket);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(async () => {
  transport?.[Symbol.dispose]();
  for (const socket of sockets) socket.destroy();
  server.close();
  await once(server, 'close');
});

async function ask(idleTimeoutMs = TRANSPORT_LIMITS.idleTimeoutMs): Promise<Pour> {
  transport = await Transport.open({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/acme/web`,
    token: new Token(TOKEN),
    allowHttp: true,
    environment: {},
    limits: { ...TRANSPORT_LIMITS, idleTimeoutMs },
    signal: session.signal,
  });
  return transport.fetchPack(Buffer.from('want'), 2);
}

function never(): AbortSignal {
  return new AbortController().signal;
}

describe('the answer to fetch', () => {
  it.each([
    ['of a known length', `${HEAD}content-length: ${BODY.length}\r\n\r\n${BODY}`, false],
    ['in chunks', `${CHUNKED}1;a=b\r\nx\r\nC34F\r\n${BODY.slice(1)}\r\n0\r\nt: v\r\n\r\n`, false],
    ['up to the end of the connection', `${HEAD}connection: close\r\n\r\n${BODY}`, true],
  ])('%s is read to its end', async (_how, bytes, isClosed) => {
    answer = (socket) => {
      socket.write(bytes);
      if (isClosed) socket.end();
    };
    expect((await poured(await ask())).toString()).toBe(BODY);
  });

  it.each([
    ['of a known length', `${HEAD}content-length: 100\r\n\r\nhalf`],
    ['in chunks', `${CHUNKED}a\r\nhalf`],
    ['between two chunks', `${CHUNKED}4\r\nhalf\r\n`],
  ])('%s that is cut is given as far as it goes, and called truncated', async (_how, bytes) => {
    answer = (socket) => socket.end(bytes);
    const pour = await ask();
    let got = '';
    const pouring = pour((chunk) => {
      got += chunk.toString();
      return null;
    }, never());
    await expect(pouring).rejects.toMatchObject({ code: 'TRANSPORT_TRUNCATED', transient: true });
    expect(got).toBe('half');
  });

  it('pauses the host while a chunk is busy, and goes on afterwards', async () => {
    const length = 64 * 2 ** 20;
    let flushed = 0;
    answer = (socket) => {
      socket.write(`${HEAD}content-length: ${length}\r\n\r\n`);
      const send = (): void => {
        for (; flushed < length; flushed += 2 ** 20) {
          if (socket.write(Buffer.alloc(2 ** 20))) continue;
          flushed += 2 ** 20;
          socket.once('drain', send);
          return;
        }
      };
      send();
    };
    const pour = await ask();
    let received = 0;
    let busy = 0;
    const { promise, release } = gate();
    const pouring = pour((chunk) => {
      received += chunk.length;
      if (received > 2 ** 20 || busy > 0) return null;
      busy++;
      return promise;
    }, never());
    // What the system holds between the two is far less.
    await settled(() => flushed);
    expect(flushed).toBeLessThan(length / 2);
    expect(received).toBeLessThan(2 ** 20);
    release();
    await pouring;
    expect(received).toBe(length);
  });

  it.each(['at once', 'later'])(
    'ends %s with what a chunk throws, and gives no more',
    async (when) => {
      answer = (socket) => socket.write(`${CHUNKED}1\r\na\r\n1\r\nb\r\n1\r\nc\r\n`);
      const failure = new Error('the disk is full');
      let taken = 0;
      const pouring = (await ask())(() => {
        taken++;
        if (when === 'at once') throw failure;
        return Promise.reject(failure);
      }, never());
      await expect(pouring).rejects.toBe(failure);
      await once(sockets[0]!, 'close');
      expect(taken).toBe(1);
    },
  );

  it.each(['waits', 'is paused'])('ends with the reason of an abort while it %s', async (how) => {
    answer = (socket) => socket.write(`${CHUNKED}1\r\na\r\n`);
    const stop = new AbortController();
    const reason = new Error('the pack is bad');
    const pouring = (await ask())(() => {
      setImmediate(() => {
        stop.abort(reason);
      });
      return how === 'waits' ? null : new Promise(() => undefined);
    }, stop.signal);
    await expect(pouring).rejects.toBe(reason);
    await once(sockets[0]!, 'close');
    await expect((await ask())(() => null, stop.signal)).rejects.toBe(reason);
  });

  it('ends with the reason of the session, whoever notices first', async () => {
    const reason = new Error('the session ended');
    answer = (socket) => socket.write(`${CHUNKED}1\r\na\r\n`);
    const pouring = (await ask())(() => {
      session.abort(reason);
      return null;
    }, never());
    await expect(pouring).rejects.toBe(reason);
  });

  it('that stops is given up, unless it was we who did not read', async () => {
    answer = (socket) => socket.write(`${CHUNKED}1\r\na\r\n`);
    const pour = await ask(100);
    let wasBusy = false;
    const pouring = pour(async () => {
      await new Promise((resolve) => setTimeout(resolve, 400));
      wasBusy = true;
    }, never());
    await expect(pouring).rejects.toMatchObject({ code: 'TRANSPORT_TIMEOUT' });
    expect(wasBusy).toBe(true);
  });
});

function gate(): { readonly promise: Promise<void>; readonly release: () => void } {
  let release = (): void => undefined;
  const promise = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { promise, release };
}

/** Until it has not changed for a while. */
async function settled(value: () => number): Promise<void> {
  for (let before = -1; before !== value();) {
    before = value();
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}
