/** Small packs of every kind of entry, right ones and ones that are wrong in one known way. */
import zlib from 'node:zlib';
import {
  TYPE,
  copyOp,
  deltaSize,
  distanceBytes,
  insertOp,
  makePack,
  oidOf,
  sealPack,
  typeAndSize,
} from '../pack/craft-pack.ts';
import { mutate } from './mutate.ts';
import type { Random } from './random.ts';

const WHOLE = ['commit', 'tree', 'blob', 'tag'] as const;

interface Made {
  readonly offset: number;
  readonly type: (typeof WHOLE)[number];
  readonly content: Buffer;
}

export interface Case {
  readonly bytes: Buffer;
  readonly how: string;
}

/** A pack, damaged more often than not; half of the damaged ones are signed again. */
export function makePackCase(random: Random): Case {
  const faults: string[] = [];
  const pack = new PackMaker(random, random.chance(0.6) ? 0.06 : 0, faults).make();
  if (faults.length > 0 && random.chance(0.7)) return { bytes: pack, how: faults.join('; ') };
  if (random.chance(0.3)) return { bytes: pack, how: 'whole' };
  const sealed = random.chance(0.5);
  const { bytes, how } = mutate(random, sealed ? pack.subarray(0, -20) : pack);
  const what = `${faults.join('; ')} ${how}`;
  return sealed ? { bytes: sealPack(bytes), how: `${what}, sealed` } : { bytes, how: what };
}

export function makeContent(random: Random): Buffer {
  const length = random.pick([0, 1, 5, 30, 100, 100, 300, 300, random.chance(0.1) ? 70_000 : 40]);
  if (random.chance(0.3)) return random.bytes(Math.min(length, 300));
  return Buffer.alloc(length, `text ${random.below(20)} `);
}

/** A right delta on `base`, and what it makes. */
export function makeDeltaOn(random: Random, base: Buffer): { delta: Buffer; content: Buffer } {
  const ops: Buffer[] = [];
  const parts: Buffer[] = [];
  const count = 1 + random.below(4);
  while (ops.length < count) {
    const from = random.below(base.length);
    const length = Math.min(base.length - from, 1 + random.below(0x1_0000));
    if (base.length > 0 && random.chance(0.6)) {
      ops.push(random.chance(0.5) ? copyOp(from, length) : shortCopy(from, length));
      parts.push(base.subarray(from, from + length));
    } else {
      const added = random.bytes(1 + random.below(random.chance(0.1) ? 127 : 8));
      ops.push(insertOp(added));
      parts.push(added);
    }
  }
  const content = Buffer.concat(parts);
  return {
    delta: Buffer.concat([deltaSize(base.length), deltaSize(content.length), ...ops]),
    content,
  };
}

/** A copy that leaves out the bytes that are zero, as git writes it. */
function shortCopy(from: number, length: number): Buffer {
  const fields = [0, 8, 16, 24].map((shift) => (from >>> shift) & 255);
  fields.push(...(length === 0x1_0000 ? [0, 0, 0] : [0, 8, 16].map((s) => (length >>> s) & 255)));
  const op = fields.reduce((bits, byte, at) => (byte === 0 ? bits : bits | (1 << at)), 0x80);
  return Buffer.from([op, ...fields.filter((byte) => byte !== 0)]);
}

class PackMaker {
  readonly #random: Random;
  readonly #faultRate: number;
  readonly #faults: string[];
  readonly #entries: Buffer[] = [];
  readonly #made: Made[] = [];
  /** Bases that come after the deltas on them. */
  readonly #later: Omit<Made, 'offset'>[] = [];
  #offset = 12;

  constructor(random: Random, faultRate: number, faults: string[]) {
    this.#random = random;
    this.#faultRate = faultRate;
    this.#faults = faults;
  }

  make(): Buffer {
    const random = this.#random;
    const count = 1 + random.below(6);
    while (this.#entries.length < count) this.#addAny();
    for (const { type, content } of this.#later) this.#addWhole(type, content);
    if (random.chance(0.05)) this.#add(random.pick(this.#entries));
    const claimed = this.#fault('count')
      ? Math.max(0, this.#entries.length + random.pick([-1, 1, 2]))
      : this.#entries.length;
    const version = this.#fault('version') ? random.pick([0, 1, 3, 4]) : 2;
    const pack = makePack(this.#entries, claimed, version);
    return this.#fault('tail') ? Buffer.concat([pack, random.bytes(1 + random.below(30))]) : pack;
  }

  #addAny(): void {
    const random = this.#random;
    const base = this.#made.length === 0 ? null : random.pick(this.#made);
    if (random.chance(0.1)) {
      const later = { type: random.pick(WHOLE), content: makeContent(random) };
      this.#later.push(later);
      this.#addDelta({ ...later, offset: 0 }, true);
    } else if (base === null || random.chance(0.4)) {
      this.#addWhole(random.pick(WHOLE), makeContent(random));
    } else {
      this.#addDelta(base, random.chance(0.4));
    }
  }

  #addWhole(type: (typeof WHOLE)[number], content: Buffer): void {
    this.#made.push({ offset: this.#offset, type, content });
    const number = this.#fault('type') ? this.#random.pick([0, 5]) : TYPE[type];
    const head = typeAndSize(number, this.#claimedSize(content.length));
    this.#add(Buffer.concat([head, this.#deflated(content)]));
  }

  #addDelta(base: Made, byName: boolean): void {
    const random = this.#random;
    const { delta: right, content } = makeDeltaOn(random, base.content);
    const delta = this.#fault('delta') ? mutate(random, right).bytes : right;
    const size = this.#claimedSize(delta.length);
    this.#made.push({ offset: this.#offset, type: base.type, content });
    const lead = byName
      ? [typeAndSize(TYPE.refDelta, size), this.#baseOid(base)]
      : [typeAndSize(TYPE.ofsDelta, size), this.#distance(base)];
    this.#add(Buffer.concat([...lead, this.#deflated(delta)]));
  }

  #baseOid({ type, content }: Omit<Made, 'offset'>): Buffer {
    if (this.#fault('base oid')) return this.#random.bytes(20);
    return Buffer.from(oidOf(type, content), 'hex');
  }

  #distance({ offset }: Made): Buffer {
    const right = this.#offset - offset;
    if (!this.#fault('distance')) return distanceBytes(right);
    const random = this.#random;
    const wrong = [0, 1, this.#offset, this.#offset + 1, right + 1, right - 1, 2 ** 31, 2 ** 40];
    return random.chance(0.2) ? random.bytes(9) : distanceBytes(Math.max(0, random.pick(wrong)));
  }

  #claimedSize(size: number): number | bigint {
    if (!this.#fault('size')) return size;
    const wrong = [0, size + 1, Math.max(0, size - 1), size + 2 ** 32, size * 2, 2 ** 31];
    return this.#random.chance(0.1) ? 2n ** 53n : this.#random.pick(wrong);
  }

  #deflated(content: Buffer): Buffer {
    const random = this.#random;
    const level = random.pick([-1, -1, 0, 1, 9]);
    const stream = zlib.deflateSync(content, { level });
    if (!this.#fault('stream')) return stream;
    switch (random.below(6)) {
      case 0:
        return zlib.deflateRawSync(content);
      case 1:
        return zlib.gzipSync(content);
      case 2:
        return zlib.deflateSync(content, { dictionary: Buffer.from('text 1 text 2') });
      case 3:
        return Buffer.concat([stream, random.bytes(1 + random.below(3))]);
      case 4:
        return stream.subarray(0, stream.length - 1 - random.below(4));
      default:
        return mutate(random, stream).bytes;
    }
  }

  #add(entry: Buffer): void {
    this.#entries.push(entry);
    this.#offset += entry.length;
  }

  #fault(name: string): boolean {
    if (!this.#random.chance(this.#faultRate)) return false;
    this.#faults.push(name);
    return true;
  }
}
