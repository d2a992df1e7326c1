import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CloneOutcome } from '../../agent/clone/clone-job.ts';
import { pickCloneEnvironment } from '../../agent/clone/clone-job.ts';
import { withRetry } from '../../agent/clone/retry.ts';
import { TRANSPORT_LIMITS } from '../../agent/clone/transport-limits.ts';
import { PACK_LIMITS } from '../../agent/pack/limits.ts';
import { TOKENS, hostWithTwoRepositories } from '../host/host-fixture.ts';
import type { TwoRepositories } from '../host/host-fixture.ts';
import { makeJob, runClone } from './job.ts';
import { git } from './sandbox.ts';

let two: TwoRepositories;
let directory: string;
beforeEach(async () => {
  two = await hostWithTwoRepositories();
  directory = await mkdtemp(join(tmpdir(), 'mount-agent-clone-'));
});
afterEach(async () => {
  await two[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

let clones = 0;

/** Clones acme/web as github.localhost, through the proxy that the environment names. */
function clone(token: string = TOKENS.web, limits = TRANSPORT_LIMITS): Promise<CloneOutcome> {
  const worktree = join(directory, `clone-${clones++}`);
  return runClone(
    makeJob(two.host.url('acme', 'web'), worktree, {
      token,
      environment: pickCloneEnvironment(two.host.environment),
      limits: { transport: limits, pack: PACK_LIMITS },
    }),
  );
}

describe('a clone from GitHub', () => {
  it('goes through the proxy with the token of its repository', async () => {
    const { head } = await clone();
    expect(head.oid).toBe(two.fixture.headOid);
    expect(
      two.host.requests.every(({ token, scheme }) => token === 'walter' && scheme === 'basic'),
    ).toBe(true);
  });

  it('follows a repository that was renamed', async () => {
    two.host.renameRepository('acme', 'web', 'acme', 'site');
    expect((await clone()).head.oid).toBe(two.fixture.headOid);
  });

  it('says what is wrong with a token: revoked, of another repository, not authorised', async () => {
    await expect(clone(TOKENS.api)).rejects.toMatchObject({ code: 'TRANSPORT_NOT_FOUND' });
    const url = 'http://github.localhost/orgs/acme/sso?authorization_request=x';
    const sso = two.host.fault({ service: 'git-upload-pack' }, { type: 'sso-required', url });
    await expect(clone()).rejects.toMatchObject({
      code: 'TRANSPORT_SSO_REQUIRED',
      data: { organisation: 'acme', authorizeUrl: url },
    });
    sso.remove();
    two.host.revokeToken(TOKENS.web);
    await expect(clone()).rejects.toMatchObject({ code: 'TRANSPORT_UNAUTHORIZED' });
  });

  it('succeeds on a later attempt when the pack was cut, and leaves no temporary pack', async () => {
    const match = { service: 'git-upload-pack', phase: 'exchange' } as const;
    two.host.fault(match, { type: 'cut', afterBytes: 900 }, { times: 2 });
    const codes: string[] = [];
    const outcome = await withRetry(() => clone(), {
      retryForMs: 60_000,
      signal: new AbortController().signal,
      random: () => 0,
      onRetry: ({ code }) => codes.push(code),
    });
    expect(outcome.head.oid).toBe(two.fixture.headOid);
    expect(codes.length).toBeGreaterThan(0);
    expect(codes.every((code) => code === 'TRANSPORT_TRUNCATED')).toBe(true);
    const packs = await readdir(join(directory, `clone-${clones - 1}`, '.git/objects/pack'));
    expect(packs.filter((name) => name.startsWith('tmp_'))).toEqual([]);
    expect(git(join(directory, `clone-${clones - 1}`), 'status', '--porcelain=v2')).toBe('');
  });
});
