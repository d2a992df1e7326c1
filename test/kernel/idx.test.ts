/** Tables of random and of chosen oids; what the kernel makes of them is what plain code makes. */
import { describe, expect, it } from 'vitest';
import { OID_BYTES } from '../../agent/pack/entry-header.ts';
import { instantiate } from './instance.ts';
import { Random } from './random.ts';

const GUARD = 0xaa;

interface Sorted {
  readonly oids: readonly Buffer[];
  readonly order: readonly number[];
}

/** A piece of the kernel's memory, between guards. */
class Desk {
  readonly #made = instantiate(64);
  readonly kernel = this.#made.kernel;
  readonly #bytes = Buffer.from(this.#made.memory.buffer);
  #next = 64;

  /** @returns the address of `bytes`. */
  put(bytes: Uint8Array): number {
    const address = this.#next;
    this.#bytes.set(bytes, address);
    this.#next = (address + bytes.length + 64) & ~63;
    this.#bytes.fill(GUARD, address + bytes.length, this.#next + 64);
    this.#next += 64;
    return address;
  }

  /** `length` bytes that `fill` has filled, and nothing behind them. */
  filled(length: number, fill: (address: number) => void): Buffer {
    const address = this.put(Buffer.alloc(length, GUARD));
    fill(address);
    const behind = this.#bytes.subarray(address + length, address + length + 64);
    expect(behind.every((byte) => byte === GUARD)).toBe(true);
    return Buffer.from(this.#bytes.subarray(address, address + length));
  }
}

function words(values: readonly number[]): Buffer {
  return Buffer.from(Uint32Array.from(values).buffer);
}

function bigEndian(values: readonly number[]): Buffer {
  return words(values).swap32();
}

function sortPlainly(oids: readonly Buffer[]): Sorted {
  const rows = oids.map((_, row) => row);
  return {
    oids,
    order: rows.sort((a, b) => Buffer.compare(oids[a]!, oids[b]!) || a - b),
  };
}

const random = new Random(1);
const some = (count: number): Buffer[] => Array.from({ length: count }, () => random.bytes(20));
/** Differ in their last bytes only, and in the first of each word. */
const alike = (count: number, at: number): Buffer[] =>
  some(count).map((oid) => {
    const made = Buffer.alloc(OID_BYTES, 0x7f);
    oid.copy(made, at, at, at + 2);
    return made;
  });

const TABLES: Readonly<Record<string, readonly Buffer[]>> = {
  'no object': [],
  'one object': some(1),
  'two objects': some(2),
  'some objects': some(300),
  'many objects': some(20_000),
  'objects that are there twice and more often': [...some(50), ...alike(400, 19), ...some(50)],
  'oids that differ in byte 7 and 8': alike(3000, 7),
  'oids that differ in byte 15 and 16': alike(3000, 15),
  'oids that differ in the last two bytes': alike(3000, 18),
};

describe.each(Object.entries(TABLES))('%s', (_, oids) => {
  const { order } = sortPlainly(oids);
  const count = oids.length;
  const desk = new Desk();
  const { kernel } = desk;
  const oidsAt = desk.put(Buffer.concat(oids));
  const orderAt = desk.put(words(order));

  it('is sorted by oid, and by row where that is the same', () => {
    const scratch = desk.put(Buffer.alloc(kernel.sortScratchBytes(count)));
    const found = desk.filled(4 * count, (address) => {
      kernel.sortRows(oidsAt, count, address, scratch);
    });
    expect(found.equals(words(order))).toBe(true);
  });

  it('has each place whose oid is that of the place before it', () => {
    const wanted = order.flatMap((row, place) =>
      place > 0 && oids[row]!.equals(oids[order[place - 1]!]!) ? [place] : [],
    );
    const found: number[] = [];
    for (let from = 1; ; from++) {
      from = kernel.findEqual(orderAt, count, oidsAt, from);
      if (from >= count) break;
      found.push(from);
    }
    expect(found).toEqual(wanted);
  });

  it('has the idx that plain code makes of it', () => {
    const crcs = oids.map(() => random.below(2 ** 32));
    const offsets = oids.map(
      () => random.of([12, 2 ** 31 - 1, 2 ** 31, 2 ** 40]) + random.below(9),
    );
    const crcsAt = desk.put(words(crcs));
    const offsetsAt = desk.put(Buffer.from(Float64Array.from(offsets).buffer));
    const [limit, before] = [2 ** 31 - 1, 3];
    let large = before;
    const inOrder = order.map((row) => (offsets[row]! > limit ? 2 ** 31 + large++ : offsets[row]!));
    const fanOut = Array.from(
      { length: 256 },
      (__, byte) => oids.filter((oid) => oid[0]! <= byte).length,
    );
    const whole = [
      desk.filled(1024, (out) => {
        kernel.fillFanOut(oidsAt, count, out);
      }),
      desk.filled(count * 20, (out) => {
        kernel.fillOids(orderAt, count, oidsAt, out);
      }),
      desk.filled(count * 4, (out) => {
        kernel.fillCrcs(orderAt, count, crcsAt, out);
      }),
      desk.filled(count * 4, (out) => {
        expect(kernel.fillOffsets(orderAt, count, offsetsAt, limit, before, out)).toBe(large);
      }),
    ];
    const wanted = [
      bigEndian(fanOut),
      Buffer.concat(order.map((row) => oids[row]!)),
      bigEndian(order.map((row) => crcs[row]!)),
      bigEndian(inOrder),
    ];
    expect(whole.map((part, index) => part.equals(wanted[index]!))).toEqual(whole.map(() => true));
  });

  it('has the reverse index that plain code makes of it', () => {
    const places: number[] = [];
    for (const [place, row] of order.entries()) places[row] = place;
    const found = desk.filled(4 * count, (out) => {
      kernel.fillPlaces(orderAt, count, out);
    });
    expect(found.equals(bigEndian(places))).toBe(true);
  });
});
