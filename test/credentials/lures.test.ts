import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { askHost } from '../../agent/clone/host-request.ts';
import { Token, tokenForms } from '../../agent/token.ts';
import { LuringProxy } from './luring-proxy.ts';
import type { Lure } from './luring-proxy.ts';
import { Session, cleanEnvironment, resourceOf, run } from './session.ts';

/** All combinations instead of a sample in which each origin and each status occurs: LURES=all */
const ALL = process.env['LURES'] === 'all';

const WEB = 'github_pat_lures_canary_Web0123456789';
const GHE = 'ghp_luresCanaryEnterprise0123456789';
const STATUSES = [301, 302, 303, 307, 308];

let session: Session;
let proxy: LuringProxy;
beforeAll(async () => {
  const hosts = ['github.com', 'api.github.com', 'ghes.test'];
  proxy = await LuringProxy.start(
    hosts.map((host) => `https://${host}`),
    hosts.flatMap((host) => [host, `${host}.evil`]),
  );
  session = new Session();
  const mounts = [
    { url: 'https://github.com/acme/web', mountPath: join(session.root, 'web'), token: WEB },
    { url: 'https://ghes.test/corp/app', mountPath: join(session.root, 'app'), token: GHE },
  ];
  await session.files.write(mounts.map(resourceOf));
  for (const { url, mountPath } of mounts) {
    const cwd = await session.repository(mountPath.slice(session.root.length + 1));
    await run('git', ['remote', 'add', 'origin', url], {
      cwd,
      env: cleanEnvironment(session.home),
    });
  }
});
afterAll(async () => {
  const findings = await session.findTokens([WEB, GHE]);
  await proxy[Symbol.asyncDispose]();
  session.remove();
  expect(findings).toEqual([]);
});

/** Every scheme, host and port but the one that the token is for. */
function strangersOf(host: string): string[] {
  return ['https', 'http']
    .flatMap((scheme) => [host, `${host}.evil`].map((name) => `${scheme}://${name}`))
    .flatMap((origin) => [origin, `${origin}:8443`])
    .filter((origin) => origin !== `https://${host}`);
}

interface Client {
  readonly name: string;
  readonly mount: 'web' | 'app';
  readonly host: string;
  readonly at: Lure['at'];
  readonly command: readonly [string, ...string[]];
}

const CLIENTS: readonly Client[] = (['web', 'app'] as const).flatMap((mount) => {
  const [host, api] =
    mount === 'web' ? ['github.com', 'api.github.com'] : ['ghes.test', 'ghes.test'];
  const push = ['git', 'push', 'origin', 'HEAD:refs/heads/x'] as const;
  return [
    { name: 'git fetch', mount, host, at: 'first', command: ['git', 'fetch'] },
    { name: 'git push', mount, host, at: 'first', command: push },
    { name: 'git fetch, its POST', mount, host, at: 'post', command: ['git', 'fetch'] },
    { name: 'git push, its POST', mount, host, at: 'post', command: push },
    { name: 'gh, GET', mount, host: api, at: 'first', command: ['gh', 'api', 'user'] },
    { name: 'gh, POST', mount, host: api, at: 'first', command: ['gh', 'api', 'x', '-f', 'a=b'] },
  ] as const;
});

/**
 * gh takes its token along when the API itself redirects to its own name over plain http or another
 * port (seen with gh 2.23: it compares names only, and so does Go). Nothing around gh can stop that;
 * docs/credentials.md says so.
 */
function isLeftToGh({ command: [program], host }: Client, origin: string): boolean {
  return program === 'gh' && new URL(origin).hostname === host;
}

function combinations(client: Client): { origin: string; status: number }[] {
  return strangersOf(client.host)
    .filter((origin) => !isLeftToGh(client, origin))
    .flatMap((origin, row) =>
      STATUSES.filter((_, at) => ALL || at === row % STATUSES.length).map((status) => ({
        origin,
        status,
      })),
    );
}

const forms = [WEB, GHE].flatMap((token) => tokenForms(new Token(token)));

it.each(CLIENTS)(
  '$name in $mount: no byte of a token leaves for another scheme, host or port',
  { timeout: 120_000 },
  async ({ mount, at, command: [program, ...args], ...client }) => {
    const cwd = join(session.root, mount);
    for (const lure of combinations({ mount, at, command: [program, ...args], ...client })) {
      proxy.lure = { ...lure, at };
      proxy.lured = 0;
      proxy.caught.length = 0;
      const { code, stderr } = await session.run(program, args, { cwd, env: proxy.environment });
      const told = `${lure.status} to ${lure.origin}: ${stderr}`;
      expect(code, told).not.toBe(0);
      expect(proxy.lured, told).toBeGreaterThan(0);
      for (const { origin, text } of proxy.caught) {
        expect(origin).toBe(lure.origin);
        for (const form of forms) expect(text.includes(form), `${told}: ${text}`).toBe(false);
      }
      // A question for refs is redirected by whoever asks it: the lure was tried, not refused.
      if (program === 'git' && at === 'first' && lure.status !== 303) {
        expect(proxy.caught.length, told).toBeGreaterThan(0);
      }
    }
  },
);

it('the daemon asks nobody but the host itself', async () => {
  const environment = proxy.environment;
  const signal = new AbortController().signal;
  for (const origin of strangersOf('github.com')) {
    for (const status of STATUSES) {
      proxy.lure = { origin, status, at: 'first' };
      proxy.caught.length = 0;
      const url = 'https://github.com/acme/web/info/refs?service=git-receive-pack';
      const answer = {
        contentType: 'application/x-git-receive-pack-advertisement',
        wantsBody: false,
      };
      const question = { url, token: new Token(WEB), as: 'git', ...answer } as const;
      const asked = askHost(question, { environment, signal, timeoutMs: 10_000 });
      await expect(asked).rejects.toMatchObject({ data: {} });
      expect(proxy.caught).toEqual([]);
    }
  }
});
