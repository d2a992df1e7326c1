/**
 * The bytes of a .gitattributes file in, its rules and macros out, in the file's order. What git
 * passes over is passed over: a line that is too long, has a bad attribute name or a `!` pattern; all
 * after a NUL; a file of 100 MiB (attr.c, quote.c).
 */

/** true: set; false: unset (`-text`); a string: a value; null: back to unspecified (`!text`). */
export type AttributeState = string | boolean | null;

export interface Assignment {
  readonly name: string;
  readonly state: AttributeState;
}

export interface AttributeLine {
  /** A macro's name (`[attr]name`) or a pattern, unquoted. */
  readonly kind: 'macro' | 'pattern';
  readonly subject: string;
  readonly assignments: readonly Assignment[];
}

/** Files and lines of this size are ignored by git. */
export const FILE_LIMIT_BYTES = 100 * 1024 * 1024;
const LINE_LIMIT_BYTES = 2048;

const LINE_FEED = 0x0a;
const MACRO_PREFIX = '[attr]';
/** Blanks can stand in it when it was quoted. */
const MACRO = /^\[attr\][ \t\r\n]*([^ \t\r\n]*)/;
const NAME = /^(?!-|builtin_)[-A-Za-z0-9_.]+$/;
const BLANKS = /[ \t\r]+/;
const LEADING_BLANKS = /^[ \t\r]+/;
const UNTIL_BLANK = /^[^ \t\r]*/;
const QUOTED = /^"((?:[^"\\]|\\(?:[abfnrtv"\\]|[0-3][0-7][0-7]))*)"/;
const ESCAPE = /\\([abfnrtv"\\]|[0-7]{3})/g;
const ESCAPED: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** What every repository can use without defining it. */
export const BUILT_IN_MACROS: ReadonlyMap<string, readonly Assignment[]> = new Map([
  ['binary', ['diff', 'merge', 'text'].map((name) => ({ name, state: false }))],
]);

export function* parseAttributes(content: Buffer): Generator<AttributeLine> {
  if (content.length >= FILE_LIMIT_BYTES) return;
  const nul = content.indexOf(0);
  const fileEnd = nul === -1 ? content.length : nul;
  for (let start = 0; start < fileEnd;) {
    const feed = content.indexOf(LINE_FEED, start);
    const end = feed === -1 ? fileEnd : Math.min(feed, fileEnd);
    if (end - start < LINE_LIMIT_BYTES) {
      const line = parseLine(content.toString('latin1', start, end));
      if (line !== null) yield line;
    }
    start = end + 1;
  }
}

function parseLine(text: string): AttributeLine | null {
  const line = text.replace(LEADING_BLANKS, '');
  if (line === '' || line.startsWith('#')) return null;
  const [quotes, quoted] = QUOTED.exec(line) ?? [];
  const plain = UNTIL_BLANK.exec(line)?.[0] ?? '';
  const assignments = parseAssignments(line.slice(quotes?.length ?? plain.length));
  if (assignments === null) return null;
  const subject = quoted === undefined ? plain : unquote(quoted);
  if (subject.startsWith(MACRO_PREFIX) && subject.length > MACRO_PREFIX.length) {
    const [, name = ''] = MACRO.exec(subject) ?? [];
    return NAME.test(name) ? { kind: 'macro', subject: name, assignments } : null;
  }
  return subject.startsWith('!') ? null : { kind: 'pattern', subject, assignments };
}

/** null when one of them has no name that git allows: the whole line is void then. */
function parseAssignments(text: string): Assignment[] | null {
  const assignments: Assignment[] = [];
  for (const word of text.split(BLANKS)) {
    if (word === '') continue;
    const sign = word.startsWith('-') || word.startsWith('!') ? word.charAt(0) : '';
    const equals = word.indexOf('=');
    const name = word.slice(sign.length, equals === -1 ? word.length : equals);
    if (!NAME.test(name)) return null;
    const state = equals === -1 ? true : word.slice(equals + 1);
    assignments.push({ name, state: sign === '' ? state : sign === '!' ? null : false });
  }
  return assignments;
}

/** The pattern that a C-quoted one stands for; git takes it to end at a NUL. */
function unquote(quoted: string): string {
  const unquoted = quoted.replaceAll(ESCAPE, (_escape, code: string) =>
    code.length === 3 ? String.fromCharCode(parseInt(code, 8)) : (ESCAPED[code] ?? code),
  );
  return unquoted.replace(/\0[^]*$/, '');
}
