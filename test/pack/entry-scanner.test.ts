/** What the scanner sends to a pack thread, and what it keeps. The thread's side runs here, after it. */
import { closeSync, openSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ArrivalResolver } from '../../agent/pack/arrival-resolver.ts';
import {
  EntryRingWriter,
  createEntryRing,
  type EntryRingMemory,
} from '../../agent/pack/entry-ring.ts';
import { EntryScanner } from '../../agent/pack/entry-scanner.ts';
import { oidOf as oidOfRow } from '../../agent/pack/entry-table.ts';
import { PACK_LIMITS, PACK_TUNING } from '../../agent/pack/limits.ts';
import { SLACK } from '../../agent/pack/object-hash.ts';
import { PackMemory } from '../../agent/pack/pack-memory.ts';
import {
  TYPE,
  copyOp,
  insertOp,
  makeDelta,
  makePack,
  oidOf,
  ofsDelta,
  wholeEntry,
} from './craft-pack.ts';
import { noise } from './git-repository.ts';

const BASE = noise(5000, 7);
const FIRST = Buffer.concat([BASE, Buffer.from('one')]);
const SECOND = Buffer.concat([BASE, Buffer.from('two')]);
const OTHER = noise(3000, 8);
const NONE = '0'.repeat(40);

const base = wholeEntry(TYPE.blob, BASE);
const onBase = (distance: number, end: string): Buffer =>
  ofsDelta(
    distance,
    makeDelta(BASE.length, BASE.length + 3, copyOp(0, BASE.length), insertOp(end)),
  );
const first = onBase(base.length, 'one');
const second = onBase(base.length + first.length, 'two');
const other = wholeEntry(TYPE.blob, OTHER);
const PACK = makePack([base, first, second, other]);

/** A file without a byte: who reads an entry again fails. */
let fd = -1;
beforeEach(() => {
  fd = openSync('/dev/null', 'r');
});
afterEach(() => {
  closeSync(fd);
});

class Scan implements Disposable {
  readonly scanner: EntryScanner;
  readonly #memory = new PackMemory();
  readonly #window: Buffer;
  #taken = 0;

  constructor() {
    const [memory, limits] = [this.#memory, PACK_LIMITS];
    const tuning = { ...PACK_TUNING, contentRingBytes: 2 ** 20 };
    this.scanner = new EntryScanner({
      fd,
      memory,
      limits,
      tuning,
      linkSeeds: null,
      directory: null,
    });
    this.#window = memory.take(PACK.length + SLACK).subarray(0, PACK.length);
    PACK.copy(this.#window);
    this.#taken = this.scanner.scan(this.#window, 0, PACK.length, false);
    expect([this.#taken, this.scanner.stopped]).toEqual([12, 'begun']);
  }

  /** Goes on to the end of so many entries. */
  to(...entries: readonly Buffer[]): void {
    const end = 12 + entries.reduce((sum, { length }) => sum + length, 0);
    this.#taken += this.scanner.scan(this.#window, this.#taken, end, false);
    expect(this.#taken).toBe(end);
  }

  startThread(): {
    readonly ring: EntryRingMemory;
    readonly writer: EntryRingWriter;
    readonly take: () => void;
  } {
    const ring = createEntryRing(this.#memory, 2 ** 16);
    const writer = new EntryRingWriter(ring);
    const start = this.scanner.prepareThread();
    this.scanner.useThreads([ring], [writer]);
    const take = (): void => {
      expect(writer.sendEnd()).toBe(true);
      using resolver = new ArrivalResolver(start);
      resolver.takeEntries(ring, () => undefined);
    };
    return { ring, writer, take };
  }

  get oids(): string[] {
    return Array.from({ length: this.scanner.table.count }, (_, row) =>
      oidOfRow(this.scanner.table, row),
    );
  }

  [Symbol.dispose](): void {
    this.scanner[Symbol.dispose]();
  }
}

describe('a base that was made before there was a thread', () => {
  it('is given to a thread that has little to do, with its content, and its deltas follow', () => {
    using scan = new Scan();
    scan.to(base);
    expect(scan.oids).toEqual([oidOf('blob', BASE)]);
    const { take, writer } = scan.startThread();
    scan.to(base, first, second, other);
    expect(scan.oids.slice(1)).toEqual([NONE, NONE, NONE]);
    expect(writer.isDrained).toBe(false);
    take();
    expect(writer.isDrained).toBe(true);
    expect(scan.oids).toEqual([BASE, FIRST, SECOND, OTHER].map((each) => oidOf('blob', each)));
  });
});

describe('a queue', () => {
  it('is drained when its entries are taken, though a message waits in it', () => {
    using scan = new Scan();
    scan.to(base);
    const { writer } = scan.startThread();
    expect(writer.sendMessageMark()).toBe(true);
    expect(writer.isDrained).toBe(true);
    scan.to(base, first);
    expect(writer.isDrained).toBe(false);
  });
});
