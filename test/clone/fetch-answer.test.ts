import { describe, expect, it } from 'vitest';
import { AgentError } from '../../agent/errors.ts';
import { FetchAnswer } from '../../agent/clone/fetch-answer.ts';
import { Random } from '../fuzz/random.ts';
import { noise } from '../pack/git-repository.ts';
import { bytesOf, CUTS, pkt } from './streams.ts';

const A = 'a'.repeat(40);
const B = 'b'.repeat(40);
const PACKFILE = pkt('packfile\n');

interface Read {
  readonly pack: Buffer;
  readonly shallow: readonly string[];
}

/** Of chunks that are overwritten as soon as they were taken. */
function read(chunks: Iterable<Buffer>, version: 0 | 2 = 2): Read {
  const parts: Buffer[] = [];
  const answer = new FetchAnswer(version, (bytes) => parts.push(Buffer.from(bytes)));
  for (const each of chunks) {
    const chunk = Buffer.from(each);
    answer.push(chunk);
    chunk.fill(0x2a);
  }
  answer.end();
  return { pack: Buffer.concat(parts), shallow: answer.shallow };
}

function* cut(bytes: Buffer, lengthOf: () => number): Generator<Buffer> {
  for (let at = 0; at < bytes.length;) {
    const length = lengthOf();
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

function readCut(bytes: Buffer, size: number, version: 0 | 2 = 2): Read {
  return read(
    cut(bytes, () => size),
    version,
  );
}

/** What becomes of them: what was read, or the fault. */
function outcomeOf(chunks: Iterable<Buffer>): unknown {
  try {
    return read(chunks);
  } catch (error) {
    if (error instanceof AgentError) return { code: error.code, message: error.message };
    throw error;
  }
}

describe.each(CUTS)('FetchAnswer on chunks of %d bytes', (size) => {
  it('gives band 1 and skips keepalives and progress', () => {
    const bytes = bytesOf(
      PACKFILE,
      ...['\x01PACK', '\x01', '\x02half a li', '\x02ne\r', '\x02', '\x01rest'].map(pkt),
      '0000',
    );
    expect(readCut(bytes, size).pack.toString()).toBe('PACKrest');
  });

  it('reads what is shallow at the host, in protocol 2', () => {
    const lines = ['shallow-info\n', `shallow ${A}\n`, `shallow ${B}`].map(pkt);
    const bytes = bytesOf(...lines, '0001', PACKFILE, pkt('\x01P'), '0000');
    expect(readCut(bytes, size)).toEqual({ pack: Buffer.from('P'), shallow: [A, B] });
  });

  it('begins with NAK in protocol 0', () => {
    const bytes = bytesOf(pkt('NAK\n'), pkt('\x01PACK'), '0000');
    expect(readCut(bytes, size, 0).pack.toString()).toBe('PACK');
  });

  it('throws the words of band 3 and of ERR, control characters masked', () => {
    const given = bytesOf(PACKFILE, pkt('\x01PACK'), pkt('\x03out of\x1b[2J luck.\n\0'), '0000');
    expect(() => readCut(given, size)).toThrow(
      expect.objectContaining({
        code: 'TRANSPORT_REMOTE',
        message: 'the host gave up: out of?[2J luck.',
      }),
    );
    expect(() => readCut(pkt('ERR go \x1b[31maway\n'), size)).toThrow(
      expect.objectContaining({
        code: 'TRANSPORT_REMOTE',
        message: 'the host refused: go ?[31maway',
      }),
    );
  });

  it.each([
    ['band 0', pkt('\x00x')],
    ['band 4', pkt('\x04x')],
    ['an ERR packet', pkt('ERR x')],
    ['a packet without a band', pkt('')],
    ['a delimiter', bytesOf('0001')],
    ['a response end', bytesOf('0002')],
    ['a length of 3', bytesOf('0003')],
    ['a length that is none', bytesOf('zzzz')],
    ['a length beyond the largest', bytesOf('fff1', 'x'.repeat(70_000))],
  ])('refuses %s within the pack', (_what, packet) => {
    const bytes = bytesOf(PACKFILE, pkt('\x01PACK'), packet, '0000');
    expect(() => readCut(bytes, size)).toThrow(
      expect.objectContaining({ code: 'TRANSPORT_PROTOCOL' }),
    );
  });

  it.each([
    [
      'packfile-uris',
      2,
      bytesOf(pkt('packfile-uris\n'), pkt(`${A} https://cdn.example/x\n`), '0001'),
    ],
    ['acknowledgments', 2, bytesOf(pkt('acknowledgments\n'), pkt('NAK\n'), '0001')],
    ['a bad shallow line', 2, bytesOf(pkt('shallow-info\n'), pkt('unshallow x\n'), '0001')],
    ['a flush among what is shallow', 2, bytesOf(pkt('shallow-info\n'), '0000')],
    ['an ACK', 0, pkt(`ACK ${A}\n`)],
    ['a flush', 2, bytesOf('0000')],
    ['an empty line', 2, bytesOf('0004')],
  ] as const)('refuses %s before it', (_what, version, bytes) => {
    expect(() => readCut(bytes, size, version)).toThrow(
      expect.objectContaining({ code: 'TRANSPORT_PROTOCOL' }),
    );
  });

  it.each([
    ['a packet', pkt('\x01more')],
    ['half a packet', bytesOf('0')],
  ])('refuses %s behind the flush', (_what, more) => {
    expect(() => readCut(bytesOf(PACKFILE, pkt('\x01PACK'), '0000', more), size)).toThrow(
      expect.objectContaining({ code: 'TRANSPORT_PROTOCOL' }),
    );
  });
});

/** Packets of all lengths and bands, the largest among them. */
function recorded(pack: Buffer): Buffer {
  const packets: Uint8Array[] = [pkt('shallow-info\n'), pkt(`shallow ${A}\n`), bytesOf('0001')];
  packets.push(PACKFILE, pkt('\x02Enumerating objects: 5, done.\n'), pkt('\x01'));
  const lengths = [1, 2, 60_000, 3, 65_515, 65_515, 100, 7];
  for (let at = 0, turn = 0; at < pack.length; turn++) {
    const length = lengths[turn % lengths.length]!;
    packets.push(pkt(`\x01${pack.toString('latin1', at, at + length)}`));
    if (turn % 3 === 0) packets.push(pkt(`\x02Receiving objects: ${turn} %\r`), pkt('\x01'));
    at += length;
  }
  return bytesOf(...packets, '0000');
}

describe('FetchAnswer', () => {
  const pack = noise(300_000, 7);
  const whole = recorded(pack);

  it('gives the same pack wherever its chunks are cut', () => {
    const random = new Random(20_262, 0);
    for (const most of [100, 5_000, 100_000, 300_000, 2 ** 30]) {
      const got = read(cut(whole, () => 1 + random.below(most)));
      expect(got.shallow).toEqual([A]);
      expect(got.pack.equals(pack)).toBe(true);
    }
  });

  it('gives the same pack, or the same fault, with one cut at each place of the framing', () => {
    const small = recorded(noise(20, 8));
    const bad = bytesOf(small.subarray(0, -4), pkt('\x03gone\n'), '0000');
    for (const bytes of [small, bad, bytesOf(small, 'x')]) {
      const expected = outcomeOf([bytes]);
      for (let at = 1; at < bytes.length; at++) {
        expect(outcomeOf([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(expected);
      }
    }
  });

  it('calls an end before the flush truncated, wherever it is', () => {
    const small = recorded(noise(20, 8));
    for (let length = 0; length < small.length; length++) {
      expect(outcomeOf([small.subarray(0, length)])).toMatchObject({ code: 'TRANSPORT_TRUNCATED' });
    }
  });

  it('hands on what has come of a packet, without waiting for its end', () => {
    let received = 0;
    const answer = new FetchAnswer(2, (bytes) => (received += bytes.length));
    answer.push(bytesOf(PACKFILE, pkt(`\x01${'x'.repeat(60_000)}`).subarray(0, 1_000)));
    expect(received).toBe(995);
  });
});
