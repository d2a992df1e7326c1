/** Two texts in (one byte per character), the hunks of a unified diff out, with three lines around. */
import { diffArrays } from 'diff';

const AROUND = 3;
/** Texts that differ in more lines are shown as one taken away and one put in its place. */
const EDIT_LIMIT = 2_000;
const NO_NEWLINE = '\\ No newline at end of file\n';

interface Line {
  readonly sign: ' ' | '-' | '+';
  readonly text: string;
}

export function hunksOf(before: string, after: string): string {
  const lines = editOf(linesOf(before), linesOf(after));
  const shown = new Uint8Array(lines.length);
  for (const [at, { sign }] of lines.entries()) {
    if (sign !== ' ') shown.fill(1, Math.max(0, at - AROUND), at + AROUND + 1);
  }
  let text = '';
  let [old, now] = [1, 1];
  for (let at = 0; at < lines.length;) {
    let end = at;
    while (shown[end] === 1) end++;
    const hunk = lines.slice(at, end);
    if (hunk.length > 0) text += hunkText(hunk, old, now);
    for (const { sign } of end > at ? hunk : lines.slice(at, ++end)) {
      if (sign !== '+') old++;
      if (sign !== '-') now++;
    }
    at = end;
  }
  return text;
}

function hunkText(hunk: readonly Line[], old: number, now: number): string {
  const olds = hunk.filter(({ sign }) => sign !== '+').length;
  const news = hunk.filter(({ sign }) => sign !== '-').length;
  const body = hunk.map(({ sign, text }) =>
    text.endsWith('\n') ? sign + text : `${sign}${text}\n${NO_NEWLINE}`,
  );
  return `@@ -${range(old, olds)} +${range(now, news)} @@\n${body.join('')}`;
}

/** Of no lines: the number of the line before. */
function range(start: number, count: number): string {
  return `${count === 0 ? start - 1 : start},${count}`;
}

/** With their ends; `\n` alone ends a line. */
function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

function editOf(before: string[], after: string[]): Line[] {
  const as = (sign: Line['sign'], texts: readonly string[]): Line[] =>
    texts.map((text) => ({ sign, text }));
  const changes = diffArrays(before, after, { maxEditLength: EDIT_LIMIT });
  if (changes === undefined) return [...as('-', before), ...as('+', after)];
  return changes.flatMap(({ added, removed, value }) =>
    as(added ? '+' : removed ? '-' : ' ', value),
  );
}
