/**
 * A path in a Git directory in; what a restore may do with it out (gitrepository-layout). State is
 * data that git reads and never runs; what git runs, or finds what to run in, waits until it is asked
 * for; what no rescue has is a refusal: with it, a file would reach other objects or other places.
 */
import type { BytePath } from '../repository/byte-path.ts';

export type GitdirPart = 'state' | 'config' | 'hook' | 'unknown' | 'refused';

/** Data: an operation's files, refs, logs, the index, what git notes down in upper case. */
const STATE = [
  /^[A-Z][A-Z0-9_]*(?:\/|$)/,
  /^(?:refs|logs|rebase-merge|rebase-apply|sequencer|rr-cache)\//,
  /^(?:index|packed-refs|shallow|description|locked)$/,
  /^sharedindex\.[0-9a-f]{40}$/,
  /^info\/(?:exclude|attributes|sparse-checkout|grafts|refs)$/,
  /^lfs\/objects\/[0-9a-f]{2}\/[0-9a-f]{2}\/[0-9a-f]{64}$/,
];
/** Written by the restore itself, or by nobody. */
const REFUSED = /^(?:objects|modules|worktrees|commondir|gitdir|mount-agent[^/]*)(?:\/|$)/i;
/** Some file systems take the one for the other. */
const OTHER_CASE = /^(?:config(?:\.worktree)?$|hooks(?:\/|$))/i;
const OWN_CASE = /^(?:config(?:\.worktree)?$|hooks\/)/;
/** git never names a ref so, and some file systems take it for something else. */
// eslint-disable-next-line no-control-regex -- no ref has one
const BAD_COMPONENT = /^\.|\.lock$|[\0-\x1f\x7f]/;

/** @param path relative to the Git directory, without a slash at either end. */
export function gitdirPartOf(path: BytePath): GitdirPart {
  const components = path.split('/');
  if (components.some((name) => name === '' || name === '.' || name === '..')) return 'refused';
  if (path.includes('\0') || components.some((name) => name.length > 255)) return 'refused';
  if (REFUSED.test(path)) return 'refused';
  const inRefs = /^(?:refs|logs)$/.test(components[0] ?? '');
  if (inRefs && components.some((name) => BAD_COMPONENT.test(name))) return 'refused';
  if (OTHER_CASE.test(path) && !OWN_CASE.test(path)) return 'refused';
  if (path === 'config' || path === 'config.worktree') return 'config';
  if (components[0] === 'hooks') return 'hook';
  return STATE.some((pattern) => pattern.test(path)) ? 'state' : 'unknown';
}
