/**
 * The host's repositories: owner and name (compared without case, as GitHub does) to a bare
 * repository on disk, with the old names that lead to a new one. Questions about content are
 * answered by real git in that directory.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execFileAsync = promisify(execFile);

export interface HostedRepository {
  readonly id: string;
  readonly databaseId: number;
  owner: string;
  name: string;
  readonly bareDir: string;
  /** Readable without a token. */
  readonly isPublic: boolean;
  readonly createdAt: string;
}

export type Lookup =
  | { readonly found: 'repository'; readonly repository: HostedRepository }
  | { readonly found: 'moved'; readonly repository: HostedRepository }
  | { readonly found: 'nothing' };

export class RepositoryRegistry {
  readonly #byName = new Map<string, HostedRepository>();
  readonly #movedFrom = new Map<string, HostedRepository>();
  #count = 0;

  add(owner: string, name: string, bareDir: string, isPublic: boolean): HostedRepository {
    const key = keyOf(owner, name);
    if (this.#byName.has(key)) throw new TypeError(`${owner}/${name} exists already`);
    this.#count += 1;
    const repository: HostedRepository = {
      id: `R_${Buffer.from(`repository${this.#count}`).toString('base64url')}`,
      databaseId: 1000 + this.#count,
      owner,
      name,
      bareDir,
      isPublic,
      createdAt: '2024-01-01T00:00:00Z',
    };
    this.#byName.set(key, repository);
    return repository;
  }

  rename(owner: string, name: string, newOwner: string, newName: string): void {
    const repository = this.#byName.get(keyOf(owner, name));
    if (repository === undefined) throw new TypeError(`no repository ${owner}/${name}`);
    this.#byName.delete(keyOf(owner, name));
    this.#movedFrom.set(keyOf(owner, name), repository);
    repository.owner = newOwner;
    repository.name = newName;
    this.#byName.set(keyOf(newOwner, newName), repository);
  }

  lookup(owner: string, name: string): Lookup {
    const key = keyOf(owner, name);
    const repository = this.#byName.get(key);
    if (repository !== undefined) return { found: 'repository', repository };
    const moved = this.#movedFrom.get(key);
    return moved === undefined ? { found: 'nothing' } : { found: 'moved', repository: moved };
  }

  byId(id: string): HostedRepository | undefined {
    return [...this.#byName.values()].find(
      (repository) => repository.id === id || String(repository.databaseId) === id,
    );
  }

  get all(): readonly HostedRepository[] {
    return [...this.#byName.values()];
  }
}

function keyOf(owner: string, name: string): string {
  return `${owner}/${name}`.toLowerCase();
}

/** Runs git in a bare repository without anybody's configuration; rejects when git does. */
export async function gitIn(bareDir: string, ...args: string[]): Promise<string> {
  const { stdout } = await execFileAsync(
    'git',
    ['-c', `safe.directory=${bareDir}`, `--git-dir=${bareDir}`, ...args],
    {
      env: { PATH: process.env['PATH'], GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' },
      maxBuffer: 64 * 1024 * 1024,
    },
  );
  return stdout.trimEnd();
}

/** @returns the oid that a full ref name leads to, or null when there is no such ref. */
export async function oidOfRef(bareDir: string, ref: string): Promise<string | null> {
  const line = await gitIn(bareDir, 'for-each-ref', '--format=%(refname) %(objectname)', ref);
  const match = line.split('\n').find((each) => each.startsWith(`${ref} `));
  return match === undefined ? null : match.slice(ref.length + 1);
}

/** @returns the default branch's short name, and its oid unless it is unborn. */
export async function defaultBranch(
  bareDir: string,
): Promise<{ readonly name: string; readonly oid: string | null }> {
  const ref = await gitIn(bareDir, 'symbolic-ref', 'HEAD');
  return { name: ref.replace(/^refs\/heads\//, ''), oid: await oidOfRef(bareDir, ref) };
}
