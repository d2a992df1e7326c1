/**
 * Rescues in plain words, for AT_RISK.md: where the last one is and what it holds, and what an earlier
 * session left that can be put back. File names and words of a rescue stand as quoted data.
 */
import type { RescueNote } from '../rescue-note.ts';
import type { MountStatus } from '../status.ts';
import { quoteForMarkdown, quoteForShell } from './at-risk-words.ts';

const SHOWN_GAPS = 10;

/** The last rescue of a mount; nothing without one. */
export function describeRescue({ last_rescue: rescue, restored }: MountStatus): string[] {
  if (rescue === null) return restored === null ? [] : describeRestored(restored);
  return [
    `The last rescue of it was taken at ${rescue.created_at} and holds ${listOf(rescue)}:`,
    `${quoteForMarkdown(rescue.file)}. Whatever has changed since is not in it.`,
    ...gapsOf(rescue),
    '',
  ];
}

/** Of work that was put back: what of it was not. */
function describeRestored(rescue: RescueNote): string[] {
  if (rescue.gaps.length === 0) return [];
  const from = `${rescue.created_at}, ${quoteForMarkdown(rescue.file)}`;
  return [`It was made from a rescue of ${from}.`, ...gapsOf(rescue), ''];
}

/** Work of an earlier disk; nothing when there is none. */
export function describeRestorable(mounts: readonly MountStatus[]): string[] {
  const lines = mounts.flatMap(({ mount_path: path, restorable: rescue }) => {
    if (rescue === null) return [];
    const [file, mount] = [quoteForShell(rescue.file), quoteForShell(path)];
    const from = rescue.created_at === '' ? 'an earlier restore' : rescue.created_at;
    return [
      `Work from ${from} in ${quoteForMarkdown(path)} (${listOf(rescue)}) can be restored with:`,
      '',
      '```sh',
      ...(file === null || mount === null ? [] : [`mount-agent restore ${file} ${mount}`]),
      '```',
      '',
      ...gapsOf(rescue),
    ];
  });
  if (lines.length === 0) return [];
  return [
    '## Work of an earlier session can be put back',
    '',
    'The disk was made anew, and the repository was cloned again. Restore before you change anything',
    'in it: a restore wants a fresh clone (else `--into DIR` puts the work beside it).',
    '',
    ...lines,
  ];
}

function listOf({ covers }: RescueNote): string {
  return covers.length === 0 ? 'its state' : covers.map(printable).join(', ');
}

function gapsOf({ gaps }: RescueNote): string[] {
  if (gaps.length === 0) return [];
  const shown = gaps.slice(0, SHOWN_GAPS).map((gap) => `- ${quoteForMarkdown(gap)}`);
  if (gaps.length > SHOWN_GAPS) shown.push(`- and ${gaps.length - SHOWN_GAPS} more`);
  return ['', 'Not in it, or not put back:', '', ...shown];
}

function printable(text: string): string {
  return quoteForMarkdown(text).slice(1, -1);
}
