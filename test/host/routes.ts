/**
 * A request's first line and Host header in, what it asks for out: which service, which repository.
 * Takes the absolute form that clients send to a proxy, and the origin form of a direct request.
 */
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import { LFS_STORAGE_HOST } from './lfs.ts';
import type { RequestFacts, Service } from './faults.ts';

export interface Target extends Omit<RequestFacts, 'token'> {
  /** `http://github.localhost` or `http://127.0.0.1:PORT`: what the client believes to speak to. */
  readonly origin: string;
  /** Of a Git request, the path within the repository. */
  readonly gitPath: string | null;
  /** Of Git LFS, the path below the repository's `info/lfs`. */
  readonly lfsPath?: string;
}

const GIT_PATH =
  /^\/([^/]+)\/([^/]+?)(?:\.git)?(\/info\/refs|\/git-upload-pack|\/git-receive-pack)$/;

const LFS_PATH = /^\/([^/]+)\/([^/]+?)(?:\.git)?\/info\/lfs(\/.+)$/;

/** @returns null when the request line is no URL of this kind. */
export function targetOf(request: IncomingMessage): Target | null {
  const scheme = request.socket instanceof TLSSocket ? 'https' : 'http';
  const base = `${scheme}://${request.headers.host ?? 'localhost'}`;
  const line = request.url ?? '/';
  if (!URL.canParse(line, base)) return null;
  const { host, origin, pathname, search, searchParams } = new URL(line, base);
  const path = decodeURIComponent(pathname);
  const shared = { method: request.method ?? 'GET', host, origin, path, search };
  const git = host.startsWith('api.') ? null : GIT_PATH.exec(path);
  if (git !== null) {
    const [, owner, name, gitPath] = git;
    const asked = gitPath === '/info/refs' ? searchParams.get('service') : gitPath!.slice(1);
    const service = asked === 'git-receive-pack' ? 'git-receive-pack' : 'git-upload-pack';
    const phase = gitPath === '/info/refs' ? 'advertisement' : 'exchange';
    return { ...shared, service, phase, owner: owner!, name: name!, gitPath: gitPath! };
  }
  const lfs = host.startsWith('api.') ? null : LFS_PATH.exec(path);
  if (lfs !== null) {
    const [, owner = '', name = '', lfsPath = ''] = lfs;
    return { ...shared, service: 'git-lfs', phase: null, owner, name, gitPath: null, lfsPath };
  }
  const service = host === LFS_STORAGE_HOST ? 'lfs-storage' : apiService(host, path);
  const named = /^(?:\/api\/v3)?\/repos\/([^/]+)\/([^/]+)/.exec(path);
  const [owner, name] = [named?.[1] ?? null, named?.[2] ?? null];
  return { ...shared, service, phase: null, owner, name, gitPath: null };
}

/** github.com has its API on a host of its own; a direct request finds both in one place. */
function apiService(host: string, path: string): Service {
  if (path === '/graphql' || path === '/api/graphql') return 'graphql';
  return ['github.localhost', 'github.com'].includes(host) ? 'web' : 'rest';
}
