/**
 * The first bytes of a pack in, how many objects it claims out. Format: gitformat-pack, "header".
 */
import { PackError } from '../errors.ts';

export const PACK_HEADER_BYTES = 12;

/** @throws PackError: no pack, not version 2 or 3, or more than `limit` objects. */
export function parsePackHeader(bytes: Buffer, start: number, limit: number): number {
  const signature = bytes.toString('latin1', start, start + 4);
  if (signature !== 'PACK') {
    const got = bytes.toString('hex', start, start + 4);
    throw new PackError('PACK_SIGNATURE', `expected a pack ("PACK"), got the bytes ${got}`);
  }
  const version = bytes.readUInt32BE(start + 4);
  if (version !== 2 && version !== 3) {
    throw new PackError('PACK_VERSION', `expected pack version 2 or 3, got ${version}`);
  }
  const count = bytes.readUInt32BE(start + 8);
  if (count > limit) {
    const message = `the pack claims ${count} objects, the limit is ${limit}`;
    throw new PackError('PACK_LIMIT', message, { data: { limit } });
  }
  return count;
}
