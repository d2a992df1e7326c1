/**
 * The packed-refs file (gitrepository-layout; the header as `git pack-refs` writes it). Enters: refs.
 * Leaves: the file's bytes, sorted, each annotated tag followed by what it peels to.
 */
import { compareRefNames } from './ref-name.ts';
import type { RemoteRef } from './remote-refs.ts';

/** "fully-peeled": a ref without a ^ line is no tag object, so git need not look. */
const HEADER = '# pack-refs with: peeled fully-peeled sorted \n';

export function packedRefs(refs: readonly RemoteRef[]): Buffer {
  const sorted = refs.toSorted((a, b) => compareRefNames(a.name, b.name));
  const lines = sorted.map(({ name, oid, peeled }) =>
    peeled === null ? `${oid} ${name}\n` : `${oid} ${name}\n^${peeled}\n`,
  );
  return Buffer.from(HEADER + lines.join(''), 'latin1');
}
