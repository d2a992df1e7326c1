/**
 * The programs that build and run images here: buildah, debootstrap and runc of Debian. In: argv. Out:
 * what they print; an error with their last words when they fail. All that they keep is in .cache/image.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const CACHE = `${ROOT}.cache/image`;

const SHOWN_CHARACTERS = 4_000;

export interface RunOptions {
  /** Shown as it comes instead of being given back. */
  readonly isShown?: boolean;
  readonly cwd?: string;
}

/** @returns standard output without its last line end. */
export function run(program: string, args: readonly string[], options: RunOptions = {}): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    stdio: [
      'ignore',
      options.isShown === true ? 'inherit' : 'pipe',
      options.isShown === true ? 'inherit' : 'pipe',
    ],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  if (error !== undefined) throw error;
  if (status === 0) return options.isShown === true ? '' : stdout.trimEnd();
  const words = options.isShown === true ? '' : `${stdout}${stderr}`.slice(-SHOWN_CHARACTERS);
  throw new Error(`${program} ${args.join(' ')}: exit ${status ?? 'by a signal'}\n${words}`);
}

/** buildah with a storage of its own; kernel overlays where there are some, else whole copies. */
export function buildah(args: readonly string[], options: RunOptions = {}): string {
  mkdirSync(`${CACHE}/storage`, { recursive: true });
  return run('buildah', [...storageFlags(), ...args], options);
}

let driver: 'overlay' | 'vfs' | null = null;

function storageFlags(): string[] {
  driver ??= hasOverlay() ? 'overlay' : 'vfs';
  return [
    '--storage-driver',
    driver,
    '--root',
    `${CACHE}/storage`,
    '--runroot',
    `${CACHE}/runroot`,
  ];
}

function hasOverlay(): boolean {
  const directory = `${CACHE}/overlay-probe`;
  for (const name of ['lower', 'upper', 'work', 'merged'])
    mkdirSync(`${directory}/${name}`, { recursive: true });
  try {
    mountOverlay([`${directory}/lower`], directory);
    unmount(`${directory}/merged`);
    return true;
  } catch (error) {
    // mount(8) failed: a kernel without it, or a file system that cannot carry it.
    if (error instanceof Error && 'status' in error) return false;
    throw error;
  }
}

/** @param directory with `upper`, `work` and `merged` in it. */
export function mountOverlay(lower: readonly string[], directory: string): void {
  const options = `lowerdir=${lower.join(':')},upperdir=${directory}/upper,workdir=${directory}/work`;
  execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', options, `${directory}/merged`], {
    stdio: 'pipe',
  });
}

export function unmount(path: string): void {
  execFileSync('umount', [path], { stdio: 'pipe' });
}
