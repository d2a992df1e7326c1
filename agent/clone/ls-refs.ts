/**
 * The ls-refs command (gitprotocol-v2). Asks for HEAD, branches and tags only: a busy repository has
 * ten times as many refs of pull requests. Leaves refs only after the final flush.
 */
import { TransportError } from '../errors.ts';
import type { Capabilities } from './advertisement.ts';
import { DELIM, FLUSH, lineOf, packetOf } from './pkt-line.ts';
import type { PacketReader } from './pkt-line.ts';
import { BRANCH_PREFIX, collectRefs, TAG_PREFIX } from './remote-refs.ts';
import type { ClaimedRef, RemoteRefs } from './remote-refs.ts';

const SYMREF_TARGET = 'symref-target:';
const PEELED = 'peeled:';

/**
 * A command of protocol 2 with the capabilities that every command of ours carries.
 * @throws TRANSPORT_PROTOCOL when the host does not know the command.
 */
export function commandRequest(
  command: string,
  capabilities: Capabilities,
  agent: string,
  body: readonly string[],
): Buffer {
  if (!capabilities.has(command)) {
    throw new TransportError(
      'TRANSPORT_PROTOCOL',
      `the ref advertisement: expected the command ${command} of protocol 2, got none`,
    );
  }
  const head = [`command=${command}`];
  if (capabilities.has('agent')) head.push(`agent=${agent}`);
  if (capabilities.has('object-format')) head.push('object-format=sha1');
  const lines = (texts: readonly string[]): Buffer =>
    Buffer.from(texts.map((text) => packetOf(`${text}\n`)).join(''), 'latin1');
  return Buffer.concat([lines(head), DELIM, lines(body), FLUSH]);
}

export function lsRefsRequest(capabilities: Capabilities, agent: string): Buffer {
  const features = (capabilities.get('ls-refs') ?? '').split(' ');
  return commandRequest('ls-refs', capabilities, agent, [
    'peel',
    'symrefs',
    ...(features.includes('unborn') ? ['unborn'] : []),
    'ref-prefix HEAD',
    `ref-prefix ${BRANCH_PREFIX}`,
    `ref-prefix ${TAG_PREFIX}`,
  ]);
}

export async function readLsRefs(packets: PacketReader): Promise<RemoteRefs> {
  const claimed: ClaimedRef[] = [];
  for (;;) {
    const packet = await packets.expect();
    if (packet.type === 'flush') break;
    if (packet.type !== 'data') {
      throw new TransportError(
        'TRANSPORT_PROTOCOL',
        `the list of refs: expected a ref, got a ${packet.type} packet`,
      );
    }
    claimed.push(parseLine(lineOf(packet.payload)));
  }
  await packets.expectEnd();
  return collectRefs(claimed);
}

/** `<oid or "unborn"> <name>[ symref-target:<name>][ peeled:<oid>]` */
function parseLine(line: string): ClaimedRef {
  const [oid, name, ...attributes] = line.split(' ');
  if (oid === undefined || name === undefined) {
    throw new TransportError(
      'TRANSPORT_PROTOCOL',
      'the list of refs: expected "<oid> <name>", got a line without a space',
    );
  }
  const valueOf = (prefix: string): string | null =>
    attributes.find((word) => word.startsWith(prefix))?.slice(prefix.length) ?? null;
  return {
    name,
    oid: oid === 'unborn' ? null : oid,
    peeled: valueOf(PEELED),
    symrefTarget: valueOf(SYMREF_TARGET),
  };
}
