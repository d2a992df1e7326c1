/** Advertisements and answers to fetch as a host sends them, right ones and damaged ones. */
import { TYPE, makePack, oidOf, wholeEntry } from '../pack/craft-pack.ts';
import { mutate } from './mutate.ts';
import type { Random } from './random.ts';

const FLUSH = '0000';
const ODD_PACKETS = [
  '0001',
  '0002',
  '0003',
  '0004',
  '0005\x01',
  'zzzz',
  '000',
  '0006\x02x',
  'fff1',
];
const REFS = ['refs/heads/main', 'refs/heads/topic/deep', 'refs/pull/1/head', 'refs/notes/commits'];
const ODD_REFS = ['refs/heads/a..b', 'refs/heads/x.lock', 'refs/heads/main/sub', 'refs/tags/'];

export function pkt(text: string | Buffer): Buffer {
  const payload = Buffer.from(text as string, 'latin1');
  const length = (payload.length + 4).toString(16).padStart(4, '0');
  return Buffer.concat([Buffer.from(length), payload]);
}

export interface AdvertisementCase {
  readonly version: 0 | 2;
  /** What upload-pack says first; in protocol 2 without the refs. */
  readonly first: Buffer;
  /** The answer to ls-refs; empty in protocol 0. */
  readonly list: Buffer;
  readonly bytes: Buffer;
  readonly how: string;
}

export function makeAdvertisementCase(random: Random): AdvertisementCase {
  const version = random.pick([0, 2] as const);
  const refs = makeRefs(random);
  const right = version === 0 ? [advertise(random, refs), ''] : [capabilities(), listRefs(refs)];
  const parts: Buffer[] = right.map((part) => Buffer.from(part, 'latin1'));
  let how = 'whole';
  const damaged = parts[1]!.length > 0 && random.chance(0.7) ? 1 : 0;
  if (random.chance(0.8)) ({ bytes: parts[damaged], how } = mutate(random, parts[damaged]!));
  // To a git that reads one pipe, a first part without its end would go on into the second.
  if (!parts[0]!.toString('latin1').endsWith(FLUSH)) parts[1] = Buffer.alloc(0);
  const [first, list] = parts as [Buffer, Buffer];
  return { version, first, list, bytes: Buffer.concat(parts), how: `protocol ${version}: ${how}` };
}

interface Ref {
  readonly name: string;
  readonly oid: string;
  readonly peeled: string | null;
}

function makeRefs(random: Random): Ref[] {
  const oid = (): string => random.bytes(20).toString('hex');
  const names = [...REFS, ...(random.chance(0.2) ? [random.pick(ODD_REFS)] : [])];
  const refs: Ref[] = names.map((name) => ({ name, oid: oid(), peeled: null }));
  refs.push({ name: 'refs/tags/v1', oid: oid(), peeled: oid() });
  return [{ name: 'HEAD', oid: refs[0]!.oid, peeled: null }, ...refs];
}

function advertise(random: Random, refs: readonly Ref[]): string {
  const symref = random.chance(0.5) ? ' symref=HEAD:refs/heads/main' : '';
  const said = `multi_ack side-band-64k ofs-delta${symref} agent=git/2.39.5`;
  const lines = refs.flatMap(({ name, oid, peeled }) => [
    `${oid} ${name}`,
    ...(peeled === null ? [] : [`${peeled} ${name}^{}`]),
  ]);
  lines[0] = `${lines[0]!}\0${said}`;
  if (random.chance(0.1)) lines.unshift('version 1');
  return lines.map((line) => pkt(`${line}\n`).toString('latin1')).join('') + FLUSH;
}

function capabilities(): string {
  const lines = ['version 2', 'agent=git/2.39.5', 'ls-refs=unborn', 'fetch=shallow'];
  return lines.map((line) => pkt(`${line}\n`).toString('latin1')).join('') + FLUSH;
}

function listRefs(refs: readonly Ref[]): string {
  const lines = refs.map(({ name, oid, peeled }) => {
    const target = name === 'HEAD' ? ' symref-target:refs/heads/main' : '';
    return `${oid} ${name}${target}${peeled === null ? '' : ` peeled:${peeled}`}`;
  });
  return lines.map((line) => pkt(`${line}\n`).toString('latin1')).join('') + FLUSH;
}

export interface AnswerCase {
  /** A name that the pack has. */
  readonly oid: string;
  readonly bytes: Buffer;
  readonly how: string;
}

/** NAK, a pack in the sideband, a flush; `number` makes the content one of a kind. */
export function makeAnswerCase(random: Random, number: number): AnswerCase {
  const content = Buffer.from(`content ${number}\n`);
  const pack = makePack([wholeEntry(TYPE.blob, content), wholeEntry(TYPE.blob, random.bytes(20))]);
  const packets: Buffer[] = [];
  for (let at = 0; at < pack.length;) {
    const length = 1 + random.below(40);
    packets.push(pkt(Buffer.concat([Buffer.from([1]), pack.subarray(at, at + length)])));
    at += length;
  }
  const answer = [pkt('NAK\n'), pkt('\x02counting\r'), ...packets, Buffer.from(FLUSH)];
  const oid = oidOf('blob', content);
  if (random.chance(0.15)) return { oid, bytes: Buffer.concat(answer), how: 'whole' };
  if (random.chance(0.4)) return { oid, ...mutate(random, Buffer.concat(answer)) };
  const how = disturb(random, answer);
  return { oid, bytes: Buffer.concat(answer), how };
}

/** Packets that come where they should not, go missing, or change their band. */
function disturb(random: Random, packets: Buffer[]): string {
  const at = random.below(packets.length);
  switch (random.below(6)) {
    case 0: {
      const odd = random.pick(ODD_PACKETS);
      packets.splice(at, 0, Buffer.from(odd, 'latin1'));
      return `packet ${JSON.stringify(odd)} at ${at}`;
    }
    case 1:
      packets.splice(at, 1);
      return `no packet ${at}`;
    case 2: {
      const band = random.pick([0, 2, 3, 4, 0x45]);
      packets[at] = Buffer.from(packets[at]!);
      if (packets[at].length > 4) packets[at][4] = band;
      return `band ${band} at ${at}`;
    }
    case 3:
      packets.splice(at, 0, pkt('ERR the host is tired\n'));
      return `ERR at ${at}`;
    case 4:
      packets.push(random.chance(0.5) ? Buffer.from(FLUSH) : pkt('\x01more'));
      return 'more behind the flush';
    default:
      packets[at] = Buffer.from(packets[at]!.toString('latin1').replace(/^..../, upper), 'latin1');
      return `upper-case length at ${at}`;
  }
}

function upper(digits: string): string {
  return digits.toUpperCase();
}
