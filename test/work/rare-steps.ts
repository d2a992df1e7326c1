/**
 * More of what happens in a repository while somebody works in it: histories are rewritten, here and at
 * the remote; files are large; worktrees, notes and shapes of a repository that few use.
 */
import { chmodSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { runGit } from './scratch-repository.ts';
import type { ScratchRepository } from './scratch-repository.ts';
import { commitAll, write } from './steps.ts';
import type { Step } from './steps.ts';

export const A_LARGE_FILE = 'a file of 50 MB';
const LARGE_BYTES = 50_000_000;

export const RARE_STEPS: Readonly<Record<string, Step>> = {
  'the remote loses a branch': (r, pick) => {
    const branch = ['pushed', 'theirs', 'topic'][pick % 3] ?? 'topic';
    const origin = originOf(r);
    if (existsSync(join(origin, 'refs/heads', branch))) runGit(origin, ['branch', '-D', branch]);
  },
  'the remote forgets what nothing leads to': (r) => {
    const origin = originOf(r);
    runGit(origin, ['reflog', 'expire', '--expire=now', '--all']);
    runGit(origin, ['gc', '-q', '--prune=now']);
  },
  // What the clone's work builds on is then nowhere but here.
  'somebody else force-pushes the base': (r, pick) => {
    const origin = originOf(r);
    const tree = runGit(origin, ['rev-parse', 'main^{tree}']).toString().trim();
    const commit = runGit(origin, ['commit-tree', '-m', `forced ${pick}`, tree])
      .toString()
      .trim();
    runGit(origin, ['update-ref', 'refs/heads/main', commit]);
    if (pick % 2 === 0) runGit(origin, ['gc', '-q', '--prune=now']);
    if (pick % 3 === 0) r.tryGit('fetch', '-q');
  },
  'amended, the old commit in the reflog alone': (r, pick) => {
    write(r, 'amended.txt', `${pick}`);
    r.tryGit('add', 'amended.txt');
    r.tryGit('commit', '-qm', 'before');
    write(r, 'amended.txt', `${pick} again`);
    r.tryGit('commit', '-qa', '--amend', '-m', 'after');
  },
  'commits dropped by a rebase': (r, pick) => {
    for (const name of ['dropped', 'kept']) {
      write(r, `${name}.txt`, `${name} ${pick}\n`);
      commitAll(r, name);
    }
    r.tryGit('rebase', '-q', '--onto', 'HEAD~2', 'HEAD~1');
  },
  'stash dropped': (r, pick) => {
    r.tryGit('stash', 'drop', '-q', `stash@{${pick % 2}}`);
  },
  'stash of what is staged and what is not': (r, pick) => {
    write(r, 'file2.txt', `staged ${pick}\n`);
    r.tryGit('add', 'file2.txt');
    write(r, 'file2.txt', `not staged ${pick}\n`);
    r.tryGit('stash', 'push', '-q', ...(pick % 2 === 0 ? ['--keep-index'] : ['--all']));
  },
  'permissions of directories': (r, pick) => {
    const [mode = 0o755, other = 0o755] =
      [[0o700, 0o555], [0o555], [0o1777, 0o750]][pick % 3] ?? [];
    mkdirSync(r.path('vacant/inner'), { recursive: true });
    write(r, 'closed/deep/file.txt', `${pick}`);
    for (const name of ['vacant/inner', 'closed/deep', 'closed']) chmodSync(r.path(name), mode);
    if (existsSync(r.path('docs'))) chmodSync(r.path('docs'), other);
  },
  'file with CRLF edited': (r, pick) => {
    write(r, 'crlf.txt', `eins\r\nzwei ${pick}\r\n`);
    write(r, `crlf${pick % 3}.new`, 'one\r\ntwo\nthree\r');
    if (pick % 2 === 0) r.tryGit('add', `crlf${pick % 3}.new`);
  },
  'a file of 300 kB': (r, pick) => {
    write(r, 'large.bin', Buffer.alloc(300_000, `large ${pick} `));
    if (pick % 2 === 0) r.tryGit('add', 'large.bin');
  },
  [A_LARGE_FILE]: (r, pick) => {
    // Compressible, but no part of it is like the next.
    const content = Buffer.alloc(LARGE_BYTES, `huge ${pick} `);
    for (let at = 0; at < LARGE_BYTES; at += 4096) content.writeUInt32LE(at, at);
    write(r, 'huge.bin', content);
    if (pick % 2 === 0) r.tryGit('-c', 'core.compression=1', 'add', 'huge.bin');
  },
  'staged and then gone': (r, pick) => {
    write(r, 'staged-only.txt', `only in the index ${pick}`);
    r.tryGit('add', 'staged-only.txt');
    rmSync(r.path('staged-only.txt'), { force: true });
  },
  'linked worktree with work in it': (r, pick) => {
    const linked = join(r.base, `linked${pick}`);
    r.tryGit('worktree', 'add', '-q', '-f', linked, 'main');
    if (!r.exists(`../linked${pick}`)) return;
    r.write(`../linked${pick}/file0.txt`, `edited ${pick}\n`);
    r.write(`../linked${pick}/untracked.txt`, `${pick}\n`);
    r.write(`../linked${pick}/staged.txt`, `${pick}\n`);
    runGit(linked, ['add', '-f', '--sparse', 'staged.txt']);
  },
  note: (r, pick) => {
    r.tryGit('notes', 'add', '-f', '-m', `note ${pick}`);
  },
  'branch that is a symbolic ref': (r, pick) => {
    r.tryGit('symbolic-ref', 'refs/heads/alias', `refs/heads/branch${pick % 3}`);
  },
  'sparse checkout': (r, pick) => {
    const how = [
      ['set', '--cone'],
      ['set', '--cone', '--sparse-index'],
      ['set', '--no-cone'],
    ];
    const [first, ...options] = how[pick % 3] ?? [];
    // As in the step "split index".
    r.tryGit('update-index', '--no-split-index');
    r.tryGit('sparse-checkout', first ?? 'set', ...options, 'src');
    if (pick % 4 === 0) r.tryGit('sparse-checkout', 'disable');
  },
  'history cut off by a fetch': (r, pick) => {
    r.tryGit('fetch', '-q', `--depth=${(pick % 3) + 1}`);
  },
  'commit-graph': (r) => {
    r.tryGit('commit-graph', 'write', '--reachable');
  },
  hook: (r) => {
    r.write('.git/hooks/post-commit', '#!/bin/sh\n');
  },
};

function originOf(repository: ScratchRepository): string {
  return join(repository.base, 'origin.git');
}
