/**
 * Where trees and blobs come from: the slice of the pack's object store that checkout needs. All
 * calls are synchronous; what is damaged or of the wrong type throws a typed error.
 */
export type ObjectType = 'commit' | 'tree' | 'blob' | 'tag';

export interface BlobSource {
  /** The whole object, undefined when absent; its content is the caller's to read, not to change. */
  read(oid: string): { readonly type: ObjectType; readonly content: Buffer } | undefined;
  /** Writes a blob to `fd`, large ones in pieces; @returns the bytes written. */
  writeBlob(oid: string, fd: number): number;
}
