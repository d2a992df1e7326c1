/**
 * An image of buildah's storage → containers of it, run by runc as an engine would: the image's own
 * entrypoint, user, environment and working directory, its file system under an overlay of the
 * container's own, namespaces for processes and mounts. The network is the machine's: the loopback
 * GitHub stands there.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { buildah, mountOverlay, run, unmount } from './programs.ts';
import { processSpec } from './runtime-spec.ts';
import type { Limits } from './runtime-spec.ts';

export interface ImageConfig {
  readonly User?: string;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly Volumes?: Readonly<Record<string, object>>;
  readonly StopSignal?: string;
  readonly Healthcheck?: { readonly Test: readonly string[] };
}

/** An image that containers can be made of; disposing of it unmounts its file system. */
export class Image implements Disposable {
  readonly root: string;
  readonly config: ImageConfig;
  /** Of the image's user. */
  readonly uid: number;
  readonly #container: string;

  constructor(name: string) {
    this.#container = buildah(['from', '--pull-never', name]);
    this.root = buildah(['mount', this.#container]);
    const inspected = JSON.parse(buildah(['inspect', '--type', 'image', name])) as {
      Docker: { config: ImageConfig };
    };
    this.config = inspected.Docker.config;
    this.uid = uidOf(this.config.User ?? '', this.root);
  }

  [Symbol.dispose](): void {
    buildah(['rm', this.#container]);
  }
}

/** No user is root (image specification). */
function uidOf(user: string, root: string): number {
  if (user === '') return 0;
  const lines = readFileSync(join(root, 'etc/passwd'), 'utf8').split('\n');
  const [, , uid] = lines.map((line) => line.split(':')).find(([name]) => name === user) ?? [];
  if (uid === undefined) throw new Error(`the image has no user ${user}`);
  return Number(uid);
}

/** What a container writes; it outlives the container, as a disk that is kept. */
export class Disk implements Disposable {
  readonly directory: string;
  /** The container's root file system, as the machine sees it. */
  readonly root: string;

  constructor(image: Image, under: string) {
    this.directory = mkdtempSync(join(under, 'disk-'));
    for (const name of ['upper', 'work', 'merged']) mkdirSync(join(this.directory, name));
    this.root = join(this.directory, 'merged');
    mountOverlay([image.root], this.directory);
  }

  [Symbol.dispose](): void {
    unmount(this.root);
    rmSync(this.directory, { recursive: true });
  }
}

export interface ContainerOptions extends Limits {
  readonly image: Image;
  readonly disk: Disk;
  /** After the image's entrypoint. */
  readonly args: readonly string[];
  /** In place of the image's. */
  readonly entrypoint?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

let count = 0;

export class Container implements AsyncDisposable {
  readonly id: string;
  readonly exitCode: Promise<number>;
  readonly #child: ChildProcess;
  readonly #bundle: string;
  stdout = '';
  stderr = '';

  constructor(options: ContainerOptions) {
    this.id = `mount-agent-test-${process.pid}-${++count}`;
    this.#bundle = join(options.disk.directory, this.id);
    mkdirSync(this.#bundle);
    const { config } = options.image;
    const args = [...(options.entrypoint ?? config.Entrypoint ?? []), ...options.args];
    const env = [
      ...(config.Env ?? []),
      ...Object.entries(options.env ?? {}).map((at) => at.join('=')),
    ];
    const spec = processSpec({
      user: options.image.uid,
      ...options,
      root: options.disk.root,
      args,
      env,
      cwd: config.WorkingDir === '' ? '/' : (config.WorkingDir ?? '/'),
    });
    writeFileSync(join(this.#bundle, 'config.json'), JSON.stringify(spec));
    this.#child = spawn('runc', ['run', '--bundle', this.#bundle, this.id], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.exitCode = once(this.#child, 'close').then(([code]) => Number(code));
  }

  /** As `docker kill`. */
  signal(signal: NodeJS.Signals): void {
    run('runc', ['kill', this.id, signal]);
  }

  /** As `docker exec`, with the user and the environment of the container. */
  exec(...argv: string[]): { readonly code: number; readonly output: string } {
    try {
      return { code: 0, output: run('runc', ['exec', this.id, ...argv]) };
    } catch (error) {
      const [, code = '-1'] = /: exit (\d+)\n/.exec(String(error)) ?? [];
      return { code: Number(code), output: String(error) };
    }
  }

  /** As the machine numbers them. */
  get pids(): number[] {
    const listed = run('runc', ['ps', '--format', 'json', this.id]);
    return JSON.parse(listed) as number[];
  }

  /** The cgroup's own number, in bytes or as a count. */
  memory(file: string): string {
    const state = JSON.parse(readFileSync(`/run/runc/${this.id}/state.json`, 'utf8')) as {
      cgroup_paths: Readonly<Record<string, string>>;
    };
    return readFileSync(`${state.cgroup_paths['memory'] ?? ''}/${file}`, 'utf8').trim();
  }

  get log(): Record<string, unknown>[] {
    const lines = this.stderr.split('\n').filter((line) => /^\{.*\}$/.test(line));
    return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Waits for a log line with this message. */
  async logged(message: string): Promise<Record<string, unknown>> {
    return eventually(`log line "${message}"`, () => {
      const found = this.log.find(({ msg }) => String(msg).includes(message));
      if (found === undefined) this.expectRunning();
      return found;
    });
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null;
  }

  /** @throws with all that it said, when it has ended. */
  expectRunning(): void {
    if (!this.hasEnded) return;
    throw new Error(`ended with ${this.#child.exitCode}:\n${this.stdout}${this.stderr}`);
  }

  async get(path: string): Promise<{ readonly code: number; readonly body: string }> {
    const { listen } = await this.logged('serving');
    const port = (listen as { port: number }[])[0]?.port ?? 0;
    return new Promise((resolve, reject) => {
      get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (text: string) => (body += text));
        response.on('end', () => {
          resolve({ code: response.statusCode ?? 0, body });
        });
      }).on('error', reject);
    });
  }

  async untilReady(): Promise<void> {
    await eventually(`/readyz to be 200`, async () => (await this.get('/readyz')).code === 200);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.hasEnded) run('runc', ['delete', '--force', this.id]);
    await this.exitCode;
  }
}

const STEP_TIMEOUT_MS = 90_000;

/** Looks again and again until the answer is neither false nor undefined. */
export async function eventually<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> {
  const deadline = performance.now() + STEP_TIMEOUT_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (performance.now() > deadline) throw new Error(`waited too long for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
