/**
 * git-config(1) files in, the few keys that matter to the ledger out. Tolerant: a line that Git
 * would reject is skipped. Nothing that a configuration names is ever run.
 */
import type { BytePath } from './byte-path.ts';
import { readBytesAsText } from './read-file.ts';

const INCLUDE_DEPTH_LIMIT = 10;
const SECTION = /^\[\s*([A-Za-z0-9.-]+)(?:\s+"((?:[^"\\]|\\.)*)")?\s*\]/;
const KEY = /^([A-Za-z][A-Za-z0-9-]*)\s*(=?)/;

export class GitConfig {
  /** `section.subsection.key`, section and key in lower case → the last value. */
  readonly #values = new Map<string, string>();
  readonly #home: BytePath | undefined;

  constructor(home?: BytePath) {
    this.#home = home;
  }

  get(key: string): string | undefined {
    return this.#values.get(key);
  }

  /** Each key with its last value, in the order in which they first came. */
  entries(): IterableIterator<[key: string, value: string]> {
    return this.#values.entries();
  }

  /** As git_config_bool: a key without value is true; undefined when unset or not a boolean. */
  bool(key: string): boolean | undefined {
    const value = this.#values.get(key)?.toLowerCase();
    if (value === undefined) return undefined;
    if (['true', 'yes', 'on'].includes(value)) return true;
    if (['false', 'no', 'off', ''].includes(value)) return false;
    const number = Number.parseInt(value, 10);
    return Number.isNaN(number) ? undefined : number !== 0;
  }

  /** A path value with `~/` expanded; undefined when unset, or when it needs a home that is not known. */
  path(key: string): BytePath | undefined {
    const value = this.get(key);
    return value === undefined || value === '' ? undefined : this.#expand(value);
  }

  /** Equal for two readings that say the same. */
  get fingerprint(): string {
    return JSON.stringify([...this.#values]);
  }

  /** As read(), without the files that it includes. */
  readAlone(file: BytePath): void {
    this.read(file, INCLUDE_DEPTH_LIMIT);
  }

  /** Reads a file on top of what is there; a missing one is empty. */
  read(file: BytePath, depth = 0): void {
    const text = readBytesAsText(file);
    if (text === undefined) return;
    let prefix = '';
    for (const line of logicalLines(text)) {
      let rest = line.trim();
      const section = SECTION.exec(rest);
      if (section !== null) {
        const [header, name = '', subsection] = section;
        const lower = name.toLowerCase();
        prefix =
          subsection === undefined ? lower : `${lower}.${subsection.replace(/\\(.)/g, '$1')}`;
        rest = rest.slice(header.length).trim();
      }
      const entry = KEY.exec(rest);
      if (entry === null) continue;
      const [matched, name = '', equals] = entry;
      const value = equals === '=' ? parseValue(rest.slice(matched.length)) : 'true';
      this.#set(`${prefix}.${name.toLowerCase()}`, value, file, depth);
    }
  }

  #set(key: string, value: string, file: BytePath, depth: number): void {
    this.#values.set(key, value);
    if (key !== 'include.path' || depth >= INCLUDE_DEPTH_LIMIT) return;
    const included = this.#expand(value);
    if (included === undefined) return;
    const base = file.slice(0, file.lastIndexOf('/') + 1);
    this.read(included.startsWith('/') ? included : base + included, depth + 1);
  }

  #expand(value: string): BytePath | undefined {
    if (!value.startsWith('~')) return value;
    return value.startsWith('~/') && this.#home !== undefined
      ? this.#home + value.slice(1)
      : undefined;
  }
}

/** Lines with those that end in a backslash joined to the next. */
function logicalLines(text: string): string[] {
  return text.replace(/\r\n/g, '\n').replace(/\\\n/g, '').split('\n');
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', b: '\b' };

/** Quotes removed, escapes resolved, comments and blanks around cut off. */
function parseValue(source: string): string {
  let value = '';
  let keepTo = 0;
  let quoted = false;
  const text = source.trimStart();
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === '"') {
      quoted = !quoted;
      keepTo = value.length;
    } else if (char === '\\') {
      const next = text.charAt(++at);
      value += ESCAPES[next] ?? next;
      keepTo = value.length;
    } else if (!quoted && (char === '#' || char === ';')) {
      break;
    } else {
      value += char;
      if (quoted || !/\s/.test(char)) keepTo = value.length;
    }
  }
  return value.slice(0, keepTo);
}
