/** The patches of one repository, into the archive. Damaged objects have none: that ends it quietly. */
import { CheckoutError, PackError } from '../errors.ts';
import { Doubt } from '../repository/doubt.ts';
import type { Pace } from '../repository/pace.ts';
import type { Archive } from './archive.ts';
import type { MemberNames } from './member-names.ts';
import { Patches } from './patches.ts';
import type { Surveyed } from './survey.ts';
import type { WantedObjects } from './wanted-objects.ts';

interface PatchContext {
  readonly archive: Archive;
  readonly names: MemberNames;
  readonly surveyed: Surveyed;
  /** null for a linked worktree: its commits are with its owner's. */
  readonly wanted: WantedObjects | null;
  readonly pace: Pace;
}

export async function writePatches(context: PatchContext): Promise<void> {
  try {
    await write(context);
  } catch (error) {
    const isDamage =
      error instanceof Doubt || error instanceof CheckoutError || error instanceof PackError;
    if (!isDamage) throw error;
  }
}

async function write({ archive, names, surveyed, wanted, pace }: PatchContext): Promise<void> {
  const { store, number } = surveyed;
  if (store === null) return;
  const patches = new Patches(store, pace);
  const add = (name: string, content: Buffer): Promise<void> =>
    archive.add({ name: names.fixed(name), kind: 'patch', repository: number }, content);
  const changes = await patches.changes(surveyed);
  if (changes !== null) await add('changes.diff', changes);
  if (wanted === null) return;
  for await (const { name, content } of patches.commits(wanted)) {
    await add(`patches/${name}`, content);
  }
}
