/** The manifest of a rescue in; in words out: what the rescue does not hold, so what is lost with the disk. */
import type { RescueManifest } from './format.ts';

const SHOWN_OBJECTS = 20;

type Gaps = Pick<RescueManifest, 'repositories' | 'left_out' | 'unsettled'>;

/** Empty when it has everything that there was. */
export function gapsIn(manifest: Gaps): string[] {
  return [...missingIn(manifest), ...manifest.left_out, ...manifest.unsettled];
}

/** Objects that something in the clone named, and that nothing had when the rescue was taken. */
export function missingIn({ repositories }: Pick<RescueManifest, 'repositories'>): string[] {
  const missing = repositories.flatMap((record) => record.missing);
  const lines = missing
    .slice(0, SHOWN_OBJECTS)
    .map((oid) => `the object ${oid} was missing before the rescue`);
  const more = missing.length - lines.length;
  return more === 0 ? lines : [...lines, `and ${more} more objects`];
}
