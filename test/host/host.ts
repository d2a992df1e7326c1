/**
 * A loopback GitHub: one http server on 127.0.0.1 that is reached as an HTTP proxy for
 * `github.localhost` and `api.github.localhost`, or directly. Real `git http-backend` behind token
 * checks per repository, and the part of the API that gh uses. Dispose ends every child and socket.
 */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { FaultRegistry } from './faults.ts';
import type { Fault, FaultHandle, FaultMatch, FaultOptions } from './faults.ts';
import { GitBackend } from './git-backend.ts';
import { PullRequestRegistry } from './pull-requests.ts';
import type { PullRequest } from './pull-requests.ts';
import { Recording } from './recording.ts';
import type { RecordingMode } from './recording.ts';
import { RepositoryRegistry } from './repositories.ts';
import { RequestHandler } from './request-handler.ts';
import type { RecordedRequest } from './request-handler.ts';
import { TokenRegistry } from './tokens.ts';
import { TlsFront } from './tls-front.ts';
import type { TokenGrant } from './tokens.ts';

export interface HostRepository {
  readonly owner: string;
  readonly name: string;
  /** A bare repository; pushes change it. */
  readonly bareDir: string;
  readonly tokens: readonly TokenGrant[];
  /** Readable without a token; false unless told. */
  readonly isPublic?: boolean;
}

export interface HostOptions {
  readonly repositories?: readonly HostRepository[];
  /** Names answered beside github.localhost and api.github.localhost, for an enterprise host. */
  readonly hostNames?: readonly string[];
  /** Names answered over https as well, by way of the proxy; their CA stands in `environment`. */
  readonly secureNames?: readonly string[];
}

export interface Host extends AsyncDisposable {
  readonly port: number;
  /** `http://127.0.0.1:PORT`: the proxy, and the host itself for direct requests. */
  readonly origin: string;
  /** For child processes: everything goes through the proxy, nothing can leave the machine. */
  readonly environment: Readonly<Record<string, string>>;
  /** Every request so far, oldest first; tokens by label. */
  readonly requests: readonly RecordedRequest[];
  readonly pullRequests: readonly PullRequest[];
  /** API questions that nothing here answers; a test asserts that there are none. */
  readonly unanswered: readonly string[];
  /** `http://github.localhost/OWNER/NAME`, reached through the proxy. */
  url(owner: string, name: string): string;
  /** `http://127.0.0.1:PORT/OWNER/NAME`, reached without a proxy. */
  directUrl(owner: string, name: string): string;
  addRepository(repository: HostRepository): void;
  renameRepository(owner: string, name: string, newOwner: string, newName: string): void;
  grantToken(owner: string, name: string, grant: TokenGrant): void;
  /** From now on the token is answered like one that never existed. */
  revokeToken(token: string): void;
  fault(match: FaultMatch, fault: Fault, options?: FaultOptions): FaultHandle;
  /** Limits the body of each answer from now on; null lifts it. */
  throttle(bytesPerSecond: number | null): void;
  /** Answers upload-pack from `directory`, recording there what is not yet in it. */
  record(directory: string): void;
  /** Answers upload-pack from `directory` alone; what is not in it is refused with 500. */
  replay(directory: string): void;
}

export async function startHost(options: HostOptions = {}): Promise<Host> {
  const backend = await GitBackend.open();
  const host = new LoopbackHost(backend, options);
  await host.openTls(options.secureNames ?? []);
  for (const repository of options.repositories ?? []) host.addRepository(repository);
  await host.listen();
  return host;
}

class LoopbackHost implements Host {
  readonly #backend: GitBackend;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #tokens = new TokenRegistry();
  readonly #repositories = new RepositoryRegistry();
  readonly #pullRequests = new PullRequestRegistry();
  readonly #faults = new FaultRegistry();
  readonly #handler: RequestHandler;
  readonly #secureNames: readonly string[];
  #tls: TlsFront | null = null;

  constructor(backend: GitBackend, options: HostOptions) {
    this.#backend = backend;
    this.#secureNames = options.secureNames ?? [];
    this.#handler = new RequestHandler({
      backend,
      tokens: this.#tokens,
      repositories: this.#repositories,
      pullRequests: this.#pullRequests,
      faults: this.#faults,
      hostNames: new Set([...(options.hostNames ?? []), ...this.#secureNames]),
    });
    this.#server = createServer((request, response) => {
      void this.#handler.handle(request, response);
    });
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      // A client that goes away in the middle is a case under test, not a fault of the host.
      socket.on('error', () => socket.destroy());
    });
    this.#server.on('connect', ({ url = '' }, socket) => {
      if (this.#tls !== null && this.#secureNames.some((name) => url === `${name}:443`)) {
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
        this.#tls.accept(socket);
        return;
      }
      const text = `CONNECT is not served for ${url}\n`;
      socket.end(`HTTP/1.1 403 Forbidden\r\ncontent-length: ${text.length}\r\n\r\n${text}`);
    });
  }

  async openTls(names: readonly string[]): Promise<void> {
    if (names.length === 0) return;
    this.#tls = await TlsFront.open(names, (request, response) => {
      void this.#handler.handle(request, response);
    });
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get environment(): Readonly<Record<string, string>> {
    const { origin } = this;
    return {
      HTTP_PROXY: origin,
      http_proxy: origin,
      HTTPS_PROXY: origin,
      https_proxy: origin,
      NO_PROXY: '',
      no_proxy: '',
      ...(this.#tls === null
        ? {}
        : { SSL_CERT_FILE: this.#tls.caFile, GIT_SSL_CAINFO: this.#tls.caFile }),
    };
  }

  get requests(): readonly RecordedRequest[] {
    return this.#handler.requests;
  }

  get pullRequests(): readonly PullRequest[] {
    return this.#pullRequests.all;
  }

  get unanswered(): readonly string[] {
    return this.#handler.unanswered;
  }

  url(owner: string, name: string): string {
    return `http://github.localhost/${owner}/${name}`;
  }

  directUrl(owner: string, name: string): string {
    return `${this.origin}/${owner}/${name}`;
  }

  addRepository({ owner, name, bareDir, tokens, isPublic }: HostRepository): void {
    const { id } = this.#repositories.add(owner, name, bareDir, isPublic ?? false);
    for (const grant of tokens) this.#tokens.grant(id, grant);
  }

  renameRepository(owner: string, name: string, newOwner: string, newName: string): void {
    this.#repositories.rename(owner, name, newOwner, newName);
  }

  grantToken(owner: string, name: string, grant: TokenGrant): void {
    const lookup = this.#repositories.lookup(owner, name);
    if (lookup.found === 'nothing') throw new TypeError(`no repository ${owner}/${name}`);
    this.#tokens.grant(lookup.repository.id, grant);
  }

  revokeToken(token: string): void {
    this.#tokens.revoke(token);
  }

  fault(match: FaultMatch, fault: Fault, options: FaultOptions = {}): FaultHandle {
    return this.#faults.add(match, fault, options);
  }

  throttle(bytesPerSecond: number | null): void {
    this.#handler.bytesPerSecond = bytesPerSecond;
  }

  record(directory: string): void {
    this.#useRecording(directory, 'record');
  }

  replay(directory: string): void {
    this.#useRecording(directory, 'replay');
  }

  #useRecording(directory: string, mode: RecordingMode): void {
    this.#handler.uploadPack = new Recording(directory, mode, (request) =>
      this.#backend.answer(request),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    await this.#tls?.[Symbol.asyncDispose]();
    await this.#backend[Symbol.asyncDispose]();
  }
}
