/**
 * Who clones: mount-agent as a whole process, `git clone`, and isomorphic-git's own `clone` with
 * its own http client in a process of its own. Each gets one or more repositories to clone at once and
 * a fresh directory, and says where its worktrees will be.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { HostProcess } from '../host/host-process.ts';
import type { Program } from './measure.ts';
import type { Subject } from './subjects.ts';

export const TOKEN = 'github_pat_bench_0123456789';
export const OWNER = 'bench';

export interface Attempt {
  readonly program: Program;
  /** In the order of the subjects. */
  readonly worktrees: readonly string[];
}

export interface Contestant {
  readonly name: string;
  /** @param directory fresh and its own. */
  prepare(host: HostProcess, subjects: readonly Subject[], directory: string): Promise<Attempt>;
}

export interface Project {
  /** Where `dist/main.js` and `node_modules` are. */
  readonly root: string;
}

export function contestants(project: Project): readonly Contestant[] {
  return [mountAgent(project), gitClone(), stockIsomorphicGit(project)];
}

export function baseEnvironment(host: HostProcess, directory: string): Record<string, string> {
  const path = process.env['PATH'] ?? '/usr/bin:/bin';
  return { ...host.environment, PATH: path, HOME: directory, LC_ALL: 'C' };
}

function mountAgent({ root }: Project): Contestant {
  return {
    name: 'mount-agent mount',
    prepare: async (host, subjects, directory) => {
      const { worktrees, flags } = await writeManifest(host, subjects, directory);
      const argv = [process.execPath, join(root, 'dist', 'main.js'), 'mount', ...flags];
      const env = baseEnvironment(host, directory);
      return { program: { argv, cwd: directory, env }, worktrees };
    },
  };
}

export interface Session {
  readonly worktrees: readonly string[];
  /** For `mount` and `run`. */
  readonly flags: readonly string[];
}

/** A manifest of all subjects, and the places for a run of mount-agent, in `directory`. */
export async function writeManifest(
  host: HostProcess,
  subjects: readonly Subject[],
  directory: string,
): Promise<Session> {
  const mountRoot = join(directory, 'mounts');
  const resources = subjects.map(({ name }) => ({
    type: 'github_repository',
    url: host.url(OWNER, name),
    mount_path: join(mountRoot, name),
    authorization_token: TOKEN,
  }));
  const manifest = join(directory, 'manifest.json');
  const text = JSON.stringify({ session_id: 'sess_bench', resources });
  await writeFile(manifest, text, { mode: 0o600 });
  await mkdir(mountRoot);
  const places = ['--mount-root', mountRoot, '--run-dir', join(directory, 'run')];
  return {
    worktrees: resources.map((resource) => resource.mount_path),
    flags: ['--manifest', manifest, ...places, '--allow-http'],
  };
}

/** All at once; the first failure is the whole's. */
const CLONE_EACH = `
while [ $# -gt 0 ]; do git clone --quiet "$1" "$2" & pids="$pids $!"; shift 2; done
for pid in $pids; do wait "$pid" || exit; done`;

function gitClone(): Contestant {
  return {
    name: 'git clone',
    prepare: (host, subjects, directory) => {
      const worktrees = subjects.map(({ name }) => join(directory, name));
      const basic = Buffer.from(`x-access-token:${TOKEN}`).toString('base64');
      const env = {
        ...baseEnvironment(host, directory),
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_CONFIG_COUNT: '1',
        GIT_CONFIG_KEY_0: 'http.extraHeader',
        GIT_CONFIG_VALUE_0: `Authorization: basic ${basic}`,
      };
      const pairs = subjects.flatMap(({ name }, at) => [host.url(OWNER, name), worktrees[at]!]);
      const argv =
        subjects.length === 1
          ? ['git', 'clone', '--quiet', ...pairs]
          : ['/bin/sh', '-c', CLONE_EACH, 'sh', ...pairs];
      return Promise.resolve({ program: { argv, cwd: directory, env }, worktrees });
    },
  };
}

/** Given to node as text: a loader for TypeScript would count as start-up time. */
const STOCK_CLONE = `
import fs from 'node:fs';
import git from 'isomorphic-git';
import http from 'isomorphic-git/http/node';
const { STOCK_PAIRS, STOCK_TOKEN: password } = process.env;
const onAuth = () => ({ username: 'x-access-token', password });
await Promise.all(JSON.parse(STOCK_PAIRS).map(([url, dir]) => git.clone({ fs, http, dir, url, onAuth })));
`;

function stockIsomorphicGit({ root }: Project): Contestant {
  return {
    name: 'stock isomorphic-git',
    prepare: (host, subjects, directory) => {
      const worktrees = subjects.map(({ name }) => join(directory, name));
      // Its client knows no proxies.
      const pairs = subjects.map(({ name }, at) => [host.directUrl(OWNER, name), worktrees[at]]);
      const env = {
        ...baseEnvironment(host, directory),
        STOCK_PAIRS: JSON.stringify(pairs),
        STOCK_TOKEN: TOKEN,
      };
      const argv = [process.execPath, '--input-type=module', '--eval', STOCK_CLONE];
      return Promise.resolve({ program: { argv, cwd: root, env }, worktrees });
    },
  };
}
