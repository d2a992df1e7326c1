/**
 * Where trees and blobs come from: the slice of the pack's object store that checkout needs. All
 * calls are synchronous; what is absent is undefined, what is damaged throws a typed error.
 */
export type ObjectType = 'commit' | 'tree' | 'blob' | 'tag';

export interface BlobSource {
  /** The whole object; its content is the caller's to read, not to change. */
  read(oid: string): { readonly type: ObjectType; readonly content: Buffer } | undefined;
  /** Type and size, without the content. */
  header(oid: string): { readonly type: ObjectType; readonly size: number } | undefined;
  /** Writes a blob's content to `fd` in pieces; @returns the bytes written. */
  writeBlob(oid: string, fd: number): number;
}
