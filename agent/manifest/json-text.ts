/**
 * Reads JSON text (RFC 8259) for what JSON.parse cannot say: where the syntax breaks, without
 * quoting the text (its messages do, and the text holds tokens), and which keys stand twice.
 * Invariant: text that passes here is text that JSON.parse accepts.
 */
import { pointerTo } from './faults.ts';
import type { Fault } from './faults.ts';

const DEPTH_LIMIT = 64;
/** Shorter than any token, so that a key may be shown. */
const SHOWABLE_KEY = /^[\w.-]{1,31}$/;
const NUMBER_OR_WORD = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;

/** The first syntax fault alone, or one fault for each key that repeats; none when all is well. */
export function findJsonFaults(text: string): Fault[] {
  const { syntaxFault, repeatedKeys } = scan(text);
  return syntaxFault === null ? repeatedKeys : [{ pointer: '', message: syntaxFault }];
}

/** False for text that breaks off, such as a file that is still being written. */
export function isJson(text: string): boolean {
  return scan(text).syntaxFault === null;
}

function scan(text: string): { syntaxFault: string | null; repeatedKeys: Fault[] } {
  const scanner = new JsonScanner(text);
  try {
    scanner.document();
  } catch (error) {
    if (!(error instanceof JsonSyntaxFault)) throw error;
    return { syntaxFault: error.message, repeatedKeys: [] };
  }
  return { syntaxFault: null, repeatedKeys: scanner.repeatedKeys };
}

class JsonSyntaxFault extends Error {}

class JsonScanner {
  readonly repeatedKeys: Fault[] = [];
  readonly #text: string;
  readonly #path: (string | number)[] = [];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): void {
    this.#value();
    if (this.#at < this.#text.length) this.#fail('the end');
  }

  #value(): void {
    this.#space();
    const first = this.#text[this.#at];
    if (first === '{') this.#object();
    else if (first === '[') this.#array();
    else if (first === '"') this.#string();
    else this.#match(NUMBER_OR_WORD, 'a value');
    this.#space();
  }

  #object(): void {
    this.#enter();
    const keys = new Set<string>();
    if (this.#take('}')) return;
    do {
      this.#space();
      if (this.#text[this.#at] !== '"') this.#fail('a key in double quotes');
      const key = this.#string();
      if (keys.has(key)) this.#repeated(key);
      keys.add(key);
      this.#space();
      if (!this.#take(':')) this.#fail('":"');
      this.#path.push(key);
      this.#value();
      this.#path.pop();
    } while (this.#take(','));
    if (!this.#take('}')) this.#fail('"," or "}"');
  }

  #array(): void {
    this.#enter();
    if (this.#take(']')) return;
    let index = 0;
    do {
      this.#path.push(index++);
      this.#value();
      this.#path.pop();
    } while (this.#take(','));
    if (!this.#take(']')) this.#fail('"," or "]"');
  }

  #enter(): void {
    if (this.#path.length >= DEPTH_LIMIT) this.#fail(`at most ${DEPTH_LIMIT} levels`);
    this.#at++;
    this.#space();
  }

  /** The string at the cursor, decoded. */
  #string(): string {
    const start = this.#at++;
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === 0x22) break;
      if (code === 0x5c) this.#match(ESCAPE, 'an escape sequence of JSON');
      else if (code >= 0x20) this.#at++;
      else this.#fail('a closing double quote');
    }
    return JSON.parse(this.#text.slice(start, ++this.#at)) as string;
  }

  #space(): void {
    while (' \t\n\r'.includes(this.#text[this.#at] ?? 'end')) this.#at++;
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #match(pattern: RegExp, expected: string): void {
    pattern.lastIndex = this.#at;
    if (!pattern.test(this.#text)) this.#fail(expected);
    this.#at = pattern.lastIndex;
  }

  #repeated(key: string): void {
    const shown = [...this.#path, key].every((part) => SHOWABLE_KEY.test(String(part)));
    this.repeatedKeys.push({
      pointer: shown ? pointerTo([...this.#path, key]) : '',
      message: shown ? 'the key stands twice' : 'a key stands twice somewhere in the document',
    });
  }

  #fail(expected: string): never {
    const before = this.#text.slice(0, this.#at).split('\n');
    const column = (before.at(-1)?.length ?? 0) + 1;
    const found = this.#at < this.#text.length ? 'something else' : 'the end of the file';
    throw new JsonSyntaxFault(
      `not JSON: expected ${expected}, got ${found} at line ${before.length}, column ${column}`,
    );
  }
}
