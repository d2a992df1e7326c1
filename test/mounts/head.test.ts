import { execFileSync } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readHead } from '../../agent/mounts/head.ts';
import { fillClone, freshRoot, git } from './mount-fixture.ts';

const at = freshRoot();
const gitdir = (): string => join(at.root, '.git');
const UNKNOWN = { ref: null, oid: null };

it('readHead() agrees with git on a loose ref, a packed ref and a detached HEAD', async () => {
  const oid = await fillClone(at.root);
  for (let count = 0; count < 50; count++) git(at.root, 'branch', `main-${count}`);
  expect(readHead(gitdir())).toEqual({ ref: 'refs/heads/main', oid });
  git(at.root, 'pack-refs', '--all');
  expect(readHead(gitdir())).toEqual({ ref: 'refs/heads/main', oid });
  git(at.root, 'switch', '--quiet', '--detach');
  expect(readHead(gitdir())).toEqual({ ref: null, oid });
});

it('readHead() follows a symbolic ref to a symbolic ref, and no circle of them', async () => {
  const oid = await fillClone(at.root);
  git(at.root, 'symbolic-ref', 'refs/heads/alias', 'refs/heads/main');
  git(at.root, 'symbolic-ref', 'HEAD', 'refs/heads/alias');
  expect(readHead(gitdir())).toEqual({ ref: 'refs/heads/alias', oid });
  await writeFile(join(gitdir(), 'refs/heads/alias'), 'ref: refs/heads/alias\n');
  expect(readHead(gitdir())).toEqual({ ref: 'refs/heads/alias', oid: null });
});

it('readHead() knows an unborn branch and an absent HEAD', async () => {
  git(at.root, 'init', '--quiet', '--initial-branch=trunk');
  expect(readHead(gitdir())).toEqual({ ref: 'refs/heads/trunk', oid: null });
  await rm(join(gitdir(), 'HEAD'));
  expect(readHead(gitdir())).toBeNull();
});

it('readHead() reads nothing outside the Git directory and waits for no FIFO', async () => {
  await mkdir(join(gitdir(), 'refs/heads'), { recursive: true });
  await writeFile(join(at.root, 'secret'), `${'a'.repeat(40)}\n`);
  for (const text of [
    'ref: ../secret',
    'ref: refs/../../secret',
    'ref: /etc/hostname',
    'ref:',
    '',
  ]) {
    await writeFile(join(gitdir(), 'HEAD'), `${text}\n`);
    expect(readHead(gitdir())).toEqual(UNKNOWN);
  }
  await writeFile(join(gitdir(), 'HEAD'), 'ref: refs/heads/x\n');
  execFileSync('mkfifo', [join(gitdir(), 'refs/heads/x')]);
  expect(readHead(gitdir())).toEqual({ ref: 'refs/heads/x', oid: null });
});
