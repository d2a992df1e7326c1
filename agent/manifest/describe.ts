/**
 * A manifest in, what `mount-agent check` prints out: the normalised resources in the manifest's
 * own words, tokens left out, what is skipped listed by pointer and type.
 */
import type { Checkout, GitUser, Manifest } from '../resource.ts';

export interface ManifestDescription {
  readonly session_id: string | null;
  readonly git_user?: GitUser;
  readonly resources: readonly {
    readonly type: string;
    readonly id?: string;
    readonly url: string;
    readonly mount_path: string;
    readonly checkout: { type: 'branch'; name: string } | { type: 'commit'; sha: string } | null;
  }[];
  readonly skipped: readonly { readonly pointer: string; readonly type: string }[];
}

export function describeManifest(manifest: Manifest): ManifestDescription {
  return {
    session_id: manifest.sessionId,
    ...(manifest.gitUser === null ? {} : { git_user: manifest.gitUser }),
    resources: manifest.resources.map(({ type, id, url, mountPath, checkout }) => ({
      type,
      ...(id === null ? {} : { id }),
      url,
      mount_path: mountPath,
      checkout: checkout && describeCheckout(checkout),
    })),
    skipped: manifest.skipped.map(({ pointer, type }) => ({ pointer, type })),
  };
}

function describeCheckout(checkout: Checkout) {
  return checkout.type === 'branch'
    ? { type: checkout.type, name: checkout.name }
    : { type: checkout.type, sha: checkout.oid };
}
