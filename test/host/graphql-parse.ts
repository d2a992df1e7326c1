/**
 * A GraphQL document in, operations and fragments out: the part of the language that gh's queries
 * use (October 2021 specification, section 2), without subscriptions and type system.
 */
export type Literal =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'list'; readonly items: readonly Literal[] }
  | { readonly kind: 'object'; readonly fields: ReadonlyMap<string, Literal> };

export type Arguments = ReadonlyMap<string, Literal>;

export interface Directive {
  readonly name: string;
  readonly args: Arguments;
}

export type Selection =
  | {
      readonly kind: 'field';
      readonly name: string;
      readonly alias: string;
      readonly args: Arguments;
      readonly directives: readonly Directive[];
      readonly selections: readonly Selection[] | null;
    }
  | {
      readonly kind: 'inline';
      readonly type: string | null;
      readonly directives: readonly Directive[];
      readonly selections: readonly Selection[];
    }
  | { readonly kind: 'spread'; readonly name: string; readonly directives: readonly Directive[] };

export interface Operation {
  readonly type: 'query' | 'mutation';
  readonly name: string | null;
  readonly defaults: ReadonlyMap<string, Literal>;
  readonly selections: readonly Selection[];
}

export interface Document {
  readonly operations: readonly Operation[];
  readonly fragments: ReadonlyMap<
    string,
    { readonly type: string; readonly selections: readonly Selection[] }
  >;
}

const TOKEN =
  /[\s,\uFEFF]+|#[^\n]*|(\.\.\.|[!$&()[\]{}:=@|])|([A-Za-z_]\w*)|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|("""[\s\S]*?"""|"(?:[^"\\\n]|\\.)*")/y;

function tokenise(source: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < source.length) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(source);
    if (match === null) throw new SyntaxError(`unexpected ${source[at] ?? ''} at ${at}`);
    const token = match[1] ?? match[2] ?? match[3] ?? match[4];
    if (token !== undefined) tokens.push(token);
  }
  return tokens;
}

export function parseDocument(source: string): Document {
  const parser = new Parser(tokenise(source));
  const operations: Operation[] = [];
  const fragments = new Map<string, { type: string; selections: readonly Selection[] }>();
  while (!parser.atEnd) {
    if (parser.take('fragment')) {
      const name = parser.name();
      parser.expect('on');
      fragments.set(name, { type: parser.name(), selections: parser.selectionSet() });
    } else {
      operations.push(parser.operation());
    }
  }
  return { operations, fragments };
}

class Parser {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens;
  }

  get atEnd(): boolean {
    return this.#at >= this.#tokens.length;
  }

  get #next(): string {
    return this.#tokens[this.#at] ?? '';
  }

  take(token: string): boolean {
    if (this.#next !== token) return false;
    this.#at += 1;
    return true;
  }

  expect(token: string): void {
    if (!this.take(token)) throw new SyntaxError(`expected ${token}, got ${this.#next}`);
  }

  name(): string {
    const token = this.#next;
    if (!/^[A-Za-z_]/.test(token)) throw new SyntaxError(`expected a name, got ${token}`);
    this.#at += 1;
    return token;
  }

  operation(): Operation {
    const defaults = new Map<string, Literal>();
    if (this.#next === '{') {
      return { type: 'query', name: null, defaults, selections: this.selectionSet() };
    }
    const type = this.name();
    if (type !== 'query' && type !== 'mutation') throw new SyntaxError(`unexpected ${type}`);
    const name = /^[A-Za-z_]/.test(this.#next) ? this.name() : null;
    if (this.take('(')) while (!this.take(')')) this.#variable(defaults);
    this.#directives();
    return { type, name, defaults, selections: this.selectionSet() };
  }

  #variable(defaults: Map<string, Literal>): void {
    this.expect('$');
    const name = this.name();
    this.expect(':');
    this.#type();
    if (this.take('=')) defaults.set(name, this.#literal());
  }

  #type(): void {
    if (this.take('[')) {
      this.#type();
      this.expect(']');
    } else {
      this.name();
    }
    this.take('!');
  }

  selectionSet(): Selection[] {
    const selections: Selection[] = [];
    this.expect('{');
    while (!this.take('}')) selections.push(this.#selection());
    return selections;
  }

  #selection(): Selection {
    if (this.take('...')) return this.#fragment();
    const first = this.name();
    const name = this.take(':') ? this.name() : first;
    const args = this.#arguments();
    const directives = this.#directives();
    const selections = this.#next === '{' ? this.selectionSet() : null;
    return { kind: 'field', name, alias: first, args, directives, selections };
  }

  #fragment(): Selection {
    if (/^[A-Za-z_]/.test(this.#next) && this.#next !== 'on') {
      return { kind: 'spread', name: this.name(), directives: this.#directives() };
    }
    const type = this.take('on') ? this.name() : null;
    const directives = this.#directives();
    return { kind: 'inline', type, directives, selections: this.selectionSet() };
  }

  #directives(): Directive[] {
    const directives: Directive[] = [];
    while (this.take('@')) directives.push({ name: this.name(), args: this.#arguments() });
    return directives;
  }

  #arguments(): Map<string, Literal> {
    const args = new Map<string, Literal>();
    if (!this.take('(')) return args;
    while (!this.take(')')) {
      const name = this.name();
      this.expect(':');
      args.set(name, this.#literal());
    }
    return args;
  }

  #literal(): Literal {
    if (this.take('$')) return { kind: 'variable', name: this.name() };
    if (this.take('[')) {
      const items: Literal[] = [];
      while (!this.take(']')) items.push(this.#literal());
      return { kind: 'list', items };
    }
    if (this.take('{')) {
      const fields = new Map<string, Literal>();
      while (!this.take('}')) {
        const name = this.name();
        this.expect(':');
        fields.set(name, this.#literal());
      }
      return { kind: 'object', fields };
    }
    return { kind: 'value', value: this.#scalar() };
  }

  #scalar(): unknown {
    const token = this.#next;
    this.#at += 1;
    if (token.startsWith('"""')) return token.slice(3, -3);
    if (token.startsWith('"') || /^-?\d/.test(token)) return JSON.parse(token) as unknown;
    if (token === 'true' || token === 'false') return token === 'true';
    if (token === 'null') return null;
    if (/^[A-Za-z_]/.test(token)) return token;
    throw new SyntaxError(`expected a value, got ${token}`);
  }
}
