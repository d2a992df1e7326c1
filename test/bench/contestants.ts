/**
 * Who clones: mount-agent as a whole process, `git clone`, and isomorphic-git's own `clone` with
 * its own http client in a process of its own. Each gets a fresh directory and says where its
 * worktree will be.
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
  readonly worktree: string;
}

export interface Contestant {
  readonly name: string;
  /** @param directory fresh and its own. */
  prepare(host: HostProcess, subject: Subject, directory: string): Promise<Attempt>;
}

export interface Project {
  /** Where `dist/main.js` and `node_modules` are. */
  readonly root: string;
}

export function contestants(project: Project): readonly Contestant[] {
  return [mountAgent(project), gitClone(), stockIsomorphicGit(project)];
}

function baseEnvironment(host: HostProcess, directory: string): Record<string, string> {
  const path = process.env['PATH'] ?? '/usr/bin:/bin';
  return { ...host.environment, PATH: path, HOME: directory, LC_ALL: 'C' };
}

function mountAgent({ root }: Project): Contestant {
  return {
    name: 'mount-agent mount',
    prepare: async (host, subject, directory) => {
      const worktree = join(directory, 'mounts', subject.name);
      const manifest = join(directory, 'manifest.json');
      const resource = {
        type: 'github_repository',
        url: host.url(OWNER, subject.name),
        mount_path: worktree,
        authorization_token: TOKEN,
      };
      const text = JSON.stringify({ session_id: 'sess_bench', resources: [resource] });
      await writeFile(manifest, text, { mode: 0o600 });
      await mkdir(join(directory, 'mounts'));
      const places = [
        '--mount-root',
        join(directory, 'mounts'),
        '--run-dir',
        join(directory, 'run'),
      ];
      const flags = ['mount', '--manifest', manifest, ...places, '--allow-http'];
      const argv = [process.execPath, join(root, 'dist', 'main.js'), ...flags];
      return { program: { argv, cwd: directory, env: baseEnvironment(host, directory) }, worktree };
    },
  };
}

function gitClone(): Contestant {
  return {
    name: 'git clone',
    prepare: (host, subject, directory) => {
      const worktree = join(directory, subject.name);
      const basic = Buffer.from(`x-access-token:${TOKEN}`).toString('base64');
      const env = {
        ...baseEnvironment(host, directory),
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_CONFIG_COUNT: '1',
        GIT_CONFIG_KEY_0: 'http.extraHeader',
        GIT_CONFIG_VALUE_0: `Authorization: basic ${basic}`,
      };
      const argv = ['git', 'clone', '--quiet', host.url(OWNER, subject.name), worktree];
      return Promise.resolve({ program: { argv, cwd: directory, env }, worktree });
    },
  };
}

/** Given to node as text: a loader for TypeScript would count as start-up time. */
const STOCK_CLONE = `
import fs from 'node:fs';
import git from 'isomorphic-git';
import http from 'isomorphic-git/http/node';
const { STOCK_URL: url, STOCK_DIR: dir, STOCK_TOKEN: password } = process.env;
await git.clone({ fs, http, dir, url, onAuth: () => ({ username: 'x-access-token', password }) });
`;

function stockIsomorphicGit({ root }: Project): Contestant {
  return {
    name: 'stock isomorphic-git',
    prepare: (host, subject, directory) => {
      const worktree = join(directory, subject.name);
      const env = {
        ...baseEnvironment(host, directory),
        // Its client knows no proxies.
        STOCK_URL: host.directUrl(OWNER, subject.name),
        STOCK_DIR: worktree,
        STOCK_TOKEN: TOKEN,
      };
      const argv = [process.execPath, '--input-type=module', '--eval', STOCK_CLONE];
      return Promise.resolve({ program: { argv, cwd: root, env }, worktree });
    },
  };
}
