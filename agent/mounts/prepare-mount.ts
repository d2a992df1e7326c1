/**
 * The step's front door: a resource in; out comes either the head of its complete clone, adopted
 * as it stands and without network, or a fresh staging to clone into. Everything else at the mount
 * path is a MountError, and is left alone.
 */
import type { Head } from '../status.ts';
import type { MountIdentity } from './completion-marker.ts';
import { findMissingParents, inspectMountPath } from './mount-path-state.ts';
import type { MountContext } from './mount-path-state.ts';
import { createStaging, sweepStaging } from './staging.ts';
import type { Staging } from './staging.ts';

export type PreparedMount =
  | { readonly state: 'adopted'; readonly head: Head }
  /** Disposing of the staging removes it, unless it was published. */
  | { readonly state: 'fresh'; readonly staging: Staging };

export async function prepareMount(
  resource: MountIdentity,
  context: MountContext,
): Promise<PreparedMount> {
  await findMissingParents(resource.mountPath);
  await sweepStaging(resource.mountPath);
  const state = await inspectMountPath(resource, context);
  if (state.kind === 'complete') return { state: 'adopted', head: state.head };
  return { state: 'fresh', staging: await createStaging(resource, context) };
}
