/** Git LFS: from a blob that is a pointer to the file that it stands for, if this disk has it. */
import type { BytePath } from '../repository/byte-path.ts';

const POINTER =
  /^version https:\/\/git-lfs\.github\.com\/spec\/v1\n(?:.*\n)*?oid sha256:([0-9a-f]{64})\n/;
const POINTER_BYTES = { least: 100, most: 1024 };

export function lfsOidOf(size: number, read: () => Buffer | undefined): string | undefined {
  if (size < POINTER_BYTES.least || size > POINTER_BYTES.most) return undefined;
  return POINTER.exec(read()?.toString('latin1') ?? '')?.[1];
}

/** Below the common Git directory. */
export function lfsPath(oid: string): BytePath {
  return `lfs/objects/${oid.slice(0, 2)}/${oid.slice(2, 4)}/${oid}`;
}
