/**
 * A bare repository that a case fills by script: files through `git fast-import`, everything else by
 * git itself, with fixed names and dates. Names are bytes, written as latin1 strings.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { CLEAN_GIT_ENVIRONMENT } from '../fixtures/cache.ts';

export type Mode = '100644' | '100664' | '100755' | '120000' | '160000';
/** Content, or mode and content: a symlink's target, a submodule's commit. */
export type FileContent = string | Buffer | readonly [mode: Mode, content: string | Buffer];
export type FileSet = Readonly<Record<string, FileContent>>;

const WHO = 'A U Thor <author@example.com> 1700000000 +0000';

export class Origin {
  readonly bareDir: string;
  #marks = 0;

  constructor(parent: string, name: string, options: readonly string[] = []) {
    this.bareDir = join(parent, `${name}.git`);
    const init = ['init', '--quiet', '--bare', '--initial-branch=main', '--template=', ...options];
    execFileSync('git', [...init, this.bareDir], { env: CLEAN_GIT_ENVIRONMENT });
    this.git('config', 'gc.auto', '0');
  }

  git(...args: string[]): string {
    return this.gitWith('', ...args);
  }

  gitWith(input: string | Buffer, ...args: string[]): string {
    return this.gitBytes(input, ...args)
      .toString('latin1')
      .trim();
  }

  gitBytes(input: string | Buffer, ...args: string[]): Buffer {
    return execFileSync('git', args, {
      cwd: this.bareDir,
      env: CLEAN_GIT_ENVIRONMENT,
      input: Buffer.from(input as string, 'latin1'),
      maxBuffer: 2 ** 30,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  }

  /** A commit on `branch` (after its last one) that adds these files. @returns its oid. */
  commit(files: FileSet, branch = 'main'): string {
    this.import([{ branch, files }]);
    return this.gitWith(`refs/heads/${branch}\n`, 'cat-file', '--batch-check=%(objectname)');
  }

  /** Many commits at once; `merge` names other branches whose tips become parents. */
  import(
    commits: readonly {
      readonly branch: string;
      readonly files: FileSet;
      readonly from?: string;
      readonly merge?: readonly string[];
    }[],
  ): void {
    const stream: Buffer[] = [];
    const known = new Set(this.git('for-each-ref', '--format=%(refname)').split('\n'));
    const write = (text: string): void => void stream.push(Buffer.from(text, 'latin1'));
    const data = (content: string | Buffer): void => {
      const bytes = Buffer.from(content as string, 'latin1');
      write(`data ${bytes.length}\n`);
      stream.push(bytes, Buffer.from('\n'));
    };
    for (const { branch, files, from, merge = [] } of commits) {
      const ref = `refs/heads/${branch}`;
      write(`commit ${ref}\ncommitter ${WHO}\n`);
      data(`Change ${++this.#marks}\n`);
      if (from !== undefined) write(`from refs/heads/${from}\n`);
      else if (known.has(ref)) write(`from ${ref}^0\n`);
      known.delete(ref);
      for (const other of merge) write(`merge refs/heads/${other}\n`);
      for (const [path, file] of Object.entries(files)) {
        const [mode, content] = Array.isArray(file) ? (file as [Mode, string]) : ['100644', file];
        const isLink = mode === '160000';
        write(`M ${mode} ${isLink ? String(content) : 'inline'} ${quoted(path)}\n`);
        if (!isLink) data(content as string);
      }
    }
    this.gitBytes(Buffer.concat(stream), 'fast-import', '--quiet');
  }

  /** Refs of any name that git can store, all at once. */
  updateRefs(refs: Readonly<Record<string, string>>): void {
    const lines = Object.entries(refs).map(([name, oid]) => `update ${name}\0${oid}\0\0`);
    this.gitWith(lines.join(''), 'update-ref', '-z', '--stdin');
  }

  head(target: string): void {
    this.git('symbolic-ref', 'HEAD', target);
  }
}

function quoted(path: string): string {
  const escaped = path.replaceAll(
    /["\\]|[^ -~]/g,
    (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`,
  );
  return `"${escaped}"`;
}
