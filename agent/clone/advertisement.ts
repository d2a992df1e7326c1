/**
 * What upload-pack says first (gitprotocol-http, gitprotocol-v2). Enters: packets of the answer to
 * `GET …/info/refs`. Leaves: capabilities, and for protocol 0 and 1 the refs too. Invariant: refs are
 * handed on only after the final flush, so that a dropped connection is never a shorter list.
 */
import { TransportError } from '../errors.ts';
import { encodeLine, FLUSH } from './pkt-line.ts';
import type { PacketReader } from './pkt-line.ts';
import { maskControls } from './printable.ts';
import { assertOid, collectRefs, unsupportedFormat } from './remote-refs.ts';
import type { ClaimedRef, RemoteRefs } from './remote-refs.ts';

/** Values by name; a capability without a value has the empty string. */
export type Capabilities = ReadonlyMap<string, string>;

export type Advertisement =
  | { readonly version: 2; readonly capabilities: Capabilities }
  | { readonly version: 0; readonly capabilities: Capabilities; readonly refs: RemoteRefs };

const SERVICE_LINE = '# service=git-upload-pack';
const NO_OID = '0'.repeat(40);
/** Stands in for a ref where there is none to carry the capabilities. */
const NO_REF = 'capabilities^{}';
const PEELED_SUFFIX = '^{}';

export async function readAdvertisement(packets: PacketReader): Promise<Advertisement> {
  let packet = await packets.expect();
  // git http-backend leaves this announcement out of protocol 2, other hosts do not.
  if (packet.type === 'data' && packet.payload.toString('latin1').trim() === SERVICE_LINE) {
    if ((await packets.expect()).type !== 'flush') throw unexpected('a flush after "# service"');
    packet = await packets.expect();
  }
  if (packet.type === 'flush') {
    // An empty repository, as Git before 2.41 announced it.
    await packets.expectEnd();
    return { version: 0, capabilities: new Map(), refs: collectRefs([]) };
  }
  if (packet.type !== 'data') throw unexpected('a line');
  const first = packet.payload.toString('latin1').replace(/\n$/, '');
  if (first === 'version 2') return readCapabilities(packets);
  return readRefs(packets, first === 'version 1' ? await packets.expectLine() : first);
}

async function readCapabilities(packets: PacketReader): Promise<Advertisement> {
  const capabilities = new Map<string, string>();
  for (;;) {
    const packet = await packets.expect();
    if (packet.type === 'flush') break;
    if (packet.type !== 'data') throw unexpected('a capability');
    addCapability(capabilities, packet.payload.toString('latin1').trim());
  }
  await packets.expectEnd();
  assertObjectFormat(capabilities);
  return { version: 2, capabilities };
}

async function readRefs(packets: PacketReader, first: string): Promise<Advertisement> {
  const nul = first.indexOf('\0');
  if (nul === -1) throw unexpected('a ref with capabilities behind a NUL');
  const capabilities = new Map<string, string>();
  const symrefs = new Map<string, string>();
  for (const word of first.slice(nul + 1).split(' ')) {
    const [, from, to] = /^symref=([^:]+):(.+)$/.exec(word) ?? [];
    if (from !== undefined && to !== undefined) symrefs.set(from, to);
    else addCapability(capabilities, word);
  }
  assertObjectFormat(capabilities);
  const lines = new RefLines(symrefs);
  lines.add(first.slice(0, nul));
  for (;;) {
    const packet = await packets.expect();
    if (packet.type === 'flush') break;
    if (packet.type !== 'data') throw unexpected('a ref');
    lines.add(packet.payload.toString('latin1').replace(/\n$/, ''));
  }
  await packets.expectEnd();
  return { version: 0, capabilities, refs: collectRefs(lines.claimed, lines.shallow) };
}

/** The lines of protocol 0, where a peeled tag follows the tag as a line of its own. */
class RefLines {
  readonly claimed: ClaimedRef[] = [];
  readonly shallow: string[] = [];
  readonly #symrefs: ReadonlyMap<string, string>;

  constructor(symrefs: ReadonlyMap<string, string>) {
    this.#symrefs = symrefs;
  }

  add(line: string): void {
    const space = line.indexOf(' ');
    const oid = line.slice(0, Math.max(space, 0));
    const name = line.slice(space + 1);
    if (oid === 'shallow') {
      this.shallow.push(name);
      return;
    }
    assertOid(oid, name);
    if (oid === NO_OID && name === NO_REF) return;
    if (!name.endsWith(PEELED_SUFFIX)) {
      const symrefTarget = this.#symrefs.get(name) ?? null;
      this.claimed.push({ name, oid, peeled: null, symrefTarget });
      return;
    }
    const tag = this.claimed.pop();
    if (tag === undefined || `${tag.name}${PEELED_SUFFIX}` !== name) {
      throw unexpected(`the tag before "${maskControls(name)}"`);
    }
    this.claimed.push({ ...tag, peeled: oid });
  }
}

function addCapability(capabilities: Map<string, string>, word: string): void {
  const equals = word.indexOf('=');
  if (equals === -1) capabilities.set(word, '');
  else capabilities.set(word.slice(0, equals), word.slice(equals + 1));
}

function assertObjectFormat(capabilities: Capabilities): void {
  const format = capabilities.get('object-format') ?? 'sha1';
  if (format !== 'sha1') throw unsupportedFormat(format);
}

function unexpected(expected: string): TransportError {
  return new TransportError(
    'TRANSPORT_PROTOCOL',
    `the ref advertisement: expected ${expected}, got something else`,
  );
}

/**
 * An advertisement of protocol 0 with nothing but HEAD: enough for a fetch to ask for a pack.
 * null makes it that of an empty repository, for which nothing is asked.
 */
export function synthesiseAdvertisement(headOid: string | null): Buffer {
  const ref = headOid === null ? `${NO_OID} ${NO_REF}` : `${headOid} HEAD`;
  return Buffer.concat([
    encodeLine(`${SERVICE_LINE}\n`),
    FLUSH,
    encodeLine(`${ref}\0side-band-64k ofs-delta\n`),
    FLUSH,
  ]);
}
