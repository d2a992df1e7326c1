/**
 * Three streams in one (gitprotocol-pack, "Packfile Data"). Enters: packets up to a flush. Leaves:
 * the bytes of band 1, pulled one packet at a time, so that a slow reader pauses the socket.
 * Invariant: the stream ends well only at its flush; a chunk is valid until the next one is asked for.
 */
import { TransportError } from '../errors.ts';
import type { PacketReader } from './pkt-line.ts';
import { maskControls } from './printable.ts';

const BAND = { pack: 1, progress: 2, fatal: 3 } as const;

export interface SidebandOptions {
  /** Raw progress text of band 2: fragments of lines, ends of line included, not masked. */
  readonly onProgressText?: (text: string) => void;
}

/**
 * @throws TRANSPORT_REMOTE with the host's words for band 3; TRANSPORT_PROTOCOL for any other band
 * or for packets after the flush; TRANSPORT_TRUNCATED without the flush.
 */
export async function* sideband(
  packets: PacketReader,
  { onProgressText }: SidebandOptions = {},
): AsyncGenerator<Buffer, void, undefined> {
  while (true) {
    // Not expect(): inside the bands "ERR " would be band 0x45, which is refused below.
    const packet = await packets.read();
    if (packet === null) {
      throw new TransportError('TRANSPORT_TRUNCATED', 'the pack stream ended before its flush');
    }
    if (packet.type === 'flush') break;
    if (packet.type !== 'data') throw unexpected(`a ${packet.type} packet`);
    const band = packet.payload[0];
    const content = packet.payload.subarray(1);
    if (band === BAND.pack) {
      // An empty one is a keepalive while the host counts objects.
      if (content.length > 0) yield content;
    } else if (band === BAND.progress) {
      onProgressText?.(content.toString('utf8'));
    } else if (band === BAND.fatal) {
      const words = maskControls(content.toString('utf8').trim());
      throw new TransportError('TRANSPORT_REMOTE', `the host gave up: ${words}`);
    } else {
      throw unexpected(band === undefined ? 'an empty packet' : `band ${band}`);
    }
  }
  await packets.expectEnd();
}

function unexpected(got: string): TransportError {
  return new TransportError(
    'TRANSPORT_PROTOCOL',
    `the pack stream: expected band 1, 2 or 3, got ${got}`,
  );
}
