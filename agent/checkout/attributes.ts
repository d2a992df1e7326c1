/**
 * The .gitattributes of the tree that is checked out in, what to do with each file's content out:
 * gitattributes(5) as git reads it in a fresh clone, where there is no other source of attributes
 * and the configuration is git's default (core.autocrlf=false, native line ends are LF).
 */
import { CheckoutError } from '../errors.ts';
import { BUILT_IN_MACROS, parseAttributes } from './attribute-lines.ts';
import type { Assignment, AttributeState } from './attribute-lines.ts';
import { conversionOf } from './convert.ts';
import type { Conversion } from './convert.ts';
import { isDefaultEncoding } from './encoding.ts';
import { compilePattern } from './path-pattern.ts';
import type { PathPattern } from './path-pattern.ts';

/** Those that convert, or say that nothing is to be converted. */
const CONVERTING = new Set(['text', 'crlf', 'eol', 'ident', 'working-tree-encoding']);

/** Of all rules kept: a repository with 10,000 of them has 0.3 MB. */
const LIMIT_RULE_BYTES = 2 * 1024 * 1024;
const RULE_BYTES = 16;

/** Each pattern is compiled when the first path is held against it. */
interface Rule {
  readonly source: string;
  pattern: PathPattern | null;
  readonly assignments: readonly Assignment[];
}

interface AttributeFile {
  /** Of the directory's path with its slash: patterns see the path after it. */
  readonly baseLength: number;
  /** The last line first: it decides. */
  readonly rules: readonly Rule[];
}

/** One per checkout. */
export class Attributes {
  readonly #files = new Map<string, AttributeFile>();
  readonly #macros = new Map(BUILT_IN_MACROS);
  #converts = false;
  #ruleBytes = 0;
  /** Of the directory asked about last, deepest first. */
  #near: { readonly directory: string; readonly files: readonly AttributeFile[] } | null = null;

  /**
   * @param directory of the .gitattributes, '' for the root; bytes as latin1 with '/' between names,
   * none at the end. Directories are added parents first, each before its files are asked about.
   * @param content of the blob: a symlink's too, as git takes it when it checks out.
   * @throws PACK_LIMIT for more rules than memory is spent on.
   */
  addFile(directory: string, content: Buffer): void {
    const isRoot = directory === '';
    // Macros are defined at the top only, and hold for lines above them too; the last one wins.
    for (const { kind, subject, assignments } of isRoot ? parseAttributes(content) : []) {
      if (kind === 'macro') this.#macros.set(subject, assignments);
    }
    const rules: Rule[] = [];
    for (const { kind, subject, assignments } of parseAttributes(content)) {
      const kept = assignments.filter(({ name }) => CONVERTING.has(name) || this.#macros.has(name));
      if (kept.length === 0 || (kind === 'macro' && !isRoot)) continue;
      this.#count(subject, kept);
      if (kept.some(mayConvert)) this.#converts = true;
      if (kind === 'pattern') rules.push({ source: subject, pattern: null, assignments: kept });
    }
    if (rules.length === 0) return;
    const baseLength = isRoot ? 0 : directory.length + 1;
    this.#files.set(directory, { baseLength, rules: rules.reverse() });
    this.#near = null;
  }

  /** True while no attribute that changes content at checkout has been seen. */
  get empty(): boolean {
    return !this.#converts;
  }

  /** What to do with a blob at `path` (bytes as latin1), or null to write it as it is. */
  conversionFor(path: string): Conversion | null {
    if (!this.#converts) return null;
    const slash = path.lastIndexOf('/');
    const files = this.#filesOf(slash === -1 ? '' : path.slice(0, slash));
    if (files.length === 0) return null;
    const name = path.slice(slash + 1);
    const found = new Map<string, AttributeState>();
    for (const { baseLength, rules } of files) {
      const below = path.slice(baseLength);
      for (const rule of rules) {
        const pattern = (rule.pattern ??= compilePattern(rule.source));
        if (pattern.directoryOnly || !pattern.matches(below, name)) continue;
        this.#assign(found, rule.assignments);
      }
    }
    return found.size === 0 ? null : conversionOf(found);
  }

  /** The last assignment comes first, and the first of a name stays; a macro brings its own along. */
  #assign(found: Map<string, AttributeState>, assignments: readonly Assignment[]): void {
    const stack = [...assignments];
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      if (found.has(next.name)) continue;
      found.set(next.name, next.state);
      if (next.state === true) stack.push(...(this.#macros.get(next.name) ?? []));
    }
  }

  #filesOf(directory: string): readonly AttributeFile[] {
    if (this.#near?.directory === directory) return this.#near.files;
    const files: AttributeFile[] = [];
    for (let prefix = directory; ; prefix = prefix.slice(0, Math.max(0, prefix.lastIndexOf('/')))) {
      const file = this.#files.get(prefix);
      if (file !== undefined) files.push(file);
      if (prefix === '') break;
    }
    this.#near = { directory, files };
    return files;
  }

  #count(pattern: string, assignments: readonly Assignment[]): void {
    this.#ruleBytes += pattern.length + assignments.length * RULE_BYTES;
    if (this.#ruleBytes <= LIMIT_RULE_BYTES) return;
    throw new CheckoutError(
      'PACK_LIMIT',
      `the .gitattributes hold more than ${LIMIT_RULE_BYTES} bytes of rules`,
    );
  }
}

/** Other assignments at most keep something from being converted. */
function mayConvert({ name, state }: Assignment): boolean {
  if (name === 'eol') return state === 'crlf';
  if (name === 'ident') return state === true;
  return name === 'working-tree-encoding' && typeof state === 'string' && !isDefaultEncoding(state);
}
