/**
 * Host names that are answered over https: a certificate for them, signed by a CA of this test
 * alone, and the server that takes the connections which a CONNECT has opened. The requests go
 * where those over plain http go.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { createServer } from 'node:https';
import type { Server } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { promisify } from 'node:util';

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];

export class TlsFront implements AsyncDisposable {
  /** For GIT_SSL_CAINFO and SSL_CERT_FILE. */
  readonly caFile: string;
  readonly #directory: string;
  readonly #server: Server;

  private constructor(directory: string, server: Server) {
    this.#directory = directory;
    this.caFile = join(directory, 'ca.pem');
    this.#server = server;
  }

  static async open(names: readonly string[], listener: RequestListener): Promise<TlsFront> {
    const directory = await mkdtemp(join(tmpdir(), 'loopback-tls-'));
    const file = (name: string): string => join(directory, name);
    const ca = ['-keyout', file('ca.key'), '-out', file('ca.pem'), '-subj', '/CN=loopback test CA'];
    await openssl('req', '-x509', ...KEY, ...ca);
    await openssl(
      ...['req', '-x509', ...KEY, '-CA', file('ca.pem'), '-CAkey', file('ca.key')],
      ...['-keyout', file('host.key'), '-out', file('host.pem'), '-subj', '/CN=loopback'],
      ...['-addext', `subjectAltName=${names.map((name) => `DNS:${name}`).join(',')}`],
      ...['-addext', 'basicConstraints=critical,CA:FALSE'],
    );
    const [key, cert] = await Promise.all([readFile(file('host.key')), readFile(file('host.pem'))]);
    const server = createServer({ key, cert }, listener);
    // A client that does not trust the CA is a case under test, not a fault of the host.
    server.on('tlsClientError', (_error, socket) => socket.destroy());
    return new TlsFront(directory, server);
  }

  /** Speaks TLS on a connection from now on; whoever opened it closes it. */
  accept(socket: Duplex): void {
    this.#server.emit('connection', socket);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

async function openssl(...args: readonly string[]): Promise<void> {
  await promisify(execFile)('openssl', args);
}
