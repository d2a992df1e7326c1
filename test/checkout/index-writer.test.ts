import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EarlyCheckout } from '../../agent/checkout/early-checkout.ts';
import { writeIndex } from '../../agent/checkout/index-writer.ts';
import { Pace } from '../../agent/checkout/pace.ts';
import type { PlannedFiles } from '../../agent/checkout/planned-files.ts';
import { Repository, temporaryDirectory } from './repository.ts';

let root = '';
beforeAll(() => {
  root = temporaryDirectory();
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

/** A commit with these paths, of which git has written the index without any file. */
function repository(name: string, paths: readonly string[]): Repository {
  const made = new Repository(root, name);
  const oid = made.blob('x');
  made.commit(made.treeOf(paths.map((path) => ({ mode: '100644', name: path, oid }))));
  made.git('read-tree', 'HEAD');
  return made;
}

async function planOf(made: Repository): Promise<PlannedFiles> {
  const checkout = new EarlyCheckout(made.worktree, made.git('rev-parse', 'HEAD^{tree}'));
  using store = made.openStore();
  return await checkout.complete(store, new Pace(undefined));
}

async function expectSameIndex(made: Repository): Promise<void> {
  const file = join(made.gitdir, 'index');
  const native = readFileSync(file);
  rmSync(file);
  writeIndex(file, await planOf(made));
  expect(readFileSync(file).equals(native)).toBe(true);
  expect(readdirSync(made.gitdir)).not.toContain('index.lock');
}

describe('writeIndex()', () => {
  test('writes what git writes, byte for byte', async () => {
    const paths = ['aaa/x', 'b.c', 'b/c-d', 'b/c/d', 'b/cc/d', 'f', 'z/x', `${'p'.repeat(250)}/q`];
    await expectSameIndex(repository('same', paths));
  });

  test('writes more than one piece', async () => {
    const directory = `${'d'.repeat(200)}/${'e'.repeat(200)}`;
    const paths = Array.from({ length: 4000 }, (_, file) => `${directory}/${file % 7}/${file}`);
    await expectSameIndex(repository('pieces', paths));
    expect(readFileSync(join(root, 'pieces/.git/index')).length).toBeGreaterThan(1.5 * 2 ** 20);
  });

  test('leaves the index alone while somebody holds its lock', async () => {
    const made = repository('locked', ['f']);
    const file = join(made.gitdir, 'index');
    const before = readFileSync(file);
    writeFileSync(`${file}.lock`, 'theirs');
    const plan = await planOf(made);
    expect(() => {
      writeIndex(file, plan);
    }).toThrow('EEXIST');
    expect(readFileSync(file).equals(before)).toBe(true);
    expect(readFileSync(`${file}.lock`, 'utf8')).toBe('theirs');
  });

  test('removes its lock when the index cannot be replaced', async () => {
    const made = repository('failing', ['f']);
    const target = join(made.gitdir, 'a-directory');
    mkdirSync(join(target, 'full'), { recursive: true });
    const plan = await planOf(made);
    expect(() => {
      writeIndex(target, plan);
    }).toThrow(/EISDIR|ENOTEMPTY/);
    expect(existsSync(`${target}.lock`)).toBe(false);
  });
});
