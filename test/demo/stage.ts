/**
 * What the demo plays on: a fresh directory, two private repositories on a loopback GitHub with a
 * token each, and gh where it can be had. Dispose leaves nothing of it.
 */
import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { modestProject } from '../fixtures/benchmark-repositories.ts';
import { makeRepository } from '../fixtures/cache.ts';
import { startHost } from '../host/host.ts';
import type { Host } from '../host/host.ts';

const execFileAsync = promisify(execFile);

export const REPOSITORIES = {
  web: { login: 'walter', token: 'github_pat_demo_web_0123456789abcdef' },
  api: { login: 'ada', token: 'github_pat_demo_api_0123456789abcdef' },
} as const;
export type RepositoryName = keyof typeof REPOSITORIES;
export const NAMES = Object.keys(REPOSITORIES) as RepositoryName[];

export class Stage implements AsyncDisposable {
  readonly directory: string;
  readonly host: Host;

  private constructor(directory: string, host: Host) {
    this.directory = directory;
    this.host = host;
  }

  static async open(): Promise<Stage> {
    const directory = await mkdtemp(join(tmpdir(), 'mount-agent-demo-'));
    const stage = new Stage(directory, await startHost());
    for (const name of ['app', 'home', 'orchestrator', 'out']) await mkdir(join(directory, name));
    for (const [at, name] of NAMES.entries()) {
      const { login, token } = REPOSITORIES[name];
      const bareDir = stage.bareDir(name);
      await makeRepository(modestProject(at + 1), bareDir);
      const tokens = [{ token, login, permissions: 'write' as const }];
      stage.host.addRepository({ owner: 'acme', name, bareDir, tokens });
    }
    return stage;
  }

  bareDir(name: RepositoryName): string {
    return join(this.directory, `${name}.git`);
  }

  path(...parts: string[]): string {
    return join(this.directory, ...parts);
  }

  /** As an orchestrator does it: written aside, then renamed. */
  async dropManifest(path: string): Promise<void> {
    const resources = NAMES.map((name) => ({
      type: 'github_repository',
      url: this.host.url('acme', name),
      mount_path: this.path('app', name),
      authorization_token: REPOSITORIES[name].token,
    }));
    const text = JSON.stringify({ session_id: 'sess_demo', resources });
    await writeFile(`${path}.new`, text, { mode: 0o600 });
    await rename(`${path}.new`, path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.host[Symbol.asyncDispose]();
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** Installs gh with apt where it is missing and that is possible. @returns its version, or null. */
export async function ensureGh(): Promise<string | null> {
  const installed = await ghVersion();
  if (installed !== null || process.getuid?.() !== 0) return installed;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  try {
    await execFileAsync('apt-get', ['update', '-qq'], { env });
    await execFileAsync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'gh'], {
      env,
    });
  } catch (error) {
    // No apt here, or no network: the step is announced as skipped.
    if (!(error instanceof Error && 'code' in error)) throw error;
  }
  return ghVersion();
}

async function ghVersion(): Promise<string | null> {
  try {
    const { stdout } = await execFileAsync('gh', ['--version']);
    return stdout.split('\n')[0] ?? '';
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

/** A port that is free now; the daemon takes it a moment later. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
