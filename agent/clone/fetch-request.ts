/**
 * Asking for the pack of a full clone, in protocol 2 (`command=fetch`) or 0 (`POST git-upload-pack`).
 * No haves, so no negotiation. The answer: fetch-answer.ts.
 */
import { TransportError } from '../errors.ts';
import type { Capabilities } from './advertisement.ts';
import { commandRequest } from './ls-refs.ts';
import { encodeLine, FLUSH, packetOf } from './pkt-line.ts';

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
    packetOf(at === 0 ? `want ${oid} ${chosen.join(' ')}\n` : `want ${oid}\n`),
  );
  return Buffer.concat([Buffer.from(lines.join(''), 'latin1'), FLUSH, encodeLine('done\n')]);
}
