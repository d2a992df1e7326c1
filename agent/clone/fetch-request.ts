/**
 * Asking for the pack of a full clone, in protocol 2 (`command=fetch`) or 0 (`POST git-upload-pack`),
 * and reading the answer up to where the sideband begins. No haves, so no negotiation.
 */
import { TransportError } from '../errors.ts';
import type { Capabilities } from './advertisement.ts';
import { commandRequest } from './ls-refs.ts';
import { encodeLine, FLUSH, lineOf } from './pkt-line.ts';
import type { PacketReader } from './pkt-line.ts';
import { maskControls } from './printable.ts';
import { assertOid } from './remote-refs.ts';

export interface FetchRequest {
  readonly version: 0 | 2;
  readonly capabilities: Capabilities;
  /** Distinct oids, at least one. */
  readonly wants: readonly string[];
  readonly agent: string;
}

export function fetchRequest({ version, capabilities, wants, agent }: FetchRequest): Buffer {
  if (version === 2) {
    const body = ['ofs-delta', ...wants.map((oid) => `want ${oid}`), 'done'];
    return commandRequest('fetch', capabilities, agent, body);
  }
  if (!capabilities.has('side-band-64k')) {
    throw new TransportError(
      'TRANSPORT_PROTOCOL',
      'the ref advertisement: expected the capability side-band-64k, got none',
    );
  }
  const chosen = ['side-band-64k', 'ofs-delta', 'agent', 'object-format']
    .filter((name) => capabilities.has(name))
    .map((name) => (name === 'agent' ? `agent=${agent}` : name))
    .map((name) => (name === 'object-format' ? 'object-format=sha1' : name));
  const lines = wants.map((oid, at) =>
    encodeLine(at === 0 ? `want ${oid} ${chosen.join(' ')}\n` : `want ${oid}\n`),
  );
  return Buffer.concat([...lines, FLUSH, encodeLine('done\n')]);
}

/**
 * Reads what stands before the pack.
 * @returns the commits whose parents the host lacks itself: lines of `.git/shallow`.
 * @throws TRANSPORT_PROTOCOL for sections that were not asked for (packfile-uris among them).
 */
export async function readFetchHead(packets: PacketReader, version: 0 | 2): Promise<string[]> {
  if (version === 0) {
    const line = await packets.expectLine();
    if (line !== 'NAK') throw unexpected('NAK', line);
    return [];
  }
  let shallow: string[] = [];
  for (;;) {
    const section = await packets.expectLine();
    if (section === 'packfile') return shallow;
    if (section !== 'shallow-info') throw unexpected('the section "packfile"', section);
    shallow = await readShallowInfo(packets);
  }
}

async function readShallowInfo(packets: PacketReader): Promise<string[]> {
  const shallow: string[] = [];
  for (;;) {
    const packet = await packets.expect();
    if (packet.type === 'delim') return shallow;
    const line = packet.type === 'data' ? lineOf(packet.payload) : packet.type;
    if (!line.startsWith('shallow ')) throw unexpected('"shallow <oid>"', line);
    shallow.push(assertOid(line.slice('shallow '.length), 'shallow'));
  }
}

function unexpected(expected: string, got: string): TransportError {
  return new TransportError(
    'TRANSPORT_PROTOCOL',
    `the answer to fetch: expected ${expected}, got "${maskControls(got)}"`,
  );
}
