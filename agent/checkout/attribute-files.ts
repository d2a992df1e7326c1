/**
 * The entries of a checkout in, the attributes of its .gitattributes out, read from the objects: as
 * git does it, which reads them from the index, so that it does not matter what is written when.
 */
import { Attributes } from './attributes.ts';
import type { BlobSource } from './blob-source.ts';
import { MODE } from './index-entry.ts';
import type { IndexEntry } from './index-entry.ts';

const FILE_NAME = Buffer.from('.gitattributes');
const SLASH = 0x2f;

/** A missing blob is passed over: writing the file will meet it again. */
export function readAttributes(store: BlobSource, entries: readonly IndexEntry[]): Attributes {
  const files: { readonly directory: string; readonly oid: string }[] = [];
  for (const entry of entries) {
    if (entry.mode === MODE.gitlink || !isAttributeFile(entry)) continue;
    const path = entry.path.toString('latin1');
    const directory = path.slice(0, Math.max(0, path.length - FILE_NAME.length - 1));
    files.push({ directory, oid: entry.oid });
  }
  const attributes = new Attributes();
  // Shorter first is parents first; in the index's order `-x/.gitattributes` precedes the top's.
  files.sort((a, b) => a.directory.length - b.directory.length);
  for (const { directory, oid } of files) {
    const object = store.read(oid);
    if (object?.type === 'blob') attributes.addFile(directory, object.content);
  }
  return attributes;
}

function isAttributeFile({ path, pathBytes }: IndexEntry): boolean {
  const start = pathBytes - FILE_NAME.length;
  if (start < 0 || (start > 0 && path[start - 1] !== SLASH)) return false;
  return path.subarray(start).equals(FILE_NAME);
}
