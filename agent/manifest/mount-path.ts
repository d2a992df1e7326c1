/**
 * Where a clone may stand, judged by the text alone (the file system is asked by mounts/):
 * a mount_path in, the normalised absolute path out, or every reason why it is refused. Two mounts
 * that are equal, or one inside the other, on any file system (case, Unicode form) are a fault.
 */
import { posix } from 'node:path';
import { isPlainText } from '../plain-text.ts';
import type { Fault } from './faults.ts';
import type { Refusal } from './repository-url.ts';

export interface MountPathContext {
  /** Where a resource without mount_path goes. */
  readonly mountRoot: string;
  readonly home: string | null;
  /** The daemon's own directory. */
  readonly runDir: string;
}

/** Leaves room for the paths of the repository below Linux's 4096. */
const PATH_LIMIT_BYTES = 1024;
const COMPONENT_LIMIT_BYTES = 255;
const SYSTEM_DIRECTORIES =
  '/etc /proc /sys /dev /run /usr /bin /sbin /lib /lib32 /lib64 /libx32 /boot'.split(' ');
export function defaultMountPath(context: MountPathContext, repositoryName: string): string {
  return posix.join(context.mountRoot, repositoryName);
}

export function parseMountPath(
  text: string,
  context: MountPathContext,
): { readonly path: string } | Refusal {
  if (!text.startsWith('/')) {
    return { reasons: ['must be an absolute path; "~" and variables are not expanded'] };
  }
  const components = text.split('/').filter((part) => part !== '' && part !== '.');
  const path = `/${components.join('/')}`;
  const reasons = [...textReasons(text, components), ...placeReasons(path, context)];
  return reasons.length > 0 ? { reasons } : { path };
}

function textReasons(text: string, components: readonly string[]): string[] {
  const reasons: string[] = [];
  // Control, format (zero width, bidi), lone surrogates, line and paragraph separators.
  if (!isPlainText(text) && /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(text))
    reasons.push('must not contain control or invisible characters');
  if (components.includes('..')) reasons.push('must not contain ".."');
  if (components.some((part) => part.startsWith('~'))) {
    reasons.push('must not have a component that begins with "~"');
  }
  if (components.some((part) => fold(part) === '.git' || part.startsWith('.mount-agent-'))) {
    reasons.push('must not lie in a .git or a .mount-agent-… directory');
  }
  if (components.some((part) => Buffer.byteLength(part) > COMPONENT_LIMIT_BYTES)) {
    reasons.push(`must have components of at most ${COMPONENT_LIMIT_BYTES} bytes`);
  }
  if (Buffer.byteLength(text) > PATH_LIMIT_BYTES) {
    reasons.push(`must have at most ${PATH_LIMIT_BYTES} bytes`);
  }
  return reasons;
}

function placeReasons(path: string, context: MountPathContext): string[] {
  if (path === '/') return ['must not be the root directory'];
  const reasons: string[] = [];
  const system = SYSTEM_DIRECTORIES.find((directory) => isSameOrInside(path, directory));
  if (system !== undefined) reasons.push(`must not lie in ${system}`);
  if (isSameOrInside(path, context.runDir) || isSameOrInside(context.runDir, path)) {
    reasons.push('must not be, contain or lie in the run directory');
  }
  // HOME may be empty or relative; then it names no place.
  if (context.home?.startsWith('/') === true && isSameOrInside(context.home, path)) {
    reasons.push('must not be or contain the home directory');
  }
  return reasons;
}

export interface PlacedMount {
  readonly pointer: string;
  readonly path: string;
}

/** A fault for each mount that is equal to, inside, or around one listed before it. */
export function findMountClashes(mounts: readonly PlacedMount[]): Fault[] {
  const faults: Fault[] = [];
  const mountAt = new Map<string, PlacedMount>();
  const mountBelow = new Map<string, PlacedMount>();
  for (const mount of mounts) {
    const [self = '', ...parents] = selfAndParents(fold(mount.path));
    const equal = mountAt.get(self);
    const around = parents.map((parent) => mountAt.get(parent)).find((other) => other);
    const inside = mountBelow.get(self);
    if (equal) faults.push(clash(mount, 'is the same place as', equal));
    else if (around) faults.push(clash(mount, 'lies inside', around));
    else if (inside) faults.push(clash(mount, 'contains', inside));
    if (!equal) mountAt.set(self, mount);
    for (const parent of parents) if (!mountBelow.has(parent)) mountBelow.set(parent, mount);
  }
  return faults;
}

function clash(mount: PlacedMount, relation: string, other: PlacedMount): Fault {
  return {
    pointer: mount.pointer,
    message: `${mount.path} ${relation} ${other.path} of ${other.pointer}; choose another mount_path`,
  };
}

/** `/a/b/c`, `/a/b`, `/a`. */
function selfAndParents(path: string): string[] {
  const paths: string[] = [];
  for (let at = path; at !== '/'; at = posix.dirname(at)) paths.push(at);
  return paths;
}

function isSameOrInside(path: string, directory: string): boolean {
  const folded = fold(posix.resolve(directory));
  const inner = fold(posix.resolve(path));
  return inner === folded || inner.startsWith(folded === '/' ? '/' : `${folded}/`);
}

/** One key for all spellings that some file system takes for the same name. */
function fold(path: string): string {
  return path.normalize('NFD').toUpperCase().toLowerCase().normalize('NFC');
}
