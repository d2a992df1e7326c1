/**
 * What tests of and with the host share: a fresh directory, a host with two private repositories
 * and their tokens, and real git and gh as child processes with nobody's configuration.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CLEAN_GIT_ENVIRONMENT, copyFixture } from '../fixtures/cache.ts';
import type { Fixture } from '../fixtures/cache.ts';
import { smallRepository } from '../fixtures/small-repository.ts';
import { startHost } from './host.ts';
import type { Host, HostOptions } from './host.ts';

export const TOKENS = {
  /** Writes to acme/web. */
  web: 'github_pat_web_canary_0123456789',
  /** Reads acme/web. */
  reader: 'github_pat_reader_canary_0123456789',
  /** Writes to acme/api, no access to acme/web. */
  api: 'ghp_apicanary0123456789',
} as const;

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface TwoRepositories extends AsyncDisposable {
  readonly host: Host;
  readonly directory: string;
  readonly fixture: Fixture;
  readonly bareDirs: { readonly web: string; readonly api: string };
}

/** acme/web and acme/api, each a copy of the small fixture. */
export async function hostWithTwoRepositories(options: HostOptions = {}): Promise<TwoRepositories> {
  const directory = await mkdtemp(join(tmpdir(), 'host-test-'));
  const fixture = await smallRepository();
  const web = await copyFixture(fixture, join(directory, 'web.git'));
  const api = await copyFixture(fixture, join(directory, 'api.git'));
  const host = await startHost(options);
  host.addRepository({
    owner: 'acme',
    name: 'web',
    bareDir: web,
    tokens: [
      { token: TOKENS.web, login: 'walter', permissions: 'write' },
      { token: TOKENS.reader, login: 'rita', permissions: 'read' },
    ],
  });
  host.addRepository({
    owner: 'acme',
    name: 'api',
    bareDir: api,
    tokens: [{ token: TOKENS.api, login: 'ada', permissions: 'write' }],
  });
  return {
    host,
    directory,
    fixture,
    bareDirs: { web, api },
    [Symbol.asyncDispose]: async () => {
      await host[Symbol.asyncDispose]();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Runs a program to its end; never rejects for its exit code. */
export function run(
  program: string,
  args: readonly string[],
  options: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { ...options, maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      if (error === null) resolve({ code: 0, stdout, stderr });
      else if (typeof error.code === 'number') resolve({ code: error.code, stdout, stderr });
      else reject(new Error(`${program} did not run to its end`, { cause: error }));
    });
  });
}

/** git with `token` as the answer to every credential question; null answers none. */
export function gitWith(
  host: Host,
  token: string | null,
  args: readonly string[],
  cwd: string,
): Promise<Ran> {
  const helper = `!printf 'username=x-access-token\\npassword=%s\\n' "$TEST_TOKEN"; :`;
  const config = token === null ? [] : ['-c', `credential.helper=${helper}`];
  const env = { ...CLEAN_GIT_ENVIRONMENT, ...host.environment, TEST_TOKEN: token ?? '' };
  return run('git', [...config, ...args], { cwd, env });
}

/** The real gh, without prompts and with a configuration of its own in `cwd`. */
export function ghWith(
  host: Host,
  token: string,
  args: readonly string[],
  cwd: string,
): Promise<Ran> {
  const env = {
    ...CLEAN_GIT_ENVIRONMENT,
    ...host.environment,
    GH_HOST: 'github.localhost',
    GH_TOKEN: token,
    GH_CONFIG_DIR: join(cwd, '.gh-config'),
    GH_PROMPT_DISABLED: '1',
    GH_NO_UPDATE_NOTIFIER: '1',
  };
  return run('gh', args, { cwd, env });
}
