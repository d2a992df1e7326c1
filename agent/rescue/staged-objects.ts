/**
 * The objects of a rescue that arrived in the stage; nothing out, or RESCUE_OBJECTS_MISSING: together
 * with those of the clone they have to be whole, before anything that needs them is put in place. An
 * object that was lost before the rescue was taken is said, and is no reason to give nothing back.
 */
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MODE } from '../checkout/index-entry.ts';
import { canonicalMode, parseTree } from '../checkout/tree.ts';
import { EMPTY_BLOB_OID, EMPTY_TREE_OID } from '../checkout/well-known-objects.ts';
import { AgentError } from '../errors.ts';
import { ObjectStore } from '../pack/object-store.ts';
import type { Pace } from '../repository/pace.ts';
import type { RepositoryPlan } from './repository-places.ts';
import type { Stage } from './stage.ts';

const OID_BYTES = 20;
/** gitformat-pack, version 2: signature, version, fan-out. */
const IDX_COUNT_AT = 8 + 255 * 4;
const IDX_OIDS_AT = 8 + 256 * 4;
/** git knows these without having them. */
const BUILT_IN = new Set([EMPTY_TREE_OID, EMPTY_BLOB_OID]);

/** The staged objects on top of those of the clone, where the repository is the mount's. */
export function openStagedObjects(
  stage: Stage,
  { record: { number } }: RepositoryPlan,
  cloneObjects: string | null,
): ObjectStore {
  const directory = stage.objectsDirectory(number);
  stage.packDirectory(number);
  if (number === 0 && cloneObjects !== null) {
    mkdirSync(join(directory, 'info'), { recursive: true });
    writeFileSync(join(directory, 'info/alternates'), `${cloneObjects}\n`);
  }
  return ObjectStore.open(directory);
}

/** What the repository's objects build on, and neither the rescue nor the clone has. */
export function absentPrerequisites(
  store: Pick<ObjectStore, 'has'>,
  { record }: RepositoryPlan,
  bundled: readonly string[],
): string[] {
  const needed = new Set([...record.prerequisites, ...bundled]);
  return [...needed].filter((oid) => !store.has(oid));
}

/** @throws RESCUE_OBJECTS_MISSING */
export function requirePrerequisites(
  store: Pick<ObjectStore, 'has'>,
  owner: RepositoryPlan,
  bundled: readonly string[],
): void {
  const absent = absentPrerequisites(store, owner, bundled);
  const [first] = absent;
  if (first === undefined) return;
  const more = absent.length > 1 ? ` and ${absent.length - 1} more` : '';
  throw missing(`the work builds on the commit ${first}${more}, which the clone does not have`, {
    oid: first,
    count: absent.length,
  });
}

/** Whatever an object of the rescue leads to is there. @throws RESCUE_OBJECTS_MISSING */
export async function requireLinks(
  stage: Stage,
  store: Pick<ObjectStore, 'has' | 'header' | 'read'>,
  { record }: RepositoryPlan,
  pace: Pace,
): Promise<void> {
  const lost = new Set(record.missing);
  const known = new Set<string>();
  for (const oid of stagedOids(stage, record.number)) {
    for (const link of linksOf(store, oid)) {
      if (known.has(link)) continue;
      known.add(link);
      if (store.has(link) || BUILT_IN.has(link) || lost.has(link)) continue;
      throw missing(`${oid} in the rescue leads to ${link}, which is not there`, { oid: link });
    }
    if (pace.due) await pace.rest();
  }
}

function* stagedOids(stage: Stage, number: number): Generator<string> {
  const directory = stage.packDirectory(number);
  if (!existsSync(directory)) return;
  for (const name of readdirSync(directory)) {
    if (!name.endsWith('.idx')) continue;
    const idx = readFileSync(join(directory, name));
    const end = IDX_OIDS_AT + idx.readUInt32BE(IDX_COUNT_AT) * OID_BYTES;
    for (let at = IDX_OIDS_AT; at < end; at += OID_BYTES) {
      yield idx.toString('hex', at, at + OID_BYTES);
    }
  }
}

function linksOf(store: Pick<ObjectStore, 'header' | 'read'>, oid: string): string[] {
  const object = store.header(oid)?.type === 'blob' ? undefined : store.read(oid);
  if (object === undefined) return [];
  if (object.type === 'tree') {
    const entries = parseTree(object.content);
    return entries.filter((one) => canonicalMode(one) !== MODE.gitlink).map((one) => one.oid);
  }
  const head = object.content.toString('latin1').split('\n\n', 1)[0] ?? '';
  return [...head.matchAll(/^(?:tree|parent|object) ([0-9a-f]{40})$/gm)].map(([, to = '']) => to);
}

function missing(message: string, data: Record<string, string | number>): AgentError {
  return new AgentError('RESCUE_OBJECTS_MISSING', message, { data });
}
