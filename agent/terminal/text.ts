/**
 * Text that is safe and fits. In: anything, names from repositories and words of hosts among it; out:
 * text without control characters, cut or wrapped to a number of terminal columns.
 */
import { isPlainText } from '../plain-text.ts';

/** East Asian wide and emoji, in the blocks that matter; Unicode's own table is far longer. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f680}-\u{1f6ff}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]/u;

/**
 * Nothing in the result can move the cursor, change colours or reorder what stands around it: no control,
 * bidirectional and other invisible characters, line separators, lone surrogates.
 */
export function mask(text: string): string {
  return isPlainText(text) ? text : text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, '\ufffd');
}

/** Columns that masked text takes on a terminal. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += widthOfCharacter(character);
  return width;
}

function widthOfCharacter(character: string): number {
  if (character.charCodeAt(0) < 0x300) return 1;
  if (/\p{M}/u.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

/** Cuts masked text to `columns`, with an ellipsis where something is missing. */
export function cut(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  return columns < 1 ? '' : `${splitAt(text, columns - 1)[0]}…`;
}

/** Cuts or pads masked text to exactly `columns`. */
export function fit(text: string, columns: number): string {
  const short = cut(text, columns);
  return short + ' '.repeat(Math.max(0, columns - widthOf(short)));
}

/** Breaks masked text at blanks into lines of at most `columns`; a longer word is broken anywhere. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (let word of text.split(' ')) {
    if (line !== '' && widthOf(line) + 1 + widthOf(word) <= columns) {
      line += ` ${word}`;
      continue;
    }
    if (line !== '') lines.push(line);
    while (widthOf(word) > columns) {
      const [head, tail] = splitAt(word, columns);
      if (head === '') break;
      lines.push(head);
      word = tail;
    }
    line = word;
  }
  if (line !== '' || lines.length === 0) lines.push(line);
  return lines;
}

/** The longest head of at most `columns`, and the rest. */
function splitAt(text: string, columns: number): [string, string] {
  let width = 0;
  let length = 0;
  for (const character of text) {
    width += widthOfCharacter(character);
    if (width > columns) break;
    length += character.length;
  }
  return [text.slice(0, length), text.slice(length)];
}
