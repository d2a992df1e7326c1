/**
 * The session's resources as every step sees them: validated and normalised by manifest/.
 */
import type { Token } from './token.ts';

export type Checkout =
  | { readonly type: 'branch'; readonly name: string }
  | { readonly type: 'commit'; readonly oid: string };

/** Who commits: git's user.name and user.email. */
export interface GitUser {
  readonly name: string;
  readonly email: string;
}

export interface Resource {
  readonly type: 'github_repository';
  readonly id: string | null;
  /** Normalised: lower-case scheme and host, default port dropped, no `.git`, no trailing slash. */
  readonly url: string;
  readonly protocol: 'https' | 'http';
  /** Host with the port when it is not the protocol's own: `github.com`, `ghe.acme.example:8443`. */
  readonly host: string;
  readonly owner: string;
  readonly name: string;
  /** Absolute, lexically normalised. Identifies the mount for the session's life. */
  readonly mountPath: string;
  readonly token: Token;
  readonly checkout: Checkout | null;
}

/** A resource of a type that is somebody else's; skipped, visibly. */
export interface SkippedResource {
  /** JSON pointer into the manifest: `/resources/2`. */
  readonly pointer: string;
  readonly type: string;
}

export interface Manifest {
  readonly sessionId: string | null;
  /** Whoever the session commits for; null: the manifest does not say. */
  readonly gitUser: GitUser | null;
  readonly resources: readonly Resource[];
  readonly skipped: readonly SkippedResource[];
}
