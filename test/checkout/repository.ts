/** Real git in a fresh directory: a clean environment, fixed dates, bytes in and out. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ObjectType } from '../../agent/checkout/blob-source.ts';
import { ObjectStore } from '../../agent/pack/object-store.ts';

export const GIT_ENV = {
  PATH: process.env['PATH'] ?? '/usr/bin:/bin',
  HOME: '/nonexistent',
  LC_ALL: 'C',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_AUTHOR_NAME: 'A',
  GIT_AUTHOR_EMAIL: 'a@example.com',
  GIT_AUTHOR_DATE: '1700000000 +0000',
  GIT_COMMITTER_NAME: 'C',
  GIT_COMMITTER_EMAIL: 'c@example.com',
  GIT_COMMITTER_DATE: '1700000000 +0000',
};

export interface TreeLine {
  readonly mode: string;
  readonly name: Buffer | string;
  readonly oid: string;
}

export class Repository {
  readonly worktree: string;
  readonly gitdir: string;

  constructor(parent: string, name: string, options: readonly string[] = []) {
    this.worktree = join(parent, name);
    this.gitdir = join(this.worktree, '.git');
    mkdirSync(this.worktree);
    // The object directory has to take thousands of loose objects without repacking by itself.
    this.git('init', '-q', '-b', 'main', ...options);
    this.git('config', 'gc.auto', '0');
  }

  openStore(): ObjectStore {
    return ObjectStore.open(join(this.gitdir, 'objects'));
  }

  /** Standard output; throws with standard error when git fails. */
  git(...args: readonly string[]): string {
    return this.gitBytes(args).toString('latin1').replace(/\n$/, '');
  }

  gitBytes(args: readonly string[], input?: Buffer | string, env: object = {}): Buffer {
    return execFileSync('git', args, {
      cwd: this.worktree,
      env: { ...GIT_ENV, ...env },
      input: input ?? '',
      stdio: ['pipe', 'pipe', 'pipe'],
      maxBuffer: 1 << 30,
    });
  }

  gitWith(input: Buffer | string, ...args: readonly string[]): string {
    return this.gitBytes(args, input).toString('latin1').trim();
  }

  /** Exit status and everything said, for commands that may fail. */
  tryGit(...args: readonly (string | Buffer)[]): { status: number | null; output: string } {
    const { status, stdout, stderr } = spawnSync('git', args as string[], {
      cwd: this.worktree,
      env: GIT_ENV,
      encoding: 'latin1',
    });
    return { status, output: stdout + stderr };
  }

  blob(content: Buffer | string): string {
    return this.gitWith(content, 'hash-object', '-w', '--stdin');
  }

  /** A tree with exactly these lines in this order, whatever git thinks of it. */
  rawTree(lines: readonly TreeLine[]): string {
    const content = Buffer.concat(lines.map((line) => rawTreeEntry(line)));
    return this.rawObject('tree', content);
  }

  rawObject(type: ObjectType, content: Buffer): string {
    return this.gitWith(content, 'hash-object', '-t', type, '--literally', '-w', '--stdin');
  }

  /** A tree as git itself makes it out of these full paths. */
  treeOf(files: readonly TreeLine[]): string {
    const lines = files.map(({ mode, name, oid }) =>
      Buffer.concat([Buffer.from(`${mode} ${oid}\t`), Buffer.from(name), Buffer.from('\0')]),
    );
    const env = { GIT_INDEX_FILE: join(this.gitdir, 'tree-of.index') };
    this.gitBytes(['update-index', '-z', '--index-info'], Buffer.concat(lines), env);
    const tree = this.gitBytes(['write-tree'], '', env).toString().trim();
    rmSync(env.GIT_INDEX_FILE);
    return tree;
  }

  /** Points HEAD at a commit of `tree`, touching neither index nor worktree. */
  commit(tree: string): string {
    const commit = this.git('commit-tree', '-m', 'x', tree);
    this.git('update-ref', 'HEAD', commit);
    return commit;
  }
}

export function rawTreeEntry({ mode, name, oid }: TreeLine): Buffer {
  return Buffer.concat([
    Buffer.from(`${mode} `),
    Buffer.from(name),
    Buffer.from([0]),
    Buffer.from(oid, 'hex'),
  ]);
}

export function temporaryDirectory(): string {
  return mkdtempSync(join(tmpdir(), 'checkout-test-'));
}
