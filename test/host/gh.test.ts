import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { git } from '../fixtures/cache.ts';
import { TOKENS, ghWith, gitWith, hostWithTwoRepositories } from './host-fixture.ts';
import type { Ran, TwoRepositories } from './host-fixture.ts';

let two: TwoRepositories;
let clone: string;
beforeEach(async () => {
  two = await hostWithTwoRepositories();
  clone = join(two.directory, 'clone');
  await gitWith(two.host, TOKENS.web, ['clone', two.host.url('acme', 'web'), clone], two.directory);
});
afterEach(async () => {
  expect(two.host.unanswered).toEqual([]);
  await two[Symbol.asyncDispose]();
});

const gh = (...args: string[]): Promise<Ran> => ghWith(two.host, TOKENS.web, args, clone);

async function pushBranch(branch: string, subject: string): Promise<string> {
  await git(['checkout', '--quiet', '-B', branch], clone);
  await git(['commit', '--allow-empty', '--quiet', '--message', subject], clone);
  await gitWith(two.host, TOKENS.web, ['push', '--quiet', '-u', 'origin', branch], clone);
  return git(['rev-parse', 'HEAD'], clone);
}

it('gh knows who it is and which repository it is in', async () => {
  // gh also asks github.com with the same token, which the proxy refuses: its exit code is 1.
  const status = await gh('auth', 'status');
  expect(status.stdout + status.stderr).toContain('Logged in to github.localhost as walter');
  expect((await gh('api', 'user', '--jq', '.login')).stdout).toBe('walter\n');
  const viewed = await gh('repo', 'view');
  expect(viewed.stdout).toContain('acme/web');
  expect(viewed.stdout).toContain('A repository to clone.');
  expect(two.host.requests.filter(({ service }) => service === 'rest')).toContainEqual(
    expect.objectContaining({ path: '/user', scheme: 'token', token: 'walter', status: 200 }),
  );
});

it('gh pr create --fill makes a pull request of the pushed branch', async () => {
  const oid = await pushBranch('topic', 'Improve the greeting');
  const created = await gh('pr', 'create', '--fill');
  expect(created.stdout, created.stderr).toBe('http://github.localhost/acme/web/pull/1\n');
  expect(two.host.pullRequests).toEqual([
    expect.objectContaining({
      ...{ owner: 'acme', name: 'web', number: 1, title: 'Improve the greeting', body: '' },
      ...{ headRefName: 'topic', baseRefName: 'main', headRefOid: oid, author: 'walter' },
    }),
  ]);
  expect((await gh('pr', 'list')).stdout).toMatch(/^1\tImprove the greeting\ttopic\tOPEN/);
  const viewed = await gh('pr', 'view', '--json', 'headRefOid,commits', '--jq', '.commits[].oid');
  expect(viewed.stdout).toBe(`${oid}\n`);
});

it('gh pr create takes title and body', async () => {
  await pushBranch('topic', 'Whatever');
  const created = await gh('pr', 'create', '--title', 'A "title"', '--body', 'Two\nlines');
  expect(created.code, created.stderr).toBe(0);
  expect(two.host.pullRequests).toEqual([
    expect.objectContaining({ title: 'A "title"', body: 'Two\nlines' }),
  ]);
});

it('a second pull request for the branch, or one without a pushed branch, is refused', async () => {
  await pushBranch('topic', 'First');
  await gh('pr', 'create', '--fill');
  expect((await gh('pr', 'create', '--fill')).stderr).toContain('already exists');
  const missing = await gh('pr', 'create', '--title', 'x', '--body', '', '--head', 'acme:nowhere');
  expect(missing.code).not.toBe(0);
  expect(missing.stderr).toContain('Head ref must be a branch');
  expect(two.host.pullRequests).toHaveLength(1);
});

it('a token sees and changes only its own repositories', async () => {
  await pushBranch('topic', 'First');
  const other = await ghWith(two.host, TOKENS.api, ['pr', 'create', '--fill'], clone);
  expect(other.stderr).toContain("Could not resolve to a Repository with the name 'acme/web'");
  const reader = await ghWith(
    two.host,
    TOKENS.reader,
    ['pr', 'create', '-R', 'acme/web', '-H', 'topic', '-t', 't', '-b', ''],
    clone,
  );
  expect(reader.stderr).toContain('Resource not accessible by personal access token');
  const unknown = await ghWith(two.host, 'github_pat_nobody', ['pr', 'list'], clone);
  expect(unknown.stderr).toContain('401');
  expect(two.host.pullRequests).toEqual([]);
});
