/**
 * A small JSON file in, its object out. Others can write it: nothing but a regular file of bounded
 * size is read, and null stands for everything that is no object.
 */
import { readRegularFile } from '../pack/regular-file.ts';

const LIMIT_BYTES = 64 * 1024;

export function readJsonObject(path: string): Readonly<Record<string, unknown>> | null {
  const bytes = readRegularFile(path, LIMIT_BYTES);
  const value = bytes === undefined ? null : parseJson(bytes);
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
}

function parseJson(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString()) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}
