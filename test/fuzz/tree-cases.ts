/** Tree objects with ordinary, odd and dangerous names and modes, sorted or not, damaged or not. */
import { mutate } from './mutate.ts';
import type { Case } from './pack-cases.ts';
import type { Random } from './random.ts';

const MODES = ['100644', '100755', '40000', '120000', '160000'];
const ODD_MODES = ['100664', '040000', '100600', '104755', '20644', '0', '', '1100644', '10064a'];
const NAMES = ['a', 'a.b', 'a-b', 'a0', 'ab', 'b', 'README.md', 'src', 'caf\u00e9', 'x\ny', 'z\\y'];
const DANGEROUS = [
  ...['.git', '.GIT', 'git~1', '.git.', '.git ', '.git:x', '.gitmodules', 'gitmod~1', 'gi7eba~1'],
  ...['.', '..', '...', '', 'a/b', '/a', 'a\\.git', '\\.git', '.g\u200cit', '.git\u200d', '.gitx'],
  ...['x'.repeat(255), 'x'.repeat(256), '.gitattributes', '.gitignore', 'git~2', '.git\xff'],
];
/** What file systems fold, skip or cut. */
const FOLDED = [
  '\u200c',
  '\u200e',
  '\u206a',
  '\ufeff',
  '.',
  ' ',
  ':',
  '\\',
  '~',
  '1',
  'G',
  'i',
  '\xff',
];

interface Entry {
  readonly mode: string;
  readonly name: Buffer;
  readonly oid: Buffer;
}

export function makeTreeCase(random: Random): Case {
  const entries = Array.from({ length: random.below(7) }, () => makeEntry(random));
  const unique = [...new Map(entries.map((each) => [each.name.toString('hex'), each])).values()];
  const sorted = random.chance(0.9);
  const chosen = sorted ? unique.sort(inGitsOrder) : entries;
  const content = Buffer.concat(chosen.map(bytesOf));
  if (random.chance(0.7) || content.length === 0) return { bytes: content, how: 'made' };
  return mutate(random, content);
}

function makeEntry(random: Random): Entry {
  return {
    mode: random.chance(0.9) ? random.pick(MODES) : random.pick(ODD_MODES),
    name: makeName(random),
    oid: random.chance(0.02) ? Buffer.alloc(20) : random.bytes(20),
  };
}

function makeName(random: Random): Buffer {
  if (random.chance(0.8)) return Buffer.from(random.pick(NAMES));
  const name = Buffer.from(random.pick(DANGEROUS));
  if (random.chance(0.4)) return name;
  const at = random.below(name.length + 1);
  const added = Buffer.from(random.pick(FOLDED));
  return Buffer.concat([name.subarray(0, at), added, name.subarray(at)]);
}

function bytesOf({ mode, name, oid }: Entry): Buffer {
  return Buffer.concat([Buffer.from(`${mode} `), name, Buffer.from([0]), oid]);
}

/** Directories count with a slash at their end. */
function inGitsOrder(a: Entry, b: Entry): number {
  return keyOf(a).compare(keyOf(b));
}

function keyOf({ mode, name }: Entry): Buffer {
  return /^0?40000$/.test(mode) ? Buffer.concat([name, Buffer.from('/')]) : name;
}
