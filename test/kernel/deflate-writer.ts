/** Streams that no compressor makes: every code that RFC 1951 allows, and those that it does not. */
import type { Random } from './random.ts';

const LENGTH_BASES = [
  3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
  163, 195, 227, 258,
];
const ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const END_SYMBOL = 256;

export class BitWriter {
  readonly #bytes: number[] = [];
  #free = 0;

  /** The lowest bit first. */
  bits(value: number, count: number): this {
    for (let bit = 0; bit < count; bit++) {
      if (this.#free === 0) {
        this.#bytes.push(0);
        this.#free = 8;
      }
      this.#bytes[this.#bytes.length - 1]! |= ((value >>> bit) & 1) << (8 - this.#free--);
    }
    return this;
  }

  /** The highest bit first, as codes come. */
  code(value: number, length: number): this {
    for (let bit = length - 1; bit >= 0; bit--) this.bits(value >>> bit, 1);
    return this;
  }

  bytes(): Buffer {
    return Buffer.from(this.#bytes);
  }
}

export function adlerOf(content: Uint8Array): number {
  let low = 1;
  let high = 0;
  for (const byte of content) {
    low = (low + byte) % 65_521;
    high = (high + low) % 65_521;
  }
  return ((high << 16) | low) >>> 0;
}

export function zlibStream(blocks: Buffer, content: Uint8Array): Buffer {
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(adlerOf(content));
  return Buffer.concat([Buffer.of(0x78, 0x9c), blocks, checksum]);
}

/** Lengths (1 to `longest`) that make a complete code of `count` symbols, at least 2, in random order. */
export function completeLengths(random: Random, count: number, longest: number): number[] {
  const lengths = [1, 1];
  while (lengths.length < count) {
    const at = random.below(4) === 0 ? random.below(lengths.length) : lengths.length - 1;
    const index = lengths[at]! < longest ? at : lengths.findIndex((length) => length < longest);
    lengths[index]!++;
    lengths.push(lengths[index]!);
  }
  for (let index = count - 1; index > 0; index--) {
    const other = random.below(index + 1);
    [lengths[index], lengths[other]] = [lengths[other]!, lengths[index]!];
  }
  return lengths;
}

/** `lengths` for `symbols`, 0 for all others below `count`. */
export function spread(symbols: readonly number[], lengths: readonly number[], count: number) {
  const all = new Array<number>(count).fill(0);
  symbols.forEach((symbol, index) => (all[symbol] = lengths[index]!));
  return all;
}

function codesOf(lengths: readonly number[]): number[] {
  let code = 0;
  const codes: number[] = [];
  for (let length = 1; length <= 15; length++, code <<= 1) {
    lengths.forEach((other, symbol) => {
      if (other === length) codes[symbol] = code++;
    });
  }
  return codes;
}

/** How lengths are written: one by one; in runs; or in runs of which the first repeats nothing. */
export type Runs = 'none' | 'right' | 'repeat of nothing';

/** A last block's head. */
function writeLengths(out: BitWriter, litlens: number[], distances: number[], runs: Runs): void {
  out.bits(1, 1).bits(2, 2);
  out
    .bits(litlens.length - 257, 5)
    .bits(distances.length - 1, 5)
    .bits(15, 4);
  // 13 codes of 4 bits and 6 of 5 bits are complete.
  const own = ORDER.map((_, symbol) => (symbol < 13 ? 4 : 5));
  const codes = codesOf(own);
  for (const symbol of ORDER) out.bits(own[symbol]!, 3);
  const put = (symbol: number) => out.code(codes[symbol]!, own[symbol]!);
  const all = [...litlens, ...distances];
  for (let at = 0; at < all.length;) {
    let run = 1;
    while (runs !== 'none' && run < 138 && all[at + run] === all[at]) run++;
    if (at === 0 && runs === 'repeat of nothing') put(16).bits((run = 3) - 3, 2);
    else if (all[at] === 0 && run >= 11) put(18).bits(run - 11, 7);
    else if (all[at] === 0 && run >= 3) put(17).bits((run = Math.min(run, 10)) - 3, 3);
    else if (at > 0 && all[at] === all[at - 1] && run >= 3) {
      put(16).bits((run = Math.min(run, 6)) - 3, 2);
    } else {
      put(all[at]!);
      run = 1;
    }
    at += run;
  }
}

export interface Item {
  /** A literal, or a length's symbol. */
  readonly symbol: number;
  readonly distanceSymbol?: number;
}

/** One block of codes by these lengths. `content` is what it makes; extra bits are random. */
export function dynamicBlock(
  random: Random,
  litlens: number[],
  distances: number[],
  items: readonly Item[],
  runs: Runs = random.of(['none', 'right']),
): { readonly block: Buffer; readonly content: Buffer } {
  const out = new BitWriter();
  writeLengths(out, litlens, distances, runs);
  const [litlenCodes, distanceCodes] = [codesOf(litlens), codesOf(distances)];
  const content: number[] = [];
  for (const { symbol, distanceSymbol } of items) {
    out.code(litlenCodes[symbol]!, litlens[symbol]!);
    if (distanceSymbol === undefined) {
      content.push(symbol);
      continue;
    }
    const lengthBits = symbol < 265 || symbol === 285 ? 0 : (symbol - 261) >> 2;
    const lengthExtra = random.below(2 ** lengthBits);
    const bits = distanceSymbol < 4 ? 0 : (distanceSymbol - 2) >> 1;
    const base = distanceSymbol < 4 ? distanceSymbol : (2 + (distanceSymbol & 1)) << bits;
    const extra = random.below(2 ** bits);
    out
      .bits(lengthExtra, lengthBits)
      .code(distanceCodes[distanceSymbol]!, distances[distanceSymbol]!);
    out.bits(extra, bits);
    const from = content.length - (base + 1 + extra);
    const length = LENGTH_BASES[symbol - 257]! + lengthExtra;
    for (let index = 0; index < length; index++) content.push(content[from + index] ?? 0);
  }
  if (litlens[END_SYMBOL]! > 0) out.code(litlenCodes[END_SYMBOL]!, litlens[END_SYMBOL]!);
  return { block: out.bytes(), content: Buffer.from(content) };
}
