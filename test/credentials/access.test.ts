import { expect, it } from 'vitest';
import type { AskHost } from '../../agent/clone/host-request.ts';
import { checkAccess } from '../../agent/credentials/access.ts';
import { TransportError } from '../../agent/errors.ts';
import type { ErrorCode } from '../../agent/errors.ts';
import { resourceOf } from './session.ts';

const resource = resourceOf({
  url: 'https://github.com/acme/web',
  mountPath: '/app/web',
  token: 'ghp_access',
});

/** A host that answers the question before a push and before a fetch with these; null is 200. */
function hostThat(
  push: ErrorCode | null,
  fetch: ErrorCode | null,
): { ask: AskHost; asked: string[] } {
  const asked: string[] = [];
  const ask: AskHost = ({ url, as, contentType, wantsBody }) => {
    asked.push(`${as} ${url} ${contentType} ${wantsBody}`);
    const code = url.endsWith('git-receive-pack') ? push : fetch;
    return code === null ? Promise.resolve('') : Promise.reject(new TransportError(code, 'no'));
  };
  return { ask, asked };
}

it.each([
  [null, null, { credential: 'ok', canPush: true, error: null }],
  ['TRANSPORT_FORBIDDEN', null, { credential: 'ok', canPush: false, error: null }],
  ['TRANSPORT_FORBIDDEN', 'TRANSPORT_FORBIDDEN', { credential: 'rejected', canPush: false }],
  ['TRANSPORT_UNAUTHORIZED', 'TRANSPORT_UNAUTHORIZED', { credential: 'rejected', canPush: false }],
  ['TRANSPORT_NOT_FOUND', 'TRANSPORT_NOT_FOUND', { credential: 'rejected', canPush: false }],
  ['TRANSPORT_SSO_REQUIRED', 'TRANSPORT_SSO_REQUIRED', { credential: 'sso_required' }],
] as const)(
  'checkAccess() takes %s for a push and %s for a fetch as %j',
  async (push, fetch, is) => {
    expect(await checkAccess(resource, hostThat(push, fetch).ask)).toMatchObject(is);
  },
);

it.each([
  ...['TRANSPORT_UNREACHABLE', 'TRANSPORT_TIMEOUT', 'TRANSPORT_RATE_LIMITED', 'TRANSPORT_TLS'],
  ...['TRANSPORT_SERVER_ERROR', 'TRANSPORT_PROTOCOL', 'TRANSPORT_REDIRECT_REFUSED'],
] as ErrorCode[])('%s says nothing about the token', async (code) => {
  expect(await checkAccess(resource, hostThat(code, null).ask)).toBeNull();
});

it('a host that refuses the push and then goes silent says nothing either', async () => {
  const { ask } = hostThat('TRANSPORT_FORBIDDEN', 'TRANSPORT_TIMEOUT');
  expect(await checkAccess(resource, ask)).toBeNull();
});

it('asks one question of a good token, as git would, and does not read the answer', async () => {
  const { ask, asked } = hostThat(null, null);
  await checkAccess(resource, ask);
  expect(asked).toEqual([
    'git https://github.com/acme/web/info/refs?service=git-receive-pack application/x-git-receive-pack-advertisement false',
  ]);
});

it('rethrows what is no answer', async () => {
  const ask: AskHost = () => Promise.reject(new Error('over'));
  await expect(checkAccess(resource, ask)).rejects.toThrow('over');
});
