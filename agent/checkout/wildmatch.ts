/**
 * Git's wildmatch with WM_PATHNAME, over byte strings: `*` and `?` and `[…]` stop at a slash, `**`
 * between slashes does not. Patterns are a hostile repository's, so a match is a walk over sets of
 * states, linear in the text: no pattern can make it backtrack.
 */
const SLASH = 47;
const BACKSLASH = 92;

/**
 * A byte set; `star` (any run without a slash); `globstar` (any run); `directories` (nothing, or
 * any run that ends in a slash).
 */
type Part = Uint8Array | 'star' | 'globstar' | 'directories';

export type Matcher = (text: string) => boolean;

/** Compiles a pattern whose literal beginning was taken off; an unclosed bracket never matches. */
export function compileWildmatch(pattern: string): Matcher {
  const parts = parse(pattern);
  if (parts === undefined) return () => false;
  const suffix = plainSuffix(pattern);
  if (suffix !== undefined) {
    return (text) => text.endsWith(suffix) && !text.slice(0, -suffix.length).includes('/');
  }
  return (text) => run(parts, text);
}

/** `*.log` and the like, by far the most frequent shape, need no states. */
function plainSuffix(pattern: string): string | undefined {
  const suffix = pattern.slice(1);
  return pattern.startsWith('*') && suffix !== '' && !/[*?[\\/]/.test(suffix) ? suffix : undefined;
}

function run(parts: readonly Part[], text: string): boolean {
  const final = parts.length;
  let current = new Uint8Array(final + 1);
  let next = new Uint8Array(final + 1);
  enter(parts, current, 0);
  for (let at = 0; at < text.length; at++) {
    const byte = text.charCodeAt(at);
    next.fill(0);
    let alive = false;
    for (let state = 0; state < final; state++) {
      if (current[state] === 0) continue;
      const part = parts[state];
      if (part === undefined) continue;
      alive = advance(parts, part, state, byte, next) || alive;
    }
    if (!alive) return false;
    [current, next] = [next, current];
  }
  return current[final] === 1;
}

function advance(
  parts: readonly Part[],
  part: Part,
  state: number,
  byte: number,
  next: Uint8Array,
): boolean {
  if (part === 'directories') {
    next[state] = 1;
    if (byte === SLASH) enter(parts, next, state + 1);
    return true;
  }
  if (part === 'globstar' || (part === 'star' && byte !== SLASH)) {
    enter(parts, next, state);
    return true;
  }
  if (typeof part === 'string' || part[byte] !== 1) return false;
  enter(parts, next, state + 1);
  return true;
}

/** Sets a state, and those that it reaches without a byte. */
function enter(parts: readonly Part[], states: Uint8Array, state: number): void {
  let at = state;
  states[at] = 1;
  while (typeof parts[at] === 'string') states[++at] = 1;
}

function parse(pattern: string): Part[] | undefined {
  const parts: Part[] = [];
  let at = 0;
  while (at < pattern.length) {
    const char = pattern.charAt(at);
    if (char === '*') {
      at = parseStars(pattern, at, parts);
    } else if (char === '[') {
      const end = parseBracket(pattern, at, parts);
      if (end === undefined) return undefined;
      at = end;
    } else if (char === '?') {
      parts.push(setOf((byte) => byte !== SLASH));
      at++;
    } else {
      // A backslash at the very end matches nothing.
      if (char === '\\' && ++at === pattern.length) return undefined;
      const code = pattern.charCodeAt(at++);
      parts.push(setOf((byte) => byte === code));
    }
  }
  return parts;
}

function parseStars(pattern: string, start: number, parts: Part[]): number {
  let at = start;
  while (pattern.charAt(at) === '*') at++;
  const atStart = start === 0 || pattern.charAt(start - 1) === '/';
  const rest = pattern.slice(at);
  const beforeSlash = rest.startsWith('/') || rest.startsWith('\\/');
  if (at - start === 1 || !atStart || !(rest === '' || beforeSlash)) {
    parts.push('star');
    return at;
  }
  if (rest.startsWith('/')) {
    parts.push('directories');
    return at + 1;
  }
  parts.push('globstar');
  return at;
}

/** @returns where the bracket ends, or undefined when it never does. */
function parseBracket(pattern: string, start: number, parts: Part[]): number | undefined {
  let at = start + 1;
  const negated = pattern.charAt(at) === '!' || pattern.charAt(at) === '^';
  if (negated) at++;
  const table = new Uint8Array(256);
  let previous: number | undefined;
  for (let first = true; first || pattern.charAt(at) !== ']'; first = false) {
    if (at >= pattern.length) return undefined;
    const named = pattern.startsWith('[:', at) ? parseClass(pattern, at) : 0;
    if (named === undefined) return undefined;
    if (named !== 0) {
      for (let byte = 0; byte < 256; byte++) if (named.has(byte)) table[byte] = 1;
      at = named.end;
      previous = undefined;
      continue;
    }
    const ranged = pattern.charAt(at) === '-' && previous !== undefined;
    if (ranged && at + 1 < pattern.length && pattern.charAt(at + 1) !== ']') at++;
    else if (ranged) previous = undefined;
    if (pattern.charCodeAt(at) === BACKSLASH && ++at >= pattern.length) return undefined;
    const code = pattern.charCodeAt(at++);
    if (ranged && previous !== undefined) {
      for (let byte = previous; byte <= code; byte++) table[byte] = 1;
      previous = undefined;
    } else {
      table[code] = 1;
      previous = code;
    }
  }
  parts.push(setOf((byte) => byte !== SLASH && (table[byte] === 1) !== negated));
  return at + 1;
}

const CLASSES: Readonly<Record<string, RegExp>> = {
  alnum: /[A-Za-z0-9]/,
  alpha: /[A-Za-z]/,
  blank: /[ \t]/,
  // eslint-disable-next-line no-control-regex -- control characters are the class
  cntrl: /[\0-\x1f\x7f]/,
  digit: /[0-9]/,
  graph: /[!-~]/,
  lower: /[a-z]/,
  print: /[ -~]/,
  punct: /[!-/:-@[-`{-~]/,
  space: /[ \t\n\v\f\r]/,
  upper: /[A-Z]/,
  xdigit: /[0-9A-Fa-f]/,
};

/**
 * `[:alpha:]` inside a bracket: its members and where it ends; 0 when it is no class but a plain
 * `[`; undefined when the class is unknown or never ends, which makes the pattern match nothing.
 */
function parseClass(
  pattern: string,
  start: number,
): { has(byte: number): boolean; end: number } | 0 | undefined {
  const end = pattern.indexOf(']', start + 2);
  if (end === -1) return undefined;
  if (end === start + 2 || pattern.charAt(end - 1) !== ':') return 0;
  const members = CLASSES[pattern.slice(start + 2, end - 1)];
  if (members === undefined) return undefined;
  return { has: (byte) => members.test(String.fromCharCode(byte)), end: end + 1 };
}

function setOf(has: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (has(byte) ? 1 : 0));
}
