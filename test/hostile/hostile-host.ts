/**
 * A host that has one repository for each case and answers for it as the case says, in protocol 2.
 * Keeps what it was asked, so that a test can see what was sent to whom.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ErrorCode } from '../../agent/errors.ts';
import { bytesOf, collect, pkt } from '../clone/streams.ts';
import { RIGHT, TIP, packOf } from './objects.ts';

export type Responder = (
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer,
) => void | Promise<void>;

export interface HostileCase {
  /** Of the list of broken and hostile input. */
  readonly number: number;
  readonly name: string;
  readonly expected: ErrorCode | 'ready';
  /** Where in the pack the error says that it is. */
  readonly offset?: number;
  /** Part of the message or of the remedy. */
  readonly says?: RegExp;
  /** The three answers of a clone; right ones unless told. */
  readonly advertisement?: Buffer | Responder;
  readonly refs?: readonly string[] | Buffer | Responder;
  readonly answer?: Buffer | Responder;
}

export const MAIN_REFS = [
  `${TIP.oid} HEAD symref-target:refs/heads/main`,
  `${TIP.oid} refs/heads/main`,
];

/** The pack in one packet of the sideband after another. */
export function packAnswer(pack: Buffer): Buffer {
  const packets: Buffer[] = [];
  for (let at = 0; at < pack.length; at += 60_000) {
    packets.push(pkt(`\x01${pack.toString('latin1', at, at + 60_000)}`));
  }
  return bytesOf(pkt('packfile\n'), ...packets, '0000');
}

const ADVERTISEMENT = bytesOf(
  ...['version 2\n', 'agent=git/2.39.5\n', 'ls-refs=unborn\n', 'fetch\n', 'bundle-uri\n'].map(pkt),
  '0000',
);

export class HostileHost implements AsyncDisposable {
  readonly requests: {
    readonly name: string;
    readonly authorized: boolean;
    readonly body: string;
  }[] = [];
  readonly #cases: ReadonlyMap<string, HostileCase>;
  readonly #server: Server;

  private constructor(cases: readonly HostileCase[]) {
    this.#cases = new Map(cases.map((each, at) => [repositoryName(at), each]));
    this.#server = createServer((request, response) => {
      void this.#serve(request, response);
    });
    this.#server.on('connection', (socket) => socket.on('error', () => socket.destroy()));
  }

  static async start(cases: readonly HostileCase[]): Promise<HostileHost> {
    const host = new HostileHost(cases);
    host.#server.listen(0, '127.0.0.1');
    await once(host.#server, 'listening');
    return host;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await collect(request);
    const { pathname } = new URL(request.url ?? '/', this.origin);
    const name = /^\/acme\/([^/]+)\//.exec(pathname)?.[1] ?? '';
    const authorized = request.headers.authorization !== undefined;
    this.requests.push({ name, authorized, body: body.toString('latin1') });
    const found = this.#cases.get(name);
    if (found === undefined) response.writeHead(404).end();
    else await answerFor(found, request, response, body);
  }
}

export function repositoryName(at: number): string {
  return `case-${at}`;
}

async function answerFor(
  {
    advertisement = ADVERTISEMENT,
    refs = MAIN_REFS,
    answer = packAnswer(packOf(...RIGHT)),
  }: HostileCase,
  request: IncomingMessage,
  response: ServerResponse,
  body: Buffer,
): Promise<void> {
  const isGet = request.method === 'GET';
  const chosen = isGet ? advertisement : body.includes('command=ls-refs') ? refs : answer;
  if (typeof chosen === 'function') {
    await chosen(request, response, body);
    return;
  }
  const bytes = Buffer.isBuffer(chosen)
    ? chosen
    : Buffer.concat([...chosen.map((line) => pkt(`${line}\n`)), Buffer.from('0000')]);
  const kind = isGet ? 'advertisement' : 'result';
  response.setHeader('content-type', `application/x-git-upload-pack-${kind}`).end(bytes);
}
