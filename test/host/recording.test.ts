import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { git } from '../fixtures/cache.ts';
import { HostProcess } from './host-process.ts';
import { TOKENS, gitWith, hostWithTwoRepositories } from './host-fixture.ts';
import type { Ran, TwoRepositories } from './host-fixture.ts';

let two: TwoRepositories;
let recordings: string;
beforeEach(async () => {
  two = await hostWithTwoRepositories();
  recordings = join(two.directory, 'recordings');
  await mkdir(recordings);
});
afterEach(() => two[Symbol.asyncDispose]());

function clone(into: string, token: string = TOKENS.web): Promise<Ran> {
  const url = two.host.url('acme', 'web');
  return gitWith(two.host, token, ['clone', '--quiet', url, into], two.directory);
}

async function everything(into: string): Promise<string> {
  const clone = join(two.directory, into);
  await git(['fsck', '--full', '--strict'], clone);
  const objects = await git(['cat-file', '--batch-all-objects', '--batch-check'], clone);
  return `${objects}\n${await git(['for-each-ref'], clone)}`;
}

it('a replayed answer is the live one, without the repository', async () => {
  expect((await clone('live')).code).toBe(0);
  two.host.record(recordings);
  expect((await clone('recorded')).code).toBe(0);
  two.host.replay(recordings);
  await rename(two.bareDirs.web, `${two.bareDirs.web}.away`);
  const replayed = await clone('replayed');
  expect(replayed.code, replayed.stderr).toBe(0);
  const live = await everything('live');
  expect(await everything('recorded')).toBe(live);
  expect(await everything('replayed')).toBe(live);
  // The recorded bytes themselves; pack-objects makes slightly different ones each time.
  const sizes = two.host.requests
    .filter(({ method, status }) => method === 'POST' && status === 200)
    .map(({ sentBytes }) => sentBytes);
  expect(sizes).toHaveLength(6);
  expect(sizes.slice(4)).toEqual(sizes.slice(2, 4));
});

it('replay checks tokens as before, and refuses what was not recorded', async () => {
  two.host.record(recordings);
  await clone('recorded');
  two.host.replay(recordings);
  expect((await clone('other', TOKENS.api)).stderr).toContain('not found');
  await rm(recordings, { recursive: true });
  expect((await clone('missing')).stderr).toContain('500');
});

it('the host runs as a process of its own', async () => {
  await using host = await HostProcess.start({
    repositories: [
      {
        owner: 'acme',
        name: 'web',
        bareDir: two.bareDirs.web,
        tokens: [{ token: TOKENS.web, login: 'walter', permissions: 'write' }],
      },
    ],
  });
  await host.record(recordings);
  const url = host.directUrl('acme', 'web').replace('//', `//x:${TOKENS.web}@`);
  expect(await git(['ls-remote', url, 'HEAD'])).toContain(two.fixture.headOid);
  const { requests } = await host.state();
  expect(requests.map(({ token, status }) => [token, status])).toContainEqual(['walter', 200]);
});
