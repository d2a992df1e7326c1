/**
 * The manifest's bytes in, validated and normalised resources out, or one InvalidManifestError
 * with every fault that can be known at once. Invariant: nothing but a ManifestError is thrown for
 * any input, and no message holds a value of the manifest that may be a token.
 */
import type * as z from 'zod/mini';
import { ManifestError } from '../errors.ts';
import type { Checkout, Manifest, Resource, SkippedResource } from '../resource.ts';
import { Token } from '../token.ts';
import { InvalidManifestError, pointerTo } from './faults.ts';
import type { Fault } from './faults.ts';
import { findJsonFaults } from './json-text.ts';
import { defaultMountPath, findMountClashes, parseMountPath } from './mount-path.ts';
import type { MountPathContext, PlacedMount } from './mount-path.ts';
import { parseRepositoryUrl } from './repository-url.ts';
import type { RepositoryUrlContext } from './repository-url.ts';
import {
  MANIFEST_LIMIT_BYTES,
  RESOURCE_LIMIT,
  otherResourceSchema,
  outlineSchema,
  repositorySchema,
} from './schema.ts';

export interface ManifestContext extends MountPathContext, RepositoryUrlContext {}

type RepositorySchema = ReturnType<typeof repositorySchema>;

/** @throws ManifestError MANIFEST_TOO_LARGE, or MANIFEST_INVALID with `faults`. */
export function parseManifest(text: Buffer | string, context: ManifestContext): Manifest {
  const document: unknown = JSON.parse(checkedJson(text));
  const faults: Fault[] = [];
  const outline = outlineSchema.safeParse(document, { error: faultMessage });
  if (!outline.success) faults.push(...faultsOf(outline.error, []));

  const schema = repositorySchema({
    url: (url) => reasonsOf(parseRepositoryUrl(url, context)),
    mountPath: (path) => reasonsOf(parseMountPath(path, context)),
  });
  const resources: Resource[] = [];
  const skipped: SkippedResource[] = [];
  const mounts: PlacedMount[] = [];
  for (const [index, entry] of entriesOf(document).entries()) {
    const path = ['resources', index];
    if (fieldOf(entry, 'type') === 'github_repository') {
      mounts.push(...placesOf(entry, path, context, faults));
      resources.push(...repositoriesOf(schema, entry, path, context, faults));
    } else {
      const other = otherResourceSchema.safeParse(entry, { error: faultMessage });
      if (other.success) skipped.push({ pointer: pointerTo(path), type: other.data.type });
      else faults.push(...faultsOf(other.error, path));
    }
  }
  faults.push(...findMountClashes(mounts));
  if (faults.length > 0) throw new InvalidManifestError(faults);
  const { session_id: sessionId = null, git_user: gitUser = null } = outline.data ?? {};
  return { sessionId, gitUser, resources, skipped };
}

/** Text that JSON.parse accepts, without repeated keys. */
function checkedJson(text: Buffer | string): string {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  if (bytes.length > MANIFEST_LIMIT_BYTES) throw manifestTooLarge(bytes.length);
  let decoded: string;
  try {
    decoded = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new InvalidManifestError([{ pointer: '', message: 'must be UTF-8' }]);
  }
  if (decoded.startsWith('\ufeff')) {
    const message = 'must not begin with a byte order mark';
    throw new InvalidManifestError([{ pointer: '', message }]);
  }
  if (decoded.trim() === '') {
    throw new InvalidManifestError([{ pointer: '', message: 'is empty' }]);
  }
  const faults = findJsonFaults(decoded);
  if (faults.length > 0) throw new InvalidManifestError(faults);
  return decoded;
}

export function manifestTooLarge(sizeBytes: number): ManifestError {
  return new ManifestError(
    'MANIFEST_TOO_LARGE',
    `expected at most ${MANIFEST_LIMIT_BYTES} bytes of manifest, got ${sizeBytes} or more`,
    { data: { limit_bytes: MANIFEST_LIMIT_BYTES } },
  );
}

/** The entry as a resource, or none and its faults added. */
function repositoriesOf(
  schema: RepositorySchema,
  entry: unknown,
  path: PropertyKey[],
  context: ManifestContext,
  faults: Fault[],
): Resource[] {
  const parsed = schema.safeParse(entry, { error: faultMessage });
  if (!parsed.success) {
    faults.push(...faultsOf(parsed.error, path));
    return [];
  }
  const { type, id, url, authorization_token: token, mount_path: mountPath } = parsed.data;
  const repository = parseRepositoryUrl(url, context);
  if ('reasons' in repository) return [];
  const mount = parseMountPath(mountPath ?? defaultMountPath(context, repository.name), context);
  if ('reasons' in mount) return [];
  return [
    {
      type,
      id: id ?? null,
      ...repository,
      mountPath: mount.path,
      token: new Token(token),
      checkout: checkoutOf(parsed.data.checkout),
    },
  ];
}

function checkoutOf(checkout: z.output<RepositorySchema>['checkout']): Checkout | null {
  if (checkout === undefined || checkout === null) return null;
  return checkout.type === 'branch'
    ? checkout
    : { type: 'commit', oid: checkout.sha.toLowerCase() };
}

/** Where the entry would be mounted, known even while its other fields are faulty. */
function placesOf(
  entry: unknown,
  path: PropertyKey[],
  context: ManifestContext,
  faults: Fault[],
): PlacedMount[] {
  const pointer = pointerTo([...path, 'mount_path']);
  const given = fieldOf(entry, 'mount_path') ?? null;
  const url = fieldOf(entry, 'url');
  if (typeof given === 'string') {
    const mount = parseMountPath(given, context);
    return 'reasons' in mount ? [] : [{ pointer, path: mount.path }];
  }
  if (given !== null || typeof url !== 'string') return [];
  const repository = parseRepositoryUrl(url, context);
  if ('reasons' in repository) return [];
  const mount = parseMountPath(defaultMountPath(context, repository.name), context);
  if (!('reasons' in mount)) return [{ pointer, path: mount.path }];
  for (const reason of mount.reasons) {
    faults.push({ pointer, message: `absent, and the default under the mount root ${reason}` });
  }
  return [];
}

function reasonsOf(parsed: object): readonly string[] {
  return 'reasons' in parsed ? (parsed.reasons as readonly string[]) : [];
}

function entriesOf(document: unknown): readonly unknown[] {
  const entries = fieldOf(document, 'resources');
  return Array.isArray(entries) ? entries.slice(0, RESOURCE_LIMIT) : [];
}

/** An own field of a JSON object; undefined of anything else. */
function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

function faultsOf(error: z.core.$ZodError, path: readonly PropertyKey[]): Fault[] {
  return error.issues.map((issue) => ({
    pointer: pointerTo([...path, ...issue.path]),
    message: issue.message,
  }));
}

/** For zod's own checks; checks with a message of their own keep it. */
function faultMessage(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === 'invalid_type') {
    if (issue.input === undefined) return 'is required';
    return `expected ${article(issue.expected)}, got ${article(kindOf(issue.input))}`;
  }
  if (issue.code === 'invalid_union') return 'expected "branch" or "commit"';
  return undefined;
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

function article(kind: string): string {
  if (kind === 'null') return kind;
  return `${/^[aeiou]/.test(kind) ? 'an' : 'a'} ${kind}`;
}
