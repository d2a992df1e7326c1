/**
 * `$Id$` in a blob in, the same with the blob's oid out. Git has two expansions that differ in odd
 * corners (convert.c): a stream's, for content that nothing else has to see whole, and a buffer's. A
 * foreign id (`$Id: file.c,v 1.2 2020 …$`) stays as it is in both.
 */
const DOLLAR = 0x24;
const COLON = 0x3a;
const LINE_FEED = 0x0a;
const LETTER_I = 0x49;
const LETTER_D = 0x64;

/** A character, no blank after it but a last one: git looks for a blank from the second on. */
const ID = /\$Id(?::(?:[^$\n][^ $\n]* ?)?)?\$/g;
/** As a C string: what stands behind a NUL does not make an id foreign. */
const FOREIGN = /^\$Id: [^\0]*?[ \t\n\r](?!\$)/;

/** ident_to_worktree(). */
export function expandIdent(content: Buffer, oid: string): Buffer {
  if (!content.includes('$Id')) return content;
  return Buffer.from(content.toString('latin1').replaceAll(ID, `$$Id: ${oid} $$`), 'latin1');
}

/**
 * ident_filter_fn(): a walk over its states, quirks included. Where `$I` or `$` turns out to be none,
 * the character that shows it is never the `$` of the next one; `$Idx` directly before a `$Id:…$`
 * that is expanded is lost.
 */
export function expandIdentStreamed(content: Buffer, oid: string): Buffer {
  const expanded = Buffer.from(`$Id: ${oid} $`);
  const pieces: Buffer[] = [];
  let copied = 0;
  /** Where git's buffer of what it holds back begins. */
  let held = 0;
  const replace = (from: number, to: number): void => {
    pieces.push(content.subarray(copied, from), expanded);
    copied = to;
  };
  for (let at = 0; ;) {
    const dollar = content.indexOf(DOLLAR, at);
    if (dollar === -1) break;
    if (dollar > at) held = dollar;
    const byte = content[dollar + 3];
    if (content[dollar + 1] !== LETTER_I) {
      at = held = dollar + 2;
    } else if (content[dollar + 2] !== LETTER_D) {
      at = held = dollar + 3;
    } else if (byte === DOLLAR) {
      at = dollar + 4;
      replace(dollar, at);
      held = at;
    } else if (byte === COLON) {
      const end = endOfId(content, dollar + 4);
      if (end === -1) break;
      if (content[end] === DOLLAR && !FOREIGN.test(content.toString('latin1', held, end + 1))) {
        replace(held, end + 1);
      }
      at = held = end + 1;
    } else if (byte === 0) {
      at = held = dollar + 5;
    } else {
      at = dollar + 4;
    }
  }
  pieces.push(content.subarray(copied));
  return pieces.length === 1 ? content : Buffer.concat(pieces);
}

/** Of the `$` or line feed that ends an id, or -1. */
function endOfId(content: Buffer, start: number): number {
  for (let at = start; at < content.length; at++) {
    if (content[at] === DOLLAR || content[at] === LINE_FEED) return at;
  }
  return -1;
}
