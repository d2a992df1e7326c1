import { execFileSync } from 'node:child_process';
import { connect } from 'node:net';
import { join } from 'node:path';
import { once } from 'node:events';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { CLEAN_GIT_ENVIRONMENT, git } from '../fixtures/cache.ts';
import { TOKENS, gitWith, hostWithTwoRepositories, run } from './host-fixture.ts';
import type { TwoRepositories } from './host-fixture.ts';

let two: TwoRepositories;
beforeEach(async () => {
  two = await hostWithTwoRepositories();
});
afterEach(() => two[Symbol.asyncDispose]());

it('git clones through the proxy and the record names the token by its label', async () => {
  const { host, directory, fixture } = two;
  const cloned = await gitWith(
    host,
    TOKENS.web,
    ['clone', host.url('acme', 'web'), 'clone'],
    directory,
  );
  expect(cloned.code, cloned.stderr).toBe(0);
  expect(await git(['rev-parse', 'HEAD'], join(directory, 'clone'))).toBe(fixture.headOid);
  const asked = host.requests.map(({ service, phase, token, scheme, status }) => [
    ...[service, phase, token, scheme, status],
  ]);
  expect(asked.slice(0, 3)).toEqual([
    ['git-upload-pack', 'advertisement', null, null, 401],
    ['git-upload-pack', 'advertisement', 'walter', 'basic', 200],
    ['git-upload-pack', 'exchange', 'walter', 'basic', 200],
  ]);
  expect(JSON.stringify(host.requests)).not.toContain('canary');
});

it('git clones directly, without a proxy', async () => {
  const { host, directory, fixture } = two;
  const url = host.directUrl('acme', 'web').replace('//', `//x-access-token:${TOKENS.web}@`);
  const env = { ...CLEAN_GIT_ENVIRONMENT };
  const cloned = await run('git', ['clone', '--quiet', url, 'direct'], { cwd: directory, env });
  expect(cloned.code, cloned.stderr).toBe(0);
  expect(await git(['rev-parse', 'HEAD'], join(directory, 'direct'))).toBe(fixture.headOid);
});

it('git pushes a new branch into the bare repository', async () => {
  const { host, directory, bareDirs } = two;
  const clone = join(directory, 'clone');
  await gitWith(host, TOKENS.web, ['clone', host.url('acme', 'web'), clone], directory);
  await git(['commit', '--allow-empty', '--message', 'Empty'], clone);
  const pushed = await gitWith(host, TOKENS.web, ['push', 'origin', 'HEAD:refs/heads/new'], clone);
  expect(pushed.code, pushed.stderr).toBe(0);
  const oid = await git(['rev-parse', 'HEAD'], clone);
  expect(await git([`--git-dir=${bareDirs.web}`, 'rev-parse', 'refs/heads/new'])).toBe(oid);
});

it('access is answered as GitHub answers it: 401, 404 and 403', async () => {
  const { host, directory } = two;
  const url = host.url('acme', 'web');
  const read = (token: string | null) => gitWith(host, token, ['ls-remote', url], directory);
  expect((await read(null)).stderr).toContain('could not read Username');
  expect((await read('github_pat_nobody')).stderr).toContain('Authentication failed');
  expect((await read(TOKENS.api)).stderr).toContain('not found');
  expect((await read(TOKENS.reader)).code).toBe(0);

  const clone = join(directory, 'clone');
  await gitWith(host, TOKENS.reader, ['clone', url, clone], directory);
  const refused = await gitWith(host, TOKENS.reader, ['push', 'origin', 'HEAD:x'], clone);
  expect(refused.stderr).toContain('403');
  expect(host.requests.at(-1)).toMatchObject({ token: 'rita', status: 403 });
});

it('a revoked token is answered like an unknown one', async () => {
  const { host, directory } = two;
  const read = () => gitWith(host, TOKENS.web, ['ls-remote', host.url('acme', 'web')], directory);
  expect((await read()).code).toBe(0);
  host.revokeToken(TOKENS.web);
  expect((await read()).stderr).toContain('Authentication failed');
});

it('a renamed repository redirects its old name to the new one', async () => {
  const { host, directory, fixture } = two;
  host.renameRepository('acme', 'web', 'acme', 'site');
  const found = await gitWith(
    host,
    TOKENS.web,
    ['ls-remote', host.url('acme', 'web'), 'HEAD'],
    directory,
  );
  expect(found.stdout, found.stderr).toBe(`${fixture.headOid}\tHEAD\n`);
  expect(host.requests.map(({ path, status }) => `${status} ${path}`)).toEqual(
    expect.arrayContaining(['301 /acme/web/info/refs', '200 /acme/site.git/info/refs']),
  );
});

it('the proxy refuses CONNECT and other hosts with 403', async () => {
  const { host } = two;
  const elsewhere = await sendRaw(
    host.port,
    'GET http://example.com/ HTTP/1.1\r\nhost: example.com',
  );
  expect(elsewhere).toMatch(/^HTTP\/1\.1 403 /);
  const tunnel = await sendRaw(
    host.port,
    'CONNECT github.com:443 HTTP/1.1\r\nhost: github.com:443',
  );
  expect(tunnel).toMatch(/^HTTP\/1\.1 403 [\s\S]*CONNECT is not served/);
});

it('dispose ends a transfer that is under way and every process of it', async () => {
  const { host, directory } = two;
  host.throttle(200);
  const cloning = gitWith(host, TOKENS.web, ['clone', host.url('acme', 'web'), 'slow'], directory);
  await expect.poll(() => (host.requests.at(-1)?.sentBytes ?? 0) > 0).toBe(true);
  await host[Symbol.asyncDispose]();
  expect((await cloning).code).not.toBe(0);
  const left = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
  expect(left.split('\n').filter((line) => line.includes(two.bareDirs.web))).toEqual([]);
});

async function sendRaw(port: number, head: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.end(`${head}\r\nconnection: close\r\n\r\n`);
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await once(socket, 'close');
  return text;
}
