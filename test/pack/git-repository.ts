/** Real git for the tests: repositories made by a script with fixed dates, packs made by pack-objects. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ENVIRONMENT = {
  PATH: process.env['PATH'],
  HOME: '/nonexistent',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_AUTHOR_NAME: 'A U Thor',
  GIT_AUTHOR_EMAIL: 'author@example.com',
  GIT_COMMITTER_NAME: 'C O Mitter',
  GIT_COMMITTER_EMAIL: 'committer@example.com',
  GIT_AUTHOR_DATE: '2020-02-02T02:02:02Z',
  GIT_COMMITTER_DATE: '2020-02-02T02:02:02Z',
  // The disk of these repositories need not be safe.
  GIT_CONFIG_COUNT: '1',
  GIT_CONFIG_KEY_0: 'core.fsync',
  GIT_CONFIG_VALUE_0: 'none',
};

/** Runs git in `cwd`; returns its standard output. */
export function git(cwd: string, args: readonly string[], input?: string | Buffer): Buffer {
  return execFileSync('git', args, {
    cwd,
    env: ENVIRONMENT,
    input: input ?? '',
    maxBuffer: 2 ** 30,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

/** A fresh directory; remove it with `removeDirectory`. */
export function makeDirectory(): string {
  return mkdtempSync(join(tmpdir(), 'mount-agent-pack-'));
}

export function removeDirectory(path: string): void {
  rmSync(path, { recursive: true, force: true });
}

/** Pseudo-random bytes that are the same in every run. */
export function noise(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed * 2654435761 + 1;
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    bytes[index] = state >>> 16;
  }
  return bytes;
}

/** A repository with `commits` commits whose files make long delta chains; all four object types. */
export function makeRepository(dir: string, commits: number): string {
  git(dir, ['init', '-q', '-b', 'main', '.']);
  const lines = Array.from(
    { length: 400 },
    (_, index) => `line ${index} ${'x'.repeat(index % 50)}`,
  );
  const stream: (string | Buffer)[] = [];
  const author = 'A U Thor <author@example.com> 1580608922 +0000';
  const data = (content: string | Buffer): void => {
    stream.push(`data ${Buffer.byteLength(content)}\n`, content, '\n');
  };
  for (let commit = 0; commit < commits; commit++) {
    lines[(commit * 37) % lines.length] = `changed by ${commit}`;
    stream.push(`commit refs/heads/main\nmark :${commit + 1}\ncommitter ${author}\n`);
    data(`commit ${commit}\n`);
    if (commit > 0) stream.push(`from :${commit}\n`);
    const files: [string, string | Buffer][] = [
      ['long.txt', lines.join('\n')],
      [`dir${commit % 7}/file${commit}.txt`, `small ${commit}\n`],
      ['empty', ''],
      ['noise.bin', noise(3000 + commit, commit % 3)],
    ];
    for (const [path, content] of files) {
      stream.push(`M 644 inline ${path}\n`);
      data(content);
    }
  }
  stream.push(`tag v1\nfrom :${commits}\ntagger ${author}\n`);
  data('a tag\n');
  const input = Buffer.concat(stream.map((part) => Buffer.from(part)));
  git(dir, ['-c', 'fastimport.unpackLimit=100000', 'fast-import', '--quiet'], input);
  return dir;
}

/** Packs everything in `repository` with pack-objects and these options. */
export function packAll(repository: string, options: readonly string[]): Buffer {
  const oids = git(repository, ['rev-list', '--objects', '--all']);
  return git(repository, ['pack-objects', '--stdout', '-q', ...options], oids);
}

/** What git index-pack makes of a pack: the idx, or another file. Throws when git refuses. */
export function gitIndexPack(
  pack: Buffer,
  options: readonly string[] = [],
  extension = 'idx',
): Buffer {
  const dir = makeDirectory();
  try {
    writeFileSync(join(dir, 'a.pack'), pack);
    git(dir, ['index-pack', ...options, '-o', 'a.idx', 'a.pack']);
    return readFileSync(join(dir, `a.${extension}`));
  } finally {
    removeDirectory(dir);
  }
}
