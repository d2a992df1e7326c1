/** A fresh directory to mount below, real clones made by real git, and what stands there afterwards. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import type { Owner } from '../../agent/mounts/completion-marker.ts';
import type { MountContext } from '../../agent/mounts/mount-path-state.ts';
import { prepareMount } from '../../agent/mounts/prepare-mount.ts';
import type { Staging } from '../../agent/mounts/staging.ts';

export const CONTEXT: MountContext = { owner: null };
export const URL_A = 'https://github.com/acme/web';

const ENVIRONMENT = {
  PATH: process.env['PATH'],
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_AUTHOR_NAME: 'a',
  GIT_AUTHOR_EMAIL: 'a@example.invalid',
  GIT_AUTHOR_DATE: '2024-01-01T00:00:00Z',
  GIT_COMMITTER_NAME: 'a',
  GIT_COMMITTER_EMAIL: 'a@example.invalid',
  GIT_COMMITTER_DATE: '2024-01-01T00:00:00Z',
};

export function git(directory: string, ...args: string[]): string {
  return gitAs({}, directory, ...args);
}

function gitAs(user: Partial<Owner>, directory: string, ...args: string[]): string {
  const options = { ...user, cwd: directory, env: ENVIRONMENT, encoding: 'utf8' } as const;
  return execFileSync('git', args, options).trimEnd();
}

/** Registers the set-up; `at.root` is a fresh directory in each test. */
export function freshRoot(): { root: string } {
  const at = { root: '' };
  beforeEach(async () => {
    at.root = await realpath(await mkdtemp(join(tmpdir(), 'mounts-')));
  });
  afterEach(async () => {
    await rm(at.root, { recursive: true });
  });
  return at;
}

/** A repository with one commit, as the clone step would leave it in the staging. */
export async function fillClone(directory: string, user: Partial<Owner> = {}): Promise<string> {
  gitAs(user, directory, 'init', '--quiet', '--initial-branch=main');
  await writeFile(join(directory, 'README.md'), 'hello\n');
  gitAs(user, directory, 'add', '.');
  gitAs(user, directory, 'commit', '--quiet', '--message=first');
  return gitAs(user, directory, 'rev-parse', 'HEAD');
}

export async function freshStaging(mountPath: string, url = URL_A): Promise<Staging> {
  const prepared = await prepareMount({ url, mountPath }, CONTEXT);
  if (prepared.state !== 'fresh') throw new Error(`expected a fresh mount at ${mountPath}`);
  return prepared.staging;
}

/** A mounted clone at the path; its commit. */
export async function mount(mountPath: string, url = URL_A): Promise<string> {
  await using staging = await freshStaging(mountPath, url);
  const oid = await fillClone(staging.clonePath);
  await staging.publish({ head: { ref: 'refs/heads/main', oid }, clonedAt: new Date(0) });
  return oid;
}

/** Names in the directory, sorted. */
export async function namesIn(directory: string): Promise<string[]> {
  return (await readdir(directory)).sort();
}
