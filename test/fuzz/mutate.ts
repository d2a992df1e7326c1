/** Damage to bytes without knowing what they mean: flips, cuts, insertions, repetitions. */
import type { Random } from './random.ts';

const TELLING_BYTES = [0x00, 0x01, 0x0a, 0x20, 0x2f, 0x30, 0x66, 0x7f, 0x80, 0x81, 0xb0, 0xff];

type Mutation = (random: Random, bytes: Buffer) => Buffer;

const flip: Mutation = (random, bytes) => {
  const at = random.below(bytes.length);
  bytes[at]! ^= 1 << random.below(8);
  return bytes;
};

const set: Mutation = (random, bytes) => {
  bytes[random.below(bytes.length)] = random.pick(TELLING_BYTES);
  return bytes;
};

const insert: Mutation = (random, bytes) => {
  const at = random.below(bytes.length + 1);
  const length = 1 + random.below(4);
  const added = random.chance(0.5)
    ? random.bytes(length)
    : Buffer.alloc(length, random.pick(TELLING_BYTES));
  return Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at)]);
};

const remove: Mutation = (random, bytes) => {
  const at = random.below(bytes.length);
  return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(8))]);
};

const repeat: Mutation = (random, bytes) => {
  const start = random.below(bytes.length);
  const end = start + 1 + random.below(Math.min(64, bytes.length - start));
  return Buffer.concat([bytes.subarray(0, end), bytes.subarray(start)]);
};

const cutOff: Mutation = (random, bytes) => bytes.subarray(0, random.below(bytes.length));

const MUTATIONS: Readonly<Record<string, Mutation>> = {
  flip,
  'flip again': flip,
  set,
  insert,
  remove,
  repeat,
  cutOff,
};

/** A damaged copy, and in words what was done to it. */
export function mutate(random: Random, original: Buffer): { bytes: Buffer; how: string } {
  let bytes: Buffer = Buffer.from(original);
  const done: string[] = [];
  const times = 1 + random.below(3);
  while (done.length < times) {
    const name = bytes.length === 0 ? 'insert' : random.pick(Object.keys(MUTATIONS));
    bytes = Buffer.from(MUTATIONS[name]!(random, bytes));
    done.push(name);
  }
  return { bytes, how: done.join(', ') };
}
