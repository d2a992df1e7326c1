import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TransportError } from '../../agent/errors.ts';
import { DELIM, encodeLine, FLUSH, PacketReader } from '../../agent/clone/pkt-line.ts';
import { bytesOf, cut, CUTS, pkt } from './streams.ts';

/** Types, or the payloads of data packets, until the end. */
async function readAll(bytes: Uint8Array, size: number): Promise<string[]> {
  const packets = new PacketReader(cut(bytes, size), 'the test');
  const seen: string[] = [];
  for (let packet = await packets.read(); packet !== null; packet = await packets.read()) {
    seen.push(packet.type === 'data' ? packet.payload.toString('latin1') : packet.type);
  }
  return seen;
}

describe.each(CUTS)('PacketReader on chunks of %d bytes', (size) => {
  it('gives every kind of packet in order', async () => {
    const bytes = bytesOf(pkt('hello\n'), '0004', '0001', '0002', pkt('\x01\x00\xff'), '0000');
    const kinds = ['hello\n', '', 'delim', 'response-end', '\x01\x00\xff', 'flush'];
    expect(await readAll(bytes, size)).toEqual(kinds);
  });

  it('takes the largest packet and upper-case digits', async () => {
    const largest = 'x'.repeat(65_516);
    expect(await readAll(bytesOf('FFF0', largest), size)).toEqual([largest]);
  });

  it.each(['zzzz', '-001', '0x10', '0003', 'fff1', 'ffff', '+00a', '<!DO', ' 12a'])(
    'refuses the length %s',
    async (length) => {
      const reading = readAll(bytesOf(length, 'x'.repeat(70_000)), size);
      await expect(reading).rejects.toMatchObject({ code: 'TRANSPORT_PROTOCOL' });
    },
  );

  it('calls an end inside a packet truncated, wherever it is', async () => {
    const whole = pkt('hello\n');
    for (let length = 1; length < whole.length; length++) {
      const reading = readAll(whole.subarray(0, length), size);
      await expect(reading).rejects.toMatchObject({ code: 'TRANSPORT_TRUNCATED' });
    }
  });
});

describe('PacketReader', () => {
  it('expect() refuses the end of the stream', async () => {
    const packets = new PacketReader(cut(FLUSH, 4), 'the test');
    await packets.expect();
    await expect(packets.expect()).rejects.toMatchObject({ code: 'TRANSPORT_TRUNCATED' });
  });

  it('expect() shows the words of an ERR packet without control characters', async () => {
    const bytes = pkt('ERR no \x1b[31msuch\x07 \u202erepository\r\nreally\n');
    const packets = new PacketReader(cut(bytes, 5), 'the test');
    const error: unknown = await packets.expect().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'TRANSPORT_REMOTE' });
    expect((error as Error).message).toBe('the host refused: no ?[31msuch? .repository really');
  });

  it('expectEnd() refuses what follows the last packet', async () => {
    const packets = new PacketReader(cut(bytesOf(FLUSH, pkt('x')), 4), 'the test');
    await packets.expect();
    await expect(packets.expectEnd()).rejects.toMatchObject({ code: 'TRANSPORT_PROTOCOL' });
  });

  it('expectEnd() refuses half a packet too, and does not call it a lost connection', async () => {
    for (const size of CUTS) {
      const packets = new PacketReader(cut(bytesOf(FLUSH, '0'), size), 'the test');
      await packets.expect();
      await expect(packets.expectEnd()).rejects.toMatchObject({ code: 'TRANSPORT_PROTOCOL' });
    }
  });
});

describe('encodeLine()', () => {
  it('counts its own four digits and keeps bytes as they are', () => {
    expect(encodeLine('a\xe9\n')).toEqual(bytesOf('0007a\xe9\n'));
    expect(bytesOf(FLUSH, DELIM)).toEqual(bytesOf('00000001'));
  });

  it('refuses what no packet can hold', () => {
    expect(encodeLine('x'.repeat(65_516))).toHaveLength(65_520);
    expect(() => encodeLine('x'.repeat(65_517))).toThrow(RangeError);
  });
});

it('any bytes are the same packets, or the same fault, wherever the stream is cut', async () => {
  const packet = fc.oneof(
    fc.constantFrom('0000', '0001', '0002', '0003', 'zzzz', 'fff1'),
    fc.string({ maxLength: 12 }).map((text) => pkt(text).toString('latin1')),
    fc.string({ maxLength: 6 }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(packet, { maxLength: 5 }), async (parts) => {
      const bytes = bytesOf(...parts);
      const outcomes = CUTS.map(async (size) => {
        try {
          return await readAll(bytes, size);
        } catch (error) {
          return error instanceof TransportError ? error.code : error;
        }
      });
      const [first, ...others] = await Promise.all(outcomes);
      expect(first).not.toBeInstanceOf(Error);
      for (const other of others) expect(other).toEqual(first);
    }),
    { numRuns: 500, seed: 20_261 },
  );
});
