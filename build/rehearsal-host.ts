/**
 * A host with one repository, on a loopback port: all that a clone asks (gitprotocol-v2), and who the user is.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { encodeLine, FLUSH } from '../agent/clone/pkt-line.ts';
import type { RehearsalPack } from './rehearsal-pack.ts';

const BAND_BYTES = 65_000;

export class RehearsalHost implements AsyncDisposable {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(repository: RehearsalPack): Promise<RehearsalHost> {
    const server = createServer((request, response) => {
      void answer(request, response, repository);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new RehearsalHost(server);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/o/n`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { pack, headOid }: RehearsalPack,
): Promise<void> {
  const { searchParams, pathname } = new URL(request.url ?? '', 'http://host');
  let body = '';
  for await (const chunk of request) body += String(chunk);
  const service = searchParams.get('service');
  if (pathname.endsWith('/user')) {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ login: 'rehearsal', id: 1, name: 'Rehearsal' }));
  } else if (service !== null) {
    response.setHeader('content-type', `application/x-${service}-advertisement`);
    const lines = ['version 2\n', 'agent=rehearsal\n', 'ls-refs=unborn\n', 'fetch=shallow\n'];
    const head = [encodeLine(`# service=${service}\n`), FLUSH];
    response.end(Buffer.concat([...head, ...lines.map(encodeLine), FLUSH]));
  } else {
    response.setHeader('content-type', 'application/x-git-upload-pack-result');
    response.end(body.includes('command=ls-refs') ? refs(headOid) : packed(pack));
  }
}

function refs(oid: string): Buffer {
  const head = encodeLine(`${oid} HEAD symref-target:refs/heads/main\n`);
  const others = ['refs/heads/main', 'refs/heads/other', 'refs/tags/v1'];
  return Buffer.concat([head, ...others.map((name) => encodeLine(`${oid} ${name}\n`)), FLUSH]);
}

function packed(pack: Buffer): Buffer {
  const packets = [encodeLine('packfile\n'), encodeLine('\x02Counting objects: done.\n')];
  for (let at = 0; at < pack.length; at += BAND_BYTES) {
    const bytes = pack.toString('latin1', at, at + BAND_BYTES);
    packets.push(encodeLine(`\x01${bytes}`));
  }
  return Buffer.concat([...packets, FLUSH]);
}
