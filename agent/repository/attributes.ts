/**
 * gitattributes(5) of a path, as far as they change what a file's content is to Git: text, eol,
 * crlf, ident, filter, working-tree-encoding. Read from the worktree when a file asks for them; where a
 * `.gitattributes` is not there, deleted or left out by a sparse checkout, Git takes the index's.
 */
import { BUILT_IN_MACROS, parseAttributes } from '../checkout/attribute-lines.ts';
import type { Assignment } from '../checkout/attribute-lines.ts';
import { compilePattern } from '../checkout/path-pattern.ts';
import type { PathPattern } from '../checkout/path-pattern.ts';
import type { BytePath } from './byte-path.ts';
import { readBytesAsText } from './read-file.ts';
import type { Repository } from './repository.ts';

/** true: set; false: unset (`-text`); a string: a value. Unspecified ones are absent. */
export type Attributes = ReadonlyMap<string, string | boolean>;

/**
 * The text of the `.gitattributes` in that directory as the index has it, a byte a character; undefined
 * where it has none. @throws Doubt when the blob is missing.
 */
export type AttributesInIndex = (prefix: BytePath) => string | undefined;

export interface IndexedAttributes {
  /** Oid of the `.gitattributes` in that directory, as the index has it; undefined where it has none. */
  attributesOid(prefix: BytePath): string | undefined;
}

export function attributesIn(
  index: IndexedAttributes,
  readBlob: (oid: string) => Buffer,
): AttributesInIndex {
  return (prefix) => {
    const oid = index.attributesOid(prefix);
    return oid === undefined ? undefined : readBlob(oid).toString('latin1');
  };
}

interface AttributeLine {
  readonly pattern: PathPattern;
  readonly assignments: readonly Assignment[];
}

interface AttributeFile {
  readonly baseLength: number;
  /** The last line first: it decides. */
  readonly lines: readonly AttributeLine[];
  readonly text: string;
}

const BYTE_ORDER_MARK = /^\xef\xbb\xbf/;

export class AttributeReader {
  readonly #repository: Repository;
  readonly #inIndex: AttributesInIndex;
  readonly #macros = new Map(BUILT_IN_MACROS);
  readonly #files = new Map<BytePath, AttributeFile>();
  readonly #strongest: AttributeFile;
  readonly #weakest: AttributeFile | undefined;

  constructor(repository: Repository, inIndex: AttributesInIndex = () => undefined) {
    this.#repository = repository;
    this.#inIndex = inIndex;
    const { commondir, config, home } = repository;
    const own =
      config.path('core.attributesfile') ??
      (home === undefined ? undefined : `${home}/.config/git/attributes`);
    this.#weakest = own === undefined ? undefined : this.#readFile(own, 0);
    this.#strongest = this.#readFile(`${commondir}/info/attributes`, 0);
  }

  /** What the files for the whole worktree say: equal texts, equal attributes. */
  get sharedText(): string {
    return `${this.#strongest.text}\0${this.#weakest?.text ?? ''}`;
  }

  of(path: BytePath): Attributes {
    const found = new Map<string, string | boolean | null>();
    for (const file of this.#filesFor(path)) {
      const below = path.slice(file.baseLength);
      const name = path.slice(path.lastIndexOf('/') + 1);
      for (const { pattern, assignments } of file.lines) {
        if (pattern.negated || pattern.directoryOnly || !pattern.matches(below, name)) continue;
        for (const assignment of assignments.toReversed()) this.#assign(found, assignment, 0);
      }
    }
    const attributes = new Map<string, string | boolean>();
    for (const [name, value] of found) if (value !== null) attributes.set(name, value);
    return attributes;
  }

  /** The first assignment of a name stays; a macro that is set brings its own along. */
  #assign(
    found: Map<string, string | boolean | null>,
    { name, state }: Assignment,
    depth: number,
  ): void {
    if (found.has(name)) return;
    found.set(name, state);
    if (state !== true || depth > 10) return;
    for (const inner of this.#macros.get(name)?.toReversed() ?? [])
      this.#assign(found, inner, depth + 1);
  }

  /** Strongest first. */
  *#filesFor(path: BytePath): Generator<AttributeFile> {
    yield this.#strongest;
    for (let end = path.lastIndexOf('/') + 1; ; end = path.lastIndexOf('/', end - 2) + 1) {
      const prefix = path.slice(0, end);
      let file = this.#files.get(prefix);
      if (file === undefined) {
        const place = `${this.#repository.worktree}/${prefix}.gitattributes`;
        file = this.#readFile(place, prefix.length, () => this.#inIndex(prefix));
        this.#files.set(prefix, file);
      }
      yield file;
      if (end === 0) break;
    }
    if (this.#weakest !== undefined) yield this.#weakest;
  }

  #readFile(
    place: BytePath,
    baseLength: number,
    otherwise: () => string | undefined = () => undefined,
  ): AttributeFile {
    const lines: AttributeLine[] = [];
    const found = readBytesAsText(place, { noFollow: true }) ?? otherwise() ?? '';
    const text = found.replace(BYTE_ORDER_MARK, '');
    for (const { kind, subject, assignments } of parseAttributes(Buffer.from(text, 'latin1'))) {
      if (kind === 'pattern') lines.push({ pattern: compilePattern(subject), assignments });
      else if (baseLength === 0) this.#macros.set(subject, assignments);
    }
    return { baseLength, lines: lines.reverse(), text };
  }
}
