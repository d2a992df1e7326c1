/**
 * Faults for which a session does not start, each planted in front of the real program: what to change
 * before the start, and what an operator has to find out from the document's commands.
 */
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TOKENS } from '../host/host-fixture.ts';
import type { Host } from '../host/host.ts';

export interface Resource {
  type: string;
  url?: string;
  ulr?: string;
  mount_path: string;
  authorization_token: string;
  checkout?: unknown;
}

/** What a fault may change. */
export interface Plan {
  readonly host: Host;
  readonly resource: Resource;
  readonly environment: Record<string, string>;
  /** Of the daemon, beside the usual ones. */
  readonly flags: string[];
  /** Of the disk that the clones come to; null: no limit. */
  diskLimit: string | null;
  /** Of a path as the daemon sees it. @returns the same place as this machine sees it. */
  readonly place: (path: string) => string;
  /** null: nobody drops one. */
  manifest: ((resource: Resource) => string) | null;
  /** Called when all is over. */
  readonly cleanUp: (() => void)[];
}

export interface PlantedFault {
  readonly name: string;
  /** What has to be seen. */
  readonly code: string;
  /** Words that tell more than the code: a field, a URL, a limit. */
  readonly words: RegExp;
  readonly plant: (plan: Plan) => Promise<void> | void;
}

const SSO_URL = 'http://github.localhost/orgs/acme/sso?authorization_request=AB12';

export const FAULTS: readonly PlantedFault[] = [
  {
    name: 'bad token',
    code: 'TRANSPORT_UNAUTHORIZED',
    words: /expired, revoked or mistyped/,
    plant: ({ host }) => {
      host.revokeToken(TOKENS.web);
    },
  },
  {
    name: 'token not authorised for SSO',
    code: 'TRANSPORT_SSO_REQUIRED',
    words: /orgs\/acme\/sso/,
    plant: ({ host }) => {
      host.fault({ service: 'git-upload-pack' }, { type: 'sso-required', url: SSO_URL });
    },
  },
  {
    name: 'wrong repository',
    code: 'TRANSPORT_NOT_FOUND',
    words: /check the URL/,
    plant: ({ resource, host }) => {
      resource.url = host.url('acme', 'wbe');
    },
  },
  {
    name: 'wrong mount path',
    code: 'MANIFEST_INVALID',
    words: /\/resources\/0\/mount_path/,
    plant: ({ resource }) => {
      resource.mount_path = '/etc/web';
    },
  },
  {
    name: 'mount path occupied',
    code: 'MOUNT_PATH_OCCUPIED',
    words: /Move what is there away/,
    plant: ({ resource, place }) => {
      const occupied = place(resource.mount_path);
      mkdirSync(occupied, { recursive: true });
      writeFileSync(join(occupied, 'somebody.txt'), 'mine');
    },
  },
  {
    name: 'manifest typo',
    code: 'MANIFEST_INVALID',
    words: /\/resources\/0\/url/,
    plant: (plan) => {
      plan.manifest = ({ url, ...resource }) =>
        JSON.stringify({ resources: [{ ...resource, ulr: url }] });
    },
  },
  {
    name: 'manifest never dropped',
    code: 'MANIFEST_MISSING',
    words: /Have the orchestrator write the manifest/,
    plant: (plan) => {
      plan.manifest = null;
    },
  },
  {
    name: 'full disk',
    code: 'MOUNT_NO_SPACE',
    words: /Free space on the disk of mount_path/,
    plant: (plan) => {
      plan.diskLimit = '60k';
    },
  },
  {
    name: 'proxy refuses',
    code: 'TRANSPORT_PROXY',
    words: /Check HTTPS_PROXY/,
    plant: async ({ environment, cleanUp }) => {
      const answer = 'HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n';
      const proxy = createServer((socket) => {
        socket.on('error', () => socket.destroy());
        socket.once('data', () => socket.end(answer));
      }).listen(0, '127.0.0.1');
      await once(proxy, 'listening');
      const url = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
      for (const name of ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy']) {
        environment[name] = url;
      }
      cleanUp.push(() => proxy.close());
    },
  },
  {
    name: 'rate limit',
    code: 'TRANSPORT_RATE_LIMITED',
    words: /The host limits requests/,
    plant: ({ host }) => {
      const limited = { type: 'rate-limited', retryAfterSeconds: 120 } as const;
      host.fault({ service: 'git-upload-pack' }, limited);
    },
  },
  {
    name: 'host down',
    code: 'TRANSPORT_UNREACHABLE',
    words: /Check that the host is up/,
    plant: ({ resource, environment }) => {
      // Port 9 of this machine: nobody listens, and no proxy stands in between.
      resource.url = 'http://127.0.0.1:9/acme/web';
      environment['NO_PROXY'] = environment['no_proxy'] = '127.0.0.1';
    },
  },
  {
    name: 'branch missing',
    code: 'CHECKOUT_REF_MISSING',
    words: /no such branch/,
    plant: ({ resource }) => {
      resource.checkout = { type: 'branch', name: 'mian' };
    },
  },
  {
    name: 'port taken',
    code: 'LISTEN_FAILED',
    words: /Choose another --listen address/,
    plant: async ({ flags, cleanUp }) => {
      const other = createServer().listen(0, '127.0.0.1');
      await once(other, 'listening');
      flags.push('--listen', `127.0.0.1:${(other.address() as AddressInfo).port}`);
      cleanUp.push(() => other.close());
    },
  },
];
