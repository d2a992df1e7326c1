/**
 * How a Git LFS pointer begins (git-lfs, docs/spec.md). Such a file stays as it is, without git-lfs
 * there is nothing to put in its place; the status counts them.
 */
export const LFS_POINTER = Buffer.from('version https://git-lfs.github.com/spec/v1\n');
export const LFS_POINTER_LIMIT_BYTES = 1024;

/** Whether content[start, start + size) is one. */
export function isLfsPointer(content: Buffer, start: number, size: number): boolean {
  if (size < LFS_POINTER.length || size >= LFS_POINTER_LIMIT_BYTES) return false;
  return LFS_POINTER.compare(content, start, start + LFS_POINTER.length) === 0;
}
