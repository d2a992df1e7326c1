/**
 * What HEAD of a clone names, read from its files alone (gitrepository-layout: HEAD, loose refs,
 * packed-refs); nothing is executed. The repository is its user's: names are checked before they
 * become paths, and what cannot be resolved is unknown rather than an error.
 */
import { join } from 'node:path';
import { readRegularFile } from '../pack/regular-file.ts';
import type { Head } from '../status.ts';

const REF_FILE_LIMIT_BYTES = 4096;
/** About half a million refs. */
const PACKED_REFS_LIMIT_BYTES = 64 * 1024 * 1024;
const SYMREF_DEPTH_LIMIT = 5;
const OID = /^[0-9a-f]{40}$/;
/** No empty component and none that begins with a dot: nothing outside refs/. */
const SAFE_REF = /^refs(?:\/[^./][^/]*)+$/;
/** C0 and C1: all that stands before the space, the tilde and U+00A0. */
const CONTROLS = /[^ -~\u00a0-\u{10ffff}]/u;

/** @returns null when there is no HEAD file. */
export function readHead(gitdir: string): Head | null {
  const head = readRefFile(gitdir, 'HEAD');
  if (head === null) return null;
  if (OID.test(head)) return { ref: null, oid: head };
  const ref = symrefTarget(head);
  return ref === null ? { ref: null, oid: null } : { ref, oid: resolveRef(gitdir, ref, 0) };
}

function resolveRef(gitdir: string, ref: string, depth: number): string | null {
  const loose = readRefFile(gitdir, ref);
  if (loose === null) return findPackedRef(gitdir, ref);
  if (OID.test(loose)) return loose;
  const target = symrefTarget(loose);
  return target === null || depth >= SYMREF_DEPTH_LIMIT
    ? null
    : resolveRef(gitdir, target, depth + 1);
}

function readRefFile(gitdir: string, ref: string): string | null {
  const bytes = readRegularFile(join(gitdir, ref), REF_FILE_LIMIT_BYTES);
  return bytes === undefined ? null : bytes.toString().trimEnd();
}

function symrefTarget(text: string): string | null {
  const ref = /^ref:\s*(.*)$/.exec(text)?.[1] ?? '';
  return SAFE_REF.test(ref) && !CONTROLS.test(ref) ? ref : null;
}

function findPackedRef(gitdir: string, ref: string): string | null {
  const bytes = readRegularFile(join(gitdir, 'packed-refs'), PACKED_REFS_LIMIT_BYTES);
  if (bytes === undefined) return null;
  const at = bytes.indexOf(` ${ref}\n`);
  if (at < 40) return null;
  const oid = bytes.subarray(at - 40, at).toString();
  return OID.test(oid) ? oid : null;
}
