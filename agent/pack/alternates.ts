/**
 * An objects directory in; it and the ones that it borrows from out (objects/info/alternates,
 * gitrepository-layout). Relative paths count from the directory that names them; chains and rings end.
 */
import { resolve } from 'node:path';
import { readRegularFile } from './regular-file.ts';

const FILE_LIMIT_BYTES = 64 * 1024;
/** Git's own depth, and an end to the number. */
const DEEPEST = 5;
const MOST = 64;

export function listObjectsDirs(objectsDir: string): string[] {
  const found = new Set<string>();
  let level = [resolve(objectsDir)];
  for (let depth = 0; depth <= DEEPEST && level.length > 0; depth++) {
    const next: string[] = [];
    for (const dir of level) {
      if (found.has(dir) || found.size >= MOST) continue;
      found.add(dir);
      next.push(...alternatesOf(dir));
    }
    level = next;
  }
  return [...found];
}

function alternatesOf(objectsDir: string): string[] {
  const text = readRegularFile(resolve(objectsDir, 'info/alternates'), FILE_LIMIT_BYTES);
  if (text === undefined) return [];
  return text
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#') && !line.includes('\0'))
    .map((line) => resolve(objectsDir, line));
}
