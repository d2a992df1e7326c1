/**
 * One mount as one line, for a terminal (columns, bar, rate) and for a log file (a sentence).
 * Pure: the same mount gives the same text.
 */
import type { MountStatus, Phase } from '../status.ts';
import {
  PHASE_WORDS,
  countedOf,
  describeDuration,
  describeError,
  describeHead,
  describeProgress,
  drawBar,
  percentOf,
} from './describe.ts';
import type { Counted } from './describe.ts';
import type { Palette } from './palette.ts';
import { cut, fit, mask, widthOf } from './text.ts';
import { formatBytes, formatCount, plural } from './units.ts';

export interface LineContext {
  /** Masked name of the mount. */
  readonly label: string;
  readonly labelColumns: number;
  readonly columns: number;
  /** `4.1 MB/s`, or empty while it is not known. */
  readonly rate: string;
  readonly palette: Palette;
}

const GAP = '  ';
const PHASE_COLUMNS = Math.max(...Object.values(PHASE_WORDS).map((word) => word.length));
const BAR_COLUMNS = 10;
const LONGEST_BAR_COLUMNS = 30;

/** Never wider than `columns`: what has no room is left out, the least important first. */
export function terminalLine(mount: MountStatus, context: LineContext): string {
  const { label, labelColumns, columns, palette } = context;
  const head = `${fit(label, labelColumns)}${GAP}`;
  const word = fit(PHASE_WORDS[mount.phase], PHASE_COLUMNS);
  const room = columns - widthOf(head) - PHASE_COLUMNS - GAP.length;
  const paint = paintOf(mount.phase, palette);
  if (room < 1) return cut(`${head}${PHASE_WORDS[mount.phase]}`, columns);
  const counted = countedOf(mount);
  const tail =
    counted === null ? cut(restingTail(mount), room) : movingTail(mount, counted, room, context);
  return palette.strong(head) + (tail === '' ? paint(word.trimEnd()) : paint(word) + GAP + tail);
}

function paintOf(phase: Phase, palette: Palette): (text: string) => string {
  if (phase === 'ready') return palette.good;
  if (phase === 'failed') return palette.bad;
  return phase === 'pending' ? palette.faint : (text) => text;
}

function restingTail(mount: MountStatus): string {
  if (mount.phase === 'ready') {
    const bytes = mount.progress.received_bytes;
    const parts = [describeHead(mount.head), bytes > 0 ? formatBytes(bytes) : ''];
    return [...parts, describeDuration(mount)].filter((part) => part !== '').join(GAP);
  }
  const { error } = mount;
  return error === null || !hasStopped(mount)
    ? describeProgress(mount)
    : mask(`${error.code}: ${error.message}`);
}

function movingTail(
  mount: MountStatus,
  counted: Counted,
  room: number,
  { rate, palette }: LineContext,
): string {
  const percent = `${percentOf(counted)} %`.padStart(5);
  const bytes = mount.phase === 'checking_out' ? '' : formatBytes(mount.progress.received_bytes);
  const counts = `${formatCount(counted.done)}/${formatCount(counted.total)} ${counted.unit}`;
  // By importance: what does not fit any more ends the line.
  let rest = '';
  let left = room - percent.length;
  if (left < 0) return percent.trim().slice(0, room);
  const hasBar = left >= BAR_COLUMNS + GAP.length;
  if (hasBar) left -= BAR_COLUMNS + GAP.length;
  for (const part of [bytes, rate, counts]) {
    if (part === '' || part.length + GAP.length > left) continue;
    rest += GAP + part;
    left -= part.length + GAP.length;
  }
  if (!hasBar) return percent + rest;
  const columns = Math.min(LONGEST_BAR_COLUMNS, BAR_COLUMNS + left);
  return drawBar(counted, columns, palette.faint) + GAP + percent + rest;
}

/** A phase change as lines for a log: one, or three when something has to be done about it. */
export function phaseLines(mount: MountStatus, label: string, now: Date): string[] {
  if (mount.phase === 'ready') return [`${label}: ready${inBrackets(readyFacts(mount))}`];
  if (hasStopped(mount)) {
    const [what = '', ...advice] = describeError(mount, now);
    const word = PHASE_WORDS[mount.phase];
    return [`${label}: ${word}: ${what}`, ...advice.map((line) => `${label}:   ${line}`)];
  }
  return [progressSentence(mount, label)];
}

/** Failed for good, or waiting for the next attempt; an error of an earlier attempt is no news. */
export function hasStopped({ phase, error }: MountStatus): boolean {
  return error !== null && (phase === 'failed' || error.next_attempt_at !== null);
}

/** `web: receiving 45 % (12,345/27,000 objects, 23 MB)`. */
export function progressSentence(mount: MountStatus, label: string): string {
  const progress = describeProgress(mount);
  return `${label}: ${PHASE_WORDS[mount.phase]}${progress === '' ? '' : ` ${progress}`}`;
}

function readyFacts(mount: MountStatus): string[] {
  const { received_bytes: bytes, total_objects: objects, total_files: files } = mount.progress;
  const took = describeDuration(mount);
  return [
    describeHead(mount.head),
    objects > 0 ? plural(objects, 'object') : '',
    bytes > 0 ? formatBytes(bytes) : '',
    files > 0 ? plural(files, 'file') : '',
    took === '' ? '' : `in ${took}`,
  ].filter((fact) => fact !== '');
}

function inBrackets(facts: readonly string[]): string {
  return facts.length === 0 ? '' : ` (${facts.join(', ')})`;
}
