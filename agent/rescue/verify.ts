/**
 * A rescue file in; its manifest out, once every member is what the manifest says: there, once, in its
 * order, with its size and SHA-256; else RESCUE_INVALID. Reads the file once, from its start to its
 * end, and keeps a name and a hash of each member.
 */
import { createHash } from 'node:crypto';
import { AgentError } from '../errors.ts';
import {
  HEADER_LIMIT_BYTES,
  MANIFEST_LIMIT_BYTES,
  MEMBER,
  parseHeader,
  parseManifest,
} from './format.ts';
import type { MemberRecord, RescueManifest } from './format.ts';
import { readMembers } from './members.ts';

export interface VerifyOptions {
  readonly signal: AbortSignal;
  /** Called after each member, with the bytes in it. */
  readonly onMember?: ((bytes: number) => void) | undefined;
}

type Seen = Pick<MemberRecord, 'name' | 'size' | 'sha256'>;

/** @throws RESCUE_INVALID, RESCUE_UNSUPPORTED; the signal's reason. */
export async function verifyRescue(
  file: string,
  { signal, onMember }: VerifyOptions,
): Promise<RescueManifest> {
  const seen: Seen[] = [];
  const last: Buffer[] = [];
  await readMembers(file, signal, async ({ name, content }) => {
    if (last.length > 0) throw invalid(`${JSON.stringify(name)} comes after the manifest`);
    const hash = createHash('sha256');
    const limitBytes = limitOf(name);
    const kept: Buffer[] = [];
    let size = 0;
    for await (const piece of content) {
      hash.update(piece);
      size += piece.length;
      if (size > limitBytes) throw invalid(`${name} has more than ${limitBytes} bytes`);
      if (limitBytes !== Infinity) kept.push(piece);
    }
    if (seen.length === 0) {
      if (name !== MEMBER.header) throw invalid(`it does not begin with ${MEMBER.header}`);
      parseHeader(Buffer.concat(kept));
    }
    if (name === MEMBER.manifest) last.push(Buffer.concat(kept));
    else seen.push({ name, size, sha256: hash.digest('hex') });
    onMember?.(size);
  });
  const [text] = last;
  if (text === undefined) throw invalid(`it has no ${MEMBER.manifest}: it was never finished`);
  const manifest = parseManifest(text);
  requireSame(manifest.members, seen);
  return manifest;
}

function limitOf(name: string): number {
  if (name === MEMBER.header) return HEADER_LIMIT_BYTES;
  return name === MEMBER.manifest ? MANIFEST_LIMIT_BYTES : Infinity;
}

function requireSame(told: readonly MemberRecord[], seen: readonly Seen[]): void {
  const names = new Set<string>();
  for (const [at, { name, size, sha256 }] of told.entries()) {
    const member = seen[at];
    const shown = JSON.stringify(name);
    if (names.has(name)) throw invalid(`${shown} is there twice`);
    names.add(name);
    if (member?.name !== name) {
      throw invalid(
        `expected ${shown}, got ${member === undefined ? 'its end' : JSON.stringify(member.name)}`,
      );
    }
    if (member.size !== size) throw invalid(`${shown} has ${member.size} bytes, not ${size}`);
    if (member.sha256 !== sha256) throw invalid(`${shown} is not as its SHA-256 says`);
  }
  const more = seen[told.length];
  if (more !== undefined) throw invalid(`the manifest does not know ${JSON.stringify(more.name)}`);
}

function invalid(why: string): AgentError {
  return new AgentError('RESCUE_INVALID', `the file is no whole rescue: ${why}`);
}
