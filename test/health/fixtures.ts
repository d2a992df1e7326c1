/** A status table with two mounts, a log that keeps its lines, and requests as raw as a client can send them. */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { request } from 'node:http';
import type { IncomingHttpHeaders } from 'node:http';
import { createLog, Redactor } from '../../agent/log.ts';
import type { Log } from '../../agent/log.ts';
import type { Resource } from '../../agent/resource.ts';
import { StatusTable } from '../../agent/status.ts';
import type { AtRisk } from '../../agent/status.ts';
import { Token } from '../../agent/token.ts';

export const SECRET = 'github_pat_11HEALTH0_canary+/?&=value';

export function resourceAt(mountPath: string): Resource {
  const name = mountPath.split('/').at(-1) ?? '';
  return {
    type: 'github_repository',
    id: null,
    url: `https://github.com/acme/${name}`,
    protocol: 'https',
    host: 'github.com',
    owner: 'acme',
    name,
    mountPath,
    token: new Token(SECRET),
    checkout: null,
  };
}

export function newTable(): StatusTable {
  return new StatusTable({
    version: '1.2.3',
    startedAt: new Date('2026-01-01T00:00:00Z'),
    reclaimAfterMs: 86_400_000,
  });
}

export function tableOfTwo(): StatusTable {
  const table = newTable();
  table.begin('sess_1', [resourceAt('/app/web'), resourceAt('/app/api')]);
  return table;
}

export const AT_RISK: AtRisk = {
  staged: 1,
  unstaged: 2,
  untracked: 1,
  conflicted: 0,
  untracked_bytes: 1200,
  unpushed_commits: 3,
  stashes: 1,
  operation: null,
  paths: ['src/a.ts', 'src/b.ts'],
  paths_total: 2,
  branches: [{ ref: 'refs/heads/fix', unpushed: 3 }],
  repositories: [],
  unknown: null,
  since: '2026-01-01T01:00:00.000Z',
  checked_at: '2026-01-01T02:00:00.000Z',
};

export interface LogRecord {
  readonly lines: string[];
  readonly log: Log;
  readonly redactor: Redactor;
}

export function recordLog(): LogRecord {
  const lines: string[] = [];
  const redactor = new Redactor();
  redactor.add(new Token(SECRET));
  const destination = { write: (line: string) => lines.push(line) };
  return { lines, redactor, log: createLog({ level: 'trace', destination }, redactor) };
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface Ask {
  readonly host?: string;
  readonly port: number;
  readonly path: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
}

export function ask({
  host = '127.0.0.1',
  port,
  path,
  method = 'GET',
  headers,
}: Ask): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { host, port, path, method, agent: false, ...(headers === undefined ? {} : { headers }) },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('error', reject);
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
        });
      },
    );
    outgoing.on('error', reject);
    outgoing.end();
  });
}

export function openSocket(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => {
      socket.off('error', reject);
      // A reset is one of the ways in which the server ends it.
      socket.on('error', () => socket.destroy());
      resolve(socket);
    });
    socket.once('error', reject);
  });
}

/** Everything that the server sends until it ends the connection. */
export async function sendRaw(port: number, bytes: string): Promise<string> {
  const socket = await openSocket(port);
  return new Promise((resolve) => {
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk) => (text += String(chunk)));
    socket.on('close', () => {
      resolve(text);
    });
    socket.write(bytes);
  });
}

/** Polls until `probe` gives something other than undefined or false. */
export async function eventually<T>(
  probe: () => T | Promise<T>,
  deadlineMs = 10_000,
): Promise<Exclude<T, undefined | false>> {
  const end = Date.now() + deadlineMs;
  while (true) {
    const value = await probe();
    if (value !== undefined && value !== false) return value as Exclude<T, undefined | false>;
    if (Date.now() > end) throw new Error(`not within ${deadlineMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
