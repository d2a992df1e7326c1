/**
 * The running manifest and a new one in, the resources whose token changed out. url and mount_path
 * are immutable for the session's life: any other difference of them is MANIFEST_IMMUTABLE, every
 * one named. Order, checkout and unknown fields play no part.
 */
import { ManifestError } from '../errors.ts';
import type { Manifest, Resource } from '../resource.ts';
import { faultLines } from './faults.ts';
import type { Fault } from './faults.ts';

export interface ManifestComparison {
  /** Of the new manifest: same url and mount path as a running one, another token. */
  readonly rotated: readonly Resource[];
  /** True when nothing that the files are made from differs. */
  readonly isSame: boolean;
}

/** @throws ManifestError MANIFEST_IMMUTABLE; pointers are into the new manifest. */
export function compareManifests(running: Manifest, next: Manifest): ManifestComparison {
  const runningAt = new Map(running.resources.map((resource) => [resource.mountPath, resource]));
  const gone = new Map(runningAt);
  for (const { mountPath } of next.resources) gone.delete(mountPath);

  const rotated: Resource[] = [];
  const changes: Fault[] = [];
  for (const [pointer, resource] of pointedResources(next)) {
    const before = runningAt.get(resource.mountPath);
    if (before === undefined) changes.push(addition(pointer, resource, gone));
    else if (before.url !== resource.url) changes.push(urlChange(pointer, before, resource));
    else if (!before.token.equals(resource.token)) rotated.push(resource);
  }
  for (const { mountPath, url } of gone.values()) {
    changes.push({ pointer: '/resources', message: `${url} at ${mountPath} was removed` });
  }
  if (changes.length > 0) {
    throw new ManifestError('MANIFEST_IMMUTABLE', faultLines(changes).join('\n'), {
      data: { changes: changes.length },
    });
  }
  const { gitUser } = next;
  const isSameUser =
    gitUser?.name === running.gitUser?.name && gitUser?.email === running.gitUser?.email;
  return { rotated, isSame: rotated.length === 0 && isSameUser };
}

/** A mount nobody had: moved there when the same repository is gone from elsewhere. */
function addition(pointer: string, resource: Resource, gone: Map<string, Resource>): Fault {
  const { url, mountPath } = resource;
  const moved = [...gone.values()].find((before) => before.url === url);
  if (moved === undefined) return { pointer, message: `${url} at ${mountPath} was added` };
  gone.delete(moved.mountPath);
  return {
    pointer: `${pointer}/mount_path`,
    message: `changed from ${moved.mountPath} to ${mountPath}`,
  };
}

function urlChange(pointer: string, before: Resource, after: Resource): Fault {
  return { pointer: `${pointer}/url`, message: `changed from ${before.url} to ${after.url}` };
}

/** Skipped entries keep their place in the document, so the others' indexes follow from them. */
function* pointedResources(manifest: Manifest): Generator<[pointer: string, Resource]> {
  const skipped = new Set(manifest.skipped.map(({ pointer }) => pointer));
  let index = 0;
  for (const resource of manifest.resources) {
    while (skipped.has(`/resources/${index}`)) index++;
    yield [`/resources/${index++}`, resource];
  }
}
