/**
 * What stands around a container: the loopback GitHub with two repositories, a manifest that an
 * orchestrator drops, and a disk that can be kept or lost. Disposing of it leaves nothing.
 */
import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { TOKENS, hostWithTwoRepositories } from '../host/host-fixture.ts';
import type { TwoRepositories } from '../host/host-fixture.ts';
import { Container, Disk, eventually } from './container.ts';
import type { ContainerOptions, Image } from './container.ts';
import { bind } from './runtime-spec.ts';

const MANIFEST_DIRECTORY = '/run/orchestrator';
/** As a container sees it. */
export const MANIFEST = `${MANIFEST_DIRECTORY}/manifest.json`;

/** What the agent does: edits, pushes, and opens a pull request; then it waits to be ended. */
const WORK = `
  set -e
  cd /app/web
  test -z "$(git status --porcelain=v2)"
  git checkout -q -b "$1"
  echo page >page.txt
  git add page.txt && git commit -q -m "Add a page" && git push -q -u origin "$1"
  gh pr create --fill
  cd ../api && git fetch -q
  echo worked
  exec sleep 600`;

/** The arguments of the image for a command that works on a branch. */
export function work(branch: string): string[] {
  const git = ['--git-user', 'A U Thor <author@example.com>'];
  return ['run', ...git, '--', 'sh', '-c', WORK, 'sh', branch];
}

export class Platform implements AsyncDisposable {
  readonly two: TwoRepositories;
  readonly directory: string;
  readonly #image: Image;
  disk: Disk;

  private constructor(image: Image, two: TwoRepositories, directory: string) {
    this.#image = image;
    this.two = two;
    this.directory = directory;
    this.disk = new Disk(image, directory);
  }

  /** With acme/web and acme/api in the manifest. */
  static async open(image: Image): Promise<Platform> {
    const two = await hostWithTwoRepositories();
    const directory = await mkdtemp(join(tmpdir(), 'image-'));
    await mkdir(join(directory, 'orchestrator'));
    const platform = new Platform(image, two, directory);
    await platform.dropManifest(
      platform.resource('web', TOKENS.web),
      platform.resource('api', TOKENS.api),
    );
    return platform;
  }

  resource(name: string, token: string): object {
    const url = this.two.host.url('acme', name);
    return { type: 'github_repository', url, authorization_token: token };
  }

  async dropManifest(...resources: readonly object[]): Promise<void> {
    await this.writeManifest(JSON.stringify({ session_id: 'sess_image', resources }));
  }

  async writeManifest(text: string): Promise<void> {
    await this.loseManifest();
    await writeFile(this.#manifestPath, text, { mode: 0o400 });
    await chown(this.#manifestPath, this.#image.uid, this.#image.uid);
  }

  async loseManifest(): Promise<void> {
    await rm(this.#manifestPath, { force: true });
  }

  get #manifestPath(): string {
    return join(this.directory, 'orchestrator', 'manifest.json');
  }

  /** A directory of the machine to be mounted into a container. */
  async volume(name: string, owner: number, mode: number): Promise<string> {
    const path = join(this.directory, name);
    await mkdir(path);
    await chown(path, owner, owner);
    await chmod(path, mode);
    return path;
  }

  start(args: readonly string[], options: Partial<ContainerOptions> = {}): Container {
    // Before whatever is mounted on /run: a mount below it comes later.
    const manifest = bind(join(this.directory, 'orchestrator'), MANIFEST_DIRECTORY, 'ro');
    return new Container({
      image: this.#image,
      disk: this.disk,
      args,
      ...options,
      mounts: [...(options.mounts ?? []), manifest],
      env: {
        ...this.two.host.environment,
        MOUNT_AGENT_MANIFEST: MANIFEST,
        MOUNT_AGENT_ALLOW_HTTP: 'true',
        MOUNT_AGENT_LISTEN: '127.0.0.1:0',
        ...options.env,
      },
    });
  }

  /** The next container finds nothing of the last one. */
  loseDisk(): void {
    this.disk[Symbol.dispose]();
    this.disk = new Disk(this.#image, this.directory);
  }

  get fetches(): number {
    return this.two.host.requests.filter(({ service }) => service === 'git-upload-pack').length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.disk[Symbol.dispose]();
    await this.two[Symbol.asyncDispose]();
    await rm(this.directory, { recursive: true });
  }
}

export async function untilWorked(container: Container): Promise<void> {
  await eventually('the push and the pull request', () => {
    container.expectRunning();
    return container.stdout.includes('worked\n');
  });
}

/** @returns the milliseconds from SIGTERM to the end. */
export async function stop(container: Container, expectedCode = 143): Promise<number> {
  const begin = performance.now();
  container.signal('SIGTERM');
  expect(await container.exitCode).toBe(expectedCode);
  const took = performance.now() - begin;
  console.log(`from SIGTERM to the end: ${took.toFixed(0)} ms`);
  return took;
}
