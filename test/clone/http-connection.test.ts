/** The answer to a request for a pack, from a host that says each byte of HTTP itself. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AnswerBody } from '../../agent/clone/http-answer.ts';
import { Transport } from '../../agent/clone/transport.ts';
import { TRANSPORT_LIMITS } from '../../agent/clone/transport-limits.ts';
import type { BodySink, Pour } from '../../agent/clone/http-answer.ts';
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
    const take = (part: Buffer): void => {
      got += part.toString();
    };
    const pouring = pour(sink(take), never());
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
    let backlogs = 0;
    const { promise, release } = gate();
    const take = (part: Buffer): void => {
      received += part.length;
    };
    const backlog = (): Promise<void> | null => (backlogs++ === 0 ? promise : null);
    const pouring = pour({ take, backlog }, never());
    // What the system holds between the two is far less.
    await settled(() => flushed);
    expect(flushed).toBeLessThan(length / 2);
    expect(received).toBeLessThan(2 ** 20);
    release();
    await pouring;
    expect(received).toBe(length);
  });

  it.each(['take', 'backlog'])('ends with what %s throws, and gives no more', async (which) => {
    answer = (socket) => socket.write(`${CHUNKED}1\r\na\r\n`);
    const failure = new Error('the disk is full');
    let taken = 0;
    const take = (): void => {
      taken++;
      sockets[0]!.write('1\r\nb\r\n');
      if (which === 'take') throw failure;
    };
    const backlog = (): Promise<void> => Promise.reject(failure);
    await expect((await ask())({ take, backlog }, never())).rejects.toBe(failure);
    await closed(sockets[0]!);
    expect(taken).toBe(1);
  });

  it.each(['waits', 'is paused'])('ends with the reason of an abort while it %s', async (how) => {
    answer = (socket) => socket.write(`${CHUNKED}1\r\na\r\n`);
    const stop = new AbortController();
    const reason = new Error('the pack is bad');
    const backlog = (): Promise<void> | null => {
      setImmediate(() => {
        stop.abort(reason);
      });
      return how === 'waits' ? null : new Promise(() => undefined);
    };
    await expect((await ask())({ ...sink(), backlog }, stop.signal)).rejects.toBe(reason);
    await closed(sockets[0]!);
    await expect((await ask())(sink(), stop.signal)).rejects.toBe(reason);
  });

  it('ends with the reason of the session, whoever notices first', async () => {
    const reason = new Error('the session ended');
    answer = (socket) => socket.write(`${CHUNKED}1\r\na\r\n`);
    const take = (): void => {
      session.abort(reason);
    };
    await expect((await ask())(sink(take), never())).rejects.toBe(reason);
  });

  it('that stops is given up, unless it was we who did not read', async () => {
    answer = (socket) => socket.write(`${CHUNKED}1\r\na\r\n`);
    let wasBusy = false;
    const backlog = async (): Promise<void> => {
      await new Promise((resolve) => setTimeout(resolve, 400));
      wasBusy = true;
    };
    const pouring = (await ask(100))({ ...sink(), backlog }, never());
    await expect(pouring).rejects.toMatchObject({ code: 'TRANSPORT_TIMEOUT' });
    expect(wasBusy).toBe(true);
  });

  it.each([
    ['a length that is none', 'content-length: 1x\r\n\r\nabc'],
    ['a negative length', 'content-length: -1\r\n\r\nabc'],
    ['two lengths', 'content-length: 3\r\ncontent-length: 4\r\n\r\nabcd'],
    ['a length and chunks', 'content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['another transfer coding', 'transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
    ['a chunk without a size', 'transfer-encoding: chunked\r\n\r\n\r\nabc'],
    ['a chunk of a negative size', 'transfer-encoding: chunked\r\n\r\n-3\r\nabc'],
    ['a chunk that does not end', 'transfer-encoding: chunked\r\n\r\n3\r\nabcd\r\n'],
    ['a chunk of 2^64', `transfer-encoding: chunked\r\n\r\n1${'0'.repeat(16)}\r\nabc`],
    ['a line feed alone', 'transfer-encoding: chunked\r\n\r\n3\nabc\r\n'],
    ['an extension without an end', `transfer-encoding: chunked\r\n\r\n3;${'x'.repeat(70_000)}`],
    ['a trailer that is none', 'transfer-encoding: chunked\r\n\r\n0\r\nno trailer\r\n\r\n'],
  ])('is refused with %s', async (_what, rest) => {
    answer = (socket) => socket.write(HEAD + rest);
    const asking = ask().then((pour) => poured(pour));
    await expect(asking).rejects.toMatchObject({ code: 'TRANSPORT_PROTOCOL' });
  });

  it.each([
    ['another version', 'HTTP/2 200\r\n\r\n'],
    ['no status', 'HTTP/1.1 OK\r\n\r\n'],
    ['a field without a colon', 'HTTP/1.1 200 OK\r\nbad\r\n\r\n'],
    ['a field of two lines', 'HTTP/1.1 200 OK\r\na: b\r\n c: d\r\n\r\n'],
    ['a space before the colon', 'HTTP/1.1 200 OK\r\na : b\r\n\r\n'],
    ['a line feed alone', 'HTTP/1.1 200 OK\r\na: b\nc: d\r\n\r\n'],
    ['a head without an end', `HTTP/1.1 200 OK\r\na: ${'b'.repeat(70_000)}`],
    ['a page', '<html>'],
  ])('is no answer with %s', async (_what, bytes) => {
    answer = (socket) => socket.write(bytes);
    await expect(ask()).rejects.toMatchObject({ code: 'TRANSPORT_PROTOCOL' });
  });

  it('may come behind others of 1xx, and a byte at a time', async () => {
    const early = 'HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n';
    const bytes = `${early}HTTP/1.1 100 Continue\r\n\r\n${CHUNKED}2\r\nab\r\n0\r\n\r\n`;
    answer = (socket) => {
      socket.setNoDelay(true);
      let at = 0;
      const next = (): void => {
        if (at < bytes.length) socket.write(bytes[at++]!, () => setImmediate(next));
      };
      next();
    };
    expect((await poured(await ask())).toString()).toBe('ab');
  });

  it.each([
    ['says so', 'HTTP/1.1', 'connection: close\r\n', ''],
    ['is of HTTP/1.0', 'HTTP/1.0', '', ''],
    ['has more behind it than it says', 'HTTP/1.1', '', 'HTTP/1.1 200 OK\r\n\r\n'],
  ])('is the last of its connection when it %s', async (_what, version, field, more) => {
    answer = (socket) => {
      socket.write(HEAD.replace('HTTP/1.1', version) + `${field}content-length: 1\r\n\r\nx${more}`);
    };
    expect((await poured(await ask())).toString()).toBe('x');
    expect((await poured(await transport!.fetchPack(Buffer.from('want'), 2))).toString()).toBe('x');
    expect(sockets).toHaveLength(2);
  });

  it('leaves the connection to the next request', async () => {
    answer = (socket) => socket.write(`${HEAD}content-length: 0\r\n\r\n`);
    await poured(await ask());
    answer = (socket) => socket.write(`${CHUNKED}1\r\nx\r\n0\r\n\r\n`);
    expect((await poured(await transport!.fetchPack(Buffer.from('want'), 2))).toString()).toBe('x');
    expect(sockets).toHaveLength(1);
  });
});

describe('AnswerBody', () => {
  const chunks = ['5;ext="a"\r\nhello\r\n', '1\r\n \r\n', '00B\r\nwide\r\nworld\r\n', '0\r\n'];
  const bytes = Buffer.from(`${chunks.join('')}trailer: x\r\n\r\nmore`);

  it('is the same wherever it is cut', () => {
    const head = { statusCode: 200, isLast: false, headers: { 'transfer-encoding': 'chunked' } };
    for (let first = 0; first <= bytes.length; first++) {
      for (let second = first; second <= bytes.length; second++) {
        let content = '';
        const body = new AnswerBody(head, (part) => (content += part.toString()));
        let taken = 0;
        for (const end of [first, second, bytes.length]) {
          if (taken < end) taken += body.push(bytes.subarray(taken, end));
        }
        expect([content, body.isComplete, taken]).toEqual([
          'hello wide\r\nworld',
          true,
          bytes.length - 'more'.length,
        ]);
      }
    }
  });
});

function sink(take: (part: Buffer) => void = () => undefined): BodySink {
  return { take, backlog: () => null };
}

async function closed(socket: Socket): Promise<void> {
  // Not once(): it may well be reset.
  if (!socket.closed) await new Promise((resolve) => socket.on('close', resolve));
}

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
