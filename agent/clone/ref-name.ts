/**
 * What Git calls a ref (git-check-ref-format). A name is bytes, so it is held as a byte string: one
 * character per byte (latin1). It becomes a path or a text only where one is needed.
 */

export type RefName = string;

/** Bytes that no ref name may have: controls, space, DEL, and what revision syntax uses. */
// eslint-disable-next-line no-control-regex -- control bytes are what it is looking for
const FORBIDDEN_BYTE = /[\x00-\x20\x7f~^:?*[\\]/;

/** True for a full name that `git check-ref-format` accepts: at least two components. */
export function isRefName(name: RefName): boolean {
  if (FORBIDDEN_BYTE.test(name) || name.includes('..') || name.includes('@{')) return false;
  if (name.endsWith('.')) return false;
  const components = name.split('/');
  return components.length >= 2 && components.every(isComponent);
}

function isComponent(component: string): boolean {
  return component !== '' && !component.startsWith('.') && !component.endsWith('.lock');
}

export function refNameOf(text: string): RefName {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** For people and JSON; bytes that are not UTF-8 become U+FFFD. */
export function textOf(name: RefName): string {
  return Buffer.from(name, 'latin1').toString('utf8');
}

/** Names in the order of their bytes, as packed-refs is sorted. */
export function compareRefNames(a: RefName, b: RefName): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
