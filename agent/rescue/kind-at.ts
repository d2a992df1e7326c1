/** A path in; what stands there out, links not followed. */
import { lstatSync } from 'node:fs';
import { fsPath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { statOrUndefined } from '../repository/repository.ts';

export function kindAt(path: BytePath): 'nothing' | 'directory' | 'link' | 'file' {
  const stats = statOrUndefined(() => lstatSync(fsPath(path)));
  if (stats === undefined) return 'nothing';
  if (stats.isDirectory()) return 'directory';
  return stats.isSymbolicLink() ? 'link' : 'file';
}
