/**
 * A host in, its refs out: the first request of a clone, and all that a rescue asks of the remote. By
 * ls-refs where the host speaks protocol 2, so that hundreds of thousands of pull requests cost nothing.
 */
import { VERSION } from '../version.ts';
import { readAdvertisement } from './advertisement.ts';
import type { Advertisement } from './advertisement.ts';
import { lsRefsRequest, readLsRefs } from './ls-refs.ts';
import { PacketReader } from './pkt-line.ts';
import { textOf } from './ref-name.ts';
import type { RemoteRefs } from './remote-refs.ts';
import { Transport } from './transport.ts';
import type { TransportContext } from './transport.ts';

export const AGENT = `mount-agent/${VERSION}`;

export interface DiscoveredRefs {
  readonly advertisement: Advertisement;
  readonly refs: RemoteRefs;
}

/** @throws TransportError, or the reason of the transport's signal. */
export async function discoverRefs(transport: Transport): Promise<DiscoveredRefs> {
  const first = new PacketReader(await transport.discover(), 'the ref advertisement');
  const advertisement = await readAdvertisement(first);
  if (advertisement.version === 0) return { advertisement, refs: advertisement.refs };
  const answer = await transport.listRefs(lsRefsRequest(advertisement.capabilities, AGENT));
  return { advertisement, refs: await readLsRefs(new PacketReader(answer, 'the list of refs')) };
}

/**
 * The oid of each branch and tag that the host has now, by full name.
 * @throws TransportError, or the signal's reason.
 */
export async function listRemote(context: TransportContext): Promise<Map<string, string>> {
  using transport = await Transport.open(context);
  const { refs } = await discoverRefs(transport);
  return new Map([...refs.branches, ...refs.tags].map(({ name, oid }) => [textOf(name), oid]));
}
