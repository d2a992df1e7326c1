/**
 * The output of `mount-agent status`. In: a snapshot of the table and the time; out: text that says
 * what each mount is, what would be lost, and how long there is. Pure; every name is masked.
 */
import { ERROR_TABLE } from '../errors.ts';
import type { Health, MountStatus, Phase, StatusSnapshot } from '../status.ts';
import {
  countedOf,
  describeAtRisk,
  describeError,
  describeHead,
  describePhase,
  describeProgress,
  drawBar,
} from './describe.ts';
import { createPalette } from './palette.ts';
import type { Palette } from './palette.ts';
import { cut, fit, mask, widthOf, wrap } from './text.ts';
import { formatDuration, plural } from './units.ts';

export interface StatusLayout {
  readonly columns: number;
  readonly colour: boolean;
  readonly now: Date;
  /** Progress as a bar as well: for a view that is painted again and again. */
  readonly bars?: boolean;
}

const GAP = '  ';
const HEADINGS = ['MOUNT', 'PHASE', 'BRANCH', 'AT RISK'] as const;
/** Below this the last column is no column any more: its text goes under the line. */
const NARROWEST_AT_RISK_COLUMNS = 24;
const LONGEST_PATH_COLUMNS = 40;
const LONGEST_BRANCH_COLUMNS = 36;
const SHOWN_PATHS = 10;
const BAR_COLUMNS = 12;

type Cells = readonly [path: string, phase: string, branch: string, atRisk: string];

/** Ends with a newline. */
export function renderStatus(snapshot: StatusSnapshot, layout: StatusLayout): string {
  const palette = createPalette(layout.colour);
  const sections = [
    heading(snapshot, layout, palette),
    waiting(snapshot, layout) ?? mountTable(snapshot.mounts, layout, palette),
    ...snapshot.mounts.map((mount) => failure(mount, layout, palette)),
    ...snapshot.mounts.map((mount) => details(mount, layout, palette)),
  ];
  const shown = sections.filter((lines) => lines.length > 0);
  return `${shown.map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

function heading(snapshot: StatusSnapshot, layout: StatusLayout, palette: Palette): string[] {
  const { version, session_id: session, status } = snapshot;
  const words = [`mount-agent ${mask(version)}`];
  if (session !== null) words.push(`session ${mask(session)}`);
  const health = paintOf(status, palette)(status);
  const first = `${cut(words.join(', '), layout.columns - status.length - 2)}: ${health}`;
  return [first, ...wrap(deadline(snapshot, layout.now), layout.columns)];
}

function paintOf(health: Health, palette: Palette): (text: string) => string {
  if (health === 'pass') return palette.good;
  return health === 'warn' ? palette.warning : palette.bad;
}

function deadline(
  { mounts, reclaim_at: reclaim, last_activity_at: last }: StatusSnapshot,
  now: Date,
): string {
  const leftMs = Date.parse(reclaim) - now.getTime();
  const quiet = formatDuration(now.getTime() - Date.parse(last));
  const atRisk = mounts.filter((mount) => mount.at_risk !== null).length;
  const what =
    atRisk === 0 ? 'Nothing would be lost.' : `Work in ${plural(atRisk, 'mount')} would be lost.`;
  const when =
    leftMs > 0
      ? `The disk may be reclaimed in ${formatDuration(leftMs)}`
      : `The disk may be reclaimed at any moment, since ${formatDuration(-leftMs)}`;
  return `${when} (last activity ${quiet} ago). ${what}`;
}

function waiting(
  { waiting_for: waits }: StatusSnapshot,
  { columns, now }: StatusLayout,
): string[] | null {
  if (waits === null) return null;
  const { remedy } = ERROR_TABLE.MANIFEST_MISSING;
  const place = waits.where === '-' ? 'on standard input' : `at ${mask(waits.where)}`;
  const forMs = now.getTime() - Date.parse(waits.since);
  const leftMs = Math.max(0, Date.parse(waits.until) - now.getTime());
  const times = `for ${formatDuration(forMs)}, and gives up in ${formatDuration(leftMs)}`;
  const words = `The daemon waits for a whole manifest ${place}: ${times} (MANIFEST_MISSING).`;
  return [...wrap(words, columns), ...wrap(remedy, columns - GAP.length).map((line) => GAP + line)];
}

function mountTable(
  mounts: readonly MountStatus[],
  { columns, bars = false }: StatusLayout,
  palette: Palette,
): string[] {
  if (mounts.length === 0) return ['No mounts yet.'];
  const rows = mounts.map((mount) => cellsOf(mount, bars));
  const shape = shapeOf([HEADINGS, ...rows], columns);
  const { widths, isWide } = shape;
  const titles = HEADINGS.slice(0, isWide ? 4 : 3);
  const title = titles.map((text, cell) => fit(text, widths[cell] ?? 0)).join(GAP);
  const lines = rows.flatMap((cells, row) => tableRow(cells, mounts[row], shape, palette));
  return [palette.faint(title.trimEnd()), ...lines];
}

function cellsOf(mount: MountStatus, bars: boolean): Cells {
  const { phase, head, at_risk: atRisk } = mount;
  // Before a mount is ready nobody can have worked in it: the place shows how far it is.
  const isOver = phase === 'ready' || phase === 'failed';
  const progress = isOver ? '' : `${bars ? barOf(mount) : ''}${describeProgress(mount)}`;
  const risk = phase === 'ready' || atRisk !== null ? describeAtRisk(atRisk) : progress;
  return [mask(mount.mount_path), describePhase(mount), describeHead(head), risk];
}

function barOf(mount: MountStatus): string {
  const counted = countedOf(mount);
  return counted === null ? '' : `${drawBar(counted, BAR_COLUMNS)} `;
}

interface TableShape {
  readonly widths: readonly [path: number, phase: number, branch: number, atRisk: number];
  /** False: what is at risk stands under its mount, indented. */
  readonly isWide: boolean;
}

/** Widths whose sum fits; a narrow terminal takes from branches and paths. */
function shapeOf(rows: readonly Cells[], columns: number): TableShape {
  const widest = (cell: 0 | 1 | 2): number => Math.max(...rows.map((row) => widthOf(row[cell])));
  const phase = widest(1);
  const names = Math.max(8, columns - phase - 2 * GAP.length);
  const branch = Math.min(widest(2), LONGEST_BRANCH_COLUMNS, Math.floor(names / 2));
  const path = Math.min(widest(0), LONGEST_PATH_COLUMNS, names - branch);
  const atRisk = columns - path - phase - branch - 3 * GAP.length;
  const isWide = atRisk >= NARROWEST_AT_RISK_COLUMNS;
  return { widths: [path, phase, branch, isWide ? atRisk : columns - GAP.length], isWide };
}

function tableRow(
  [path, phase, branch, atRisk]: Cells,
  mount: MountStatus | undefined,
  { widths, isWide }: TableShape,
  palette: Palette,
): string[] {
  const paintRisk = mount?.at_risk === null ? palette.faint : palette.warning;
  const texts = atRisk === '' ? [] : wrap(atRisk, widths[3]).map(paintRisk);
  const padded = phase + ' '.repeat(widths[1] - widthOf(phase));
  const coloured = padded.replace(phase, paintPhase(mount?.phase, palette));
  const left = [fit(path, widths[0]), coloured, fit(branch, widths[2])].join(GAP);
  if (!isWide) return [left.trimEnd(), ...texts.map((text) => GAP + text)];
  const indent = ' '.repeat(widths[0] + widths[1] + widths[2] + 3 * GAP.length);
  const [first = '', ...more] = texts;
  return [(left + GAP + first).trimEnd(), ...more.map((text) => indent + text)];
}

function paintPhase(phase: Phase | undefined, palette: Palette): (word: string) => string {
  if (phase === 'ready') return palette.good;
  return phase === 'failed' ? palette.bad : (word) => word;
}

function failure(mount: MountStatus, { columns, now }: StatusLayout, palette: Palette): string[] {
  const [what, ...advice] = describeError(mount, now);
  if (what === undefined) return [];
  return [
    ...wrap(`${mask(mount.mount_path)}: ${what}`, columns).map(palette.bad),
    ...advice.flatMap((line) => wrap(line, columns - GAP.length).map((part) => GAP + part)),
  ];
}

function details(mount: MountStatus, { columns, now }: StatusLayout, palette: Palette): string[] {
  const { at_risk: atRisk } = mount;
  if (atRisk === null) return [];
  const since = formatDuration(now.getTime() - Date.parse(atRisk.since));
  const lines = atRisk.branches.map(
    ({ ref, unpushed }) =>
      `${mask(ref.replace(/^refs\/heads\//, ''))}: ${plural(unpushed, 'unpushed commit')}`,
  );
  lines.push(...atRisk.paths.slice(0, SHOWN_PATHS).map(mask));
  const missing = atRisk.paths_total - Math.min(atRisk.paths.length, SHOWN_PATHS);
  if (missing > 0) lines.push(`and ${plural(missing, 'more file', 'more files')}`);
  return [
    palette.strong(cut(`${mask(mount.mount_path)}, at risk for ${since}:`, columns)),
    ...lines.map((line) => GAP + cut(line, columns - GAP.length)),
  ];
}
