/** Files as the kernel writes them: by WASI, and by node:fs where WASI does not do it. */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { BlobSource } from '../../agent/checkout/blob-source.ts';
import { EarlyCheckout } from '../../agent/checkout/early-checkout.ts';
import { STATE } from '../../agent/checkout/node-table.ts';
import { Pace } from '../../agent/checkout/pace.ts';
import type { WasiFunctions } from '../../agent/pack/kernel-imports.ts';
import { CheckoutKernel } from '../../agent/pack/kernel-host.ts';
import { Wasi } from '../../agent/pack/wasi.ts';
import { rawTreeEntry } from '../checkout/repository.ts';

const LFS = `version https://git-lfs.github.com/spec/v1\noid sha256:${'a'.repeat(64)}\nsize 1\n`;
const EXIO = 60;

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'kernel-files-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

/** A plan of files below one directory, and the kernel that writes them. */
class Worktree implements Disposable {
  readonly checkout: EarlyCheckout;
  readonly written: ReturnType<typeof vi.fn>;
  readonly #wasi: Wasi[] = [];
  readonly #host: CheckoutKernel;
  readonly #oids: Buffer;
  readonly #contents: readonly string[];
  readonly #trees: Pick<BlobSource, 'read'>;

  /** @param files mode, name, content; @param change what becomes of WASI's functions. */
  constructor(
    files: readonly (readonly [string, string, string])[],
    change: (functions: WasiFunctions) => Partial<WasiFunctions> = () => ({}),
  ) {
    const host = new CheckoutKernel((memory) => {
      const wasi = new Wasi(directory, memory);
      this.#wasi.push(wasi);
      const { functions } = wasi;
      return { ...functions, ...change(functions) };
    });
    const tree = treeOf(files.map(([mode, name, content]) => [mode, name, blobOid(content)]));
    const root = treeOf([['40000', 'sub dir', tree.oid]]);
    this.checkout = new EarlyCheckout(directory, root.oid, undefined, host);
    const contents = new Map([tree, root].map(({ oid, content }) => [oid, content]));
    this.#trees = { read: (oid) => ({ type: 'tree', content: contents.get(oid)! }) };
    this.#contents = files.map(([, , content]) => content);
    this.#oids = host.take(files.length * 20);
    for (const [row, content] of this.#contents.entries()) {
      this.#oids.write(blobOid(content), row * 20, 'hex');
    }
    host.kernel.setTable(0, 0, 0, 0, 0, 0, 0, this.#oids.byteOffset);
    const early = this.checkout.files;
    this.written = vi.spyOn(early, 'writeAgain') as never;
    this.#host = host;
  }

  async write(): Promise<void> {
    await this.checkout.complete(this.#trees, new Pace(undefined));
    for (const [row, content] of this.#contents.entries()) {
      const bytes = Buffer.from(content);
      const room = this.checkout.files.roomFor(bytes.length);
      bytes.copy(room);
      this.#host.kernel.takeBlob(row, room.byteOffset, bytes.length);
    }
  }

  /** What an index would say of each file, against the file system. */
  expectStats(): void {
    const { nodes } = this.checkout;
    for (let node = 0; node < this.#host.kernel.nodeCount.value; node++) {
      if (nodes.isDirectory(node)) continue;
      const entry = nodes.entry(node);
      const stat = lstatSync(join(directory, entry.path.toString()), { bigint: true });
      const low = (value: bigint): number => Number(BigInt.asUintN(32, value));
      const { ctimeSec, ctimeNsec, mtimeSec, mtimeNsec, dev, ino, uid, gid, size } = entry;
      expect({ ctimeSec, ctimeNsec, mtimeSec, mtimeNsec, dev, ino, uid, gid, size }).toEqual({
        ctimeSec: Number(stat.ctimeNs / 1_000_000_000n),
        ctimeNsec: Number(stat.ctimeNs % 1_000_000_000n),
        mtimeSec: this.checkout.mtimeSec,
        mtimeNsec: 0,
        ...{ dev: low(stat.dev), ino: low(stat.ino), uid: low(stat.uid), gid: low(stat.gid) },
        size: low(stat.size),
      });
      expect(stat.mtimeNs).toBe(BigInt(this.checkout.mtimeSec) * 1_000_000_000n);
    }
  }

  stateOf(name: string): number {
    const { nodes } = this.checkout;
    for (let node = 0; node < this.#host.kernel.nodeCount.value; node++) {
      if (nodes.name(node).toString() === name) return nodes.stateOf(nodes.entry(node));
    }
    throw new TypeError(`no ${name}`);
  }

  [Symbol.dispose](): void {
    for (const wasi of this.#wasi) wasi[Symbol.dispose]();
  }
}

function blobOid(content: string): string {
  const bytes = Buffer.from(content);
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
}

function treeOf(lines: readonly (readonly [string, string, string])[]): {
  oid: string;
  content: Buffer;
} {
  const entries = lines.map(([mode, name, oid]) => rawTreeEntry({ mode, name, oid }));
  const content = Buffer.concat(entries);
  const oid = createHash('sha1').update(`tree ${content.length}\0`).update(content).digest('hex');
  return { oid, content };
}

const FILES = [
  ['100644', 'a', 'one\n'],
  ['100644', 'b', ''],
  ['100644', 'big', 'x'.repeat(300_000)],
  ['100644', 'lfs', LFS],
  ['100644', 'nearly-lfs', LFS.replace('v1', 'v2')],
  ['100755', 'run', '#!/bin/sh\n'],
  ['100644', 'twin', 'one\n'],
  ['100644', 'z\xe9 \u{1f600}', 'odd\n'],
] as const;

function expectFiles(): void {
  for (const [mode, name, content] of FILES) {
    const path = join(directory, 'sub dir', name);
    expect(readFileSync(path, 'utf8')).toBe(content);
    expect((statSync(path).mode & 0o100) !== 0).toBe(mode === '100755');
  }
  expect(readdirSync(join(directory, 'sub dir'))).toHaveLength(FILES.length);
}

describe('the kernel writes files', () => {
  it('by WASI, with the stat data that the system gives, but for the first and executables', async () => {
    using worktree = new Worktree(FILES);
    await worktree.write();
    expectFiles();
    worktree.expectStats();
    expect(worktree.written).toHaveBeenCalledTimes(2);
    expect(worktree.stateOf('lfs')).toBe(STATE.lfsPointer);
    expect(worktree.stateOf('nearly-lfs')).toBe(STATE.written);
  });

  it('with the group of a directory that hands it on', async ({ skip }) => {
    if (process.getuid?.() !== 0) skip('only root gives a directory to a group');
    chownSync(directory, 0, 12_345);
    chmodSync(directory, 0o2755);
    using worktree = new Worktree(FILES);
    await worktree.write();
    worktree.expectStats();
    expect(statSync(join(directory, 'sub dir/twin')).gid).toBe(12_345);
  });

  const failing = (code: number) => (): number => code;
  it.each([
    ['path_open', { path_open: failing(EXIO) }],
    ['path_create_directory', { path_create_directory: failing(EXIO) }],
    ['fd_write', { fd_write: failing(EXIO) }],
    ['fd_filestat_set_times', { fd_filestat_set_times: failing(EXIO) }],
    ['fd_filestat_get', { fd_filestat_get: failing(EXIO) }],
    ['a write that ends early', { fd_write: failing(0) }],
  ] as const)('by node:fs where WASI fails: %s', async (_name, functions) => {
    using worktree = new Worktree(FILES, () => functions);
    await worktree.write();
    expectFiles();
    worktree.expectStats();
  });

  it('and refuses what somebody else has made, which stays', async () => {
    using worktree = new Worktree(FILES);
    mkdirSync(join(directory, 'sub dir'));
    writeFileSync(join(directory, 'sub dir/twin'), 'mine');
    await expect(worktree.write()).rejects.toMatchObject({ code: 'TREE_PATH_REFUSED' });
    expect(readFileSync(join(directory, 'sub dir/twin'), 'utf8')).toBe('mine');
  });

  it('and holds no descriptor of the worktree afterwards', async () => {
    const held = (): string[] =>
      readdirSync('/proc/self/fd').flatMap((fd) => {
        try {
          return [readlinkSync(`/proc/self/fd/${fd}`)];
        } catch {
          return [];
        }
      });
    {
      using worktree = new Worktree(FILES);
      await worktree.write();
      expect(held()).toContain(directory);
    }
    expect(held().filter((path) => path.startsWith(directory))).toEqual([]);
  });
});
