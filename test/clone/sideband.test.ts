import { describe, expect, it } from 'vitest';
import { PacketReader } from '../../agent/clone/pkt-line.ts';
import { sideband } from '../../agent/clone/sideband.ts';
import { bytesOf, collect, cut, CUTS, pkt } from './streams.ts';

function demux(bytes: Uint8Array, size = Infinity): Promise<Buffer> {
  return collect(sideband(new PacketReader(cut(bytes, size), 'the test')));
}

describe.each(CUTS)('sideband() on chunks of %d bytes', (size) => {
  it('gives band 1, skips keepalives, and hands band 2 to whoever listens', async () => {
    const bytes = bytesOf(
      pkt('\x01PACK'),
      pkt('\x01'),
      pkt('\x02half a li'),
      pkt('\x02ne\r'),
      pkt('\x01rest'),
      '0000',
    );
    const heard: string[] = [];
    const packets = new PacketReader(cut(bytes, size), 'the test');
    const pack = await collect(sideband(packets, { onProgressText: (text) => heard.push(text) }));
    expect(pack.toString()).toBe('PACKrest');
    expect(heard).toEqual(['half a li', 'ne\r']);
  });

  it('throws the words of band 3, control characters masked', async () => {
    const failing = demux(
      bytesOf(pkt('\x01PACK'), pkt('\x03out of\x1b[2J luck.\n\0'), '0000'),
      size,
    );
    await expect(failing).rejects.toMatchObject({
      code: 'TRANSPORT_REMOTE',
      message: 'the host gave up: out of?[2J luck.',
    });
  });
});

describe('sideband()', () => {
  it.each([
    ['band 0', pkt('\x00x')],
    ['band 4', pkt('\x04x')],
    ['an ERR packet', pkt('ERR x')],
    ['a packet without a band', pkt('')],
    ['a delimiter', bytesOf('0001')],
    ['a response end', bytesOf('0002')],
  ])('refuses %s', async (_what, packet) => {
    const failing = demux(bytesOf(pkt('\x01PACK'), packet, '0000'));
    await expect(failing).rejects.toMatchObject({ code: 'TRANSPORT_PROTOCOL' });
  });

  it('calls a stream without its flush truncated', async () => {
    await expect(demux(pkt('\x01PACK'))).rejects.toMatchObject({ code: 'TRANSPORT_TRUNCATED' });
  });

  it('refuses packets behind the flush', async () => {
    const failing = demux(bytesOf(pkt('\x01PACK'), '0000', pkt('\x01more')));
    await expect(failing).rejects.toMatchObject({ code: 'TRANSPORT_PROTOCOL' });
  });

  it('asks its source for nothing while its reader does not ask', async () => {
    let asked = 0;
    // eslint-disable-next-line @typescript-eslint/require-await -- a source is asynchronous
    async function* source(): AsyncGenerator<Uint8Array> {
      while (asked < 100) {
        asked++;
        yield pkt('\x01block');
      }
      yield bytesOf('0000');
    }
    const pack = sideband(new PacketReader(source(), 'the test'));
    await pack.next();
    await pack.next();
    await new Promise((resolve) => setImmediate(resolve));
    expect(asked).toBe(2);
  });
});
