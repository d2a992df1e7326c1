/**
 * The manifest's path in, its resources out: waiting, reading and parsing as one step.
 */
import type { Manifest } from '../resource.ts';
import { parseManifest } from './parse-manifest.ts';
import type { ManifestContext } from './parse-manifest.ts';
import { readManifest } from './read-manifest.ts';
import type { ReadManifestContext } from './read-manifest.ts';

export interface LoadManifestContext extends ManifestContext, ReadManifestContext {
  /** A path, or `-` for standard input. */
  readonly path: string;
}

/** @throws ManifestError MANIFEST_MISSING, MANIFEST_UNREADABLE, MANIFEST_TOO_LARGE, MANIFEST_INVALID. */
export async function loadManifest(context: LoadManifestContext): Promise<Manifest> {
  return parseManifest(await readManifest(context.path, context), context);
}
