/**
 * Wanted objects in, a git bundle out (gitformat-bundle, version 2): what it builds on, its refs, and
 * a pack. Plain `git fetch work.bundle 'refs/*:refs/rescued/*'` takes it. Its length is known first.
 */
import type { ObjectStore } from '../pack/object-store.ts';
import { ObjectTable } from '../pack/object-table.ts';
import { packLength, writePack } from '../pack/pack-writer.ts';
import type { PackSource } from '../pack/pack-writer.ts';
import { linksOf } from './links.ts';
import type { WantedObjects } from './wanted-objects.ts';

export interface Bundle {
  readonly size: number;
  pieces(): AsyncIterable<Buffer>;
}

/** Git would not take a bundle with a ref of another form. */
const USABLE_REF =
  /^(?:HEAD|refs\/(?!.*(?:\.\.|\/\/|@\{|\.lock(?:\/|$)|\/\.|\/$|\.$))[^\0-\x20\x7f~^:?*[\\]+)$/;

/** null when there is no object to carry. */
export function planBundle(
  wanted: WantedObjects,
  store: ObjectStore,
  shallow: ReadonlySet<string>,
): Bundle | null {
  if (wanted.table.count === 0) return null;
  const header = bundleHeader(wanted, store, shallow);
  return {
    size: header.length + packLength(wanted.table),
    async *pieces() {
      yield header;
      const { made } = wanted;
      const read: PackSource['read'] = (oid) => made.get(oid) ?? store.read(oid);
      yield* writePack(wanted.table, { read, placeOf: (oid) => store.placeOf(oid) });
    },
  };
}

function bundleHeader(
  wanted: WantedObjects,
  store: ObjectStore,
  shallow: ReadonlySet<string>,
): Buffer {
  const commits = [...wanted.prerequisites].filter((oid) => store.header(oid)?.type === 'commit');
  const lines = ['# v2 git bundle', ...commits.map((oid) => `-${oid} `)];
  for (const [name, oid] of wanted.refs) {
    if (!USABLE_REF.test(name) || leadsNowhere(oid, wanted, store, shallow)) continue;
    lines.push(`${oid} ${name}`);
    if (name === 'refs/rescue/HEAD') lines.push(`${oid} HEAD`);
  }
  return Buffer.from(`${lines.join('\n')}\n\n`, 'latin1');
}

/** Git refuses the whole bundle when one ref leads to an object that is nowhere. */
function leadsNowhere(
  tip: string,
  { missing, table, made }: WantedObjects,
  store: ObjectStore,
  shallow: ReadonlySet<string>,
): boolean {
  if (missing.size === 0) return false;
  const seen = new ObjectTable();
  const pending = [tip];
  for (let oid = pending.pop(); oid !== undefined; oid = pending.pop()) {
    if (missing.has(oid)) return true;
    if (!table.has(oid) || seen.add(oid) === -1) continue;
    const object = made.get(oid) ?? store.read(oid);
    if (object === undefined) return true;
    for (const [next, type] of linksOf(object.type, object.content, shallow.has(oid))) {
      if (type !== 'blob' || missing.has(next)) pending.push(next);
    }
  }
  return false;
}
