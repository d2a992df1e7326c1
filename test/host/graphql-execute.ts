/**
 * A parsed GraphQL document and a root object in, a GraphQL answer out. Objects are plain records
 * whose fields are values or functions of their arguments; a field that an object lacks is refused
 * as GitHub refuses it, so that an unanswered question is seen and not papered over.
 */
import type { Arguments, Directive, Document, Literal, Selection } from './graphql-parse.ts';

export type Args = Readonly<Record<string, unknown>>;
export type Resolver = (args: Args) => unknown;

/** An object of the schema. `__typename` names its type; `__interfaces` what else it counts as. */
export interface SchemaObject {
  readonly __typename: string;
  readonly [field: string]: unknown;
}

/** A refusal of one field: the field becomes null and the error stands beside the data. */
export class FieldError extends Error {
  readonly type: string;

  constructor(type: string, message: string) {
    super(message);
    this.type = type;
  }
}

class UndefinedField extends Error {}

interface ErrorEntry {
  readonly type?: string;
  readonly path?: readonly (string | number)[];
  readonly message: string;
}

export interface GraphqlAnswer {
  readonly data?: unknown;
  readonly errors?: readonly ErrorEntry[];
}

export async function execute(
  document: Document,
  variables: Readonly<Record<string, unknown>>,
  roots: { readonly query: SchemaObject; readonly mutation: SchemaObject },
): Promise<GraphqlAnswer> {
  const operation = document.operations[0];
  if (operation === undefined)
    return { errors: [{ message: 'A query attribute must be specified' }] };
  const scope = new Map<string, unknown>();
  for (const [name, literal] of operation.defaults) scope.set(name, valueOf(literal, scope));
  for (const [name, value] of Object.entries(variables)) scope.set(name, value);
  const errors: ErrorEntry[] = [];
  const run = new Execution(document, scope, errors);
  try {
    const data = await run.object(roots[operation.type], operation.selections, []);
    return errors.length > 0 ? { data, errors } : { data };
  } catch (error) {
    if (!(error instanceof UndefinedField)) throw error;
    return { errors: [{ message: error.message }] };
  }
}

type Path = readonly (string | number)[];
type Field = Extract<Selection, { kind: 'field' }>;

class Execution {
  readonly #document: Document;
  readonly #scope: ReadonlyMap<string, unknown>;
  readonly #errors: ErrorEntry[];

  constructor(document: Document, scope: ReadonlyMap<string, unknown>, errors: ErrorEntry[]) {
    this.#document = document;
    this.#scope = scope;
    this.#errors = errors;
  }

  async object(
    source: SchemaObject,
    selections: readonly Selection[],
    path: Path,
  ): Promise<Record<string, unknown>> {
    const fields = new Map<string, Field[]>();
    this.#collect(source.__typename, selections, fields);
    const answer: Record<string, unknown> = {};
    for (const [alias, same] of fields) {
      answer[alias] = await this.#field(source, same, [...path, alias]);
    }
    return answer;
  }

  #collect(type: string, selections: readonly Selection[], into: Map<string, Field[]>): void {
    for (const selection of selections) {
      if (!this.#included(selection.directives)) continue;
      if (selection.kind === 'field') {
        into.set(selection.alias, [...(into.get(selection.alias) ?? []), selection]);
        continue;
      }
      const fragment =
        selection.kind === 'inline' ? selection : this.#document.fragments.get(selection.name);
      if (fragment === undefined) throw new UndefinedField('Fragment was used, but not defined');
      if (fragment.type === null || fragment.type === type) {
        this.#collect(type, fragment.selections, into);
      }
    }
  }

  #included(directives: readonly Directive[]): boolean {
    return directives.every(({ name, args }) => {
      const condition = this.#args(args)['if'] === true;
      return name === 'include' ? condition : name !== 'skip' || !condition;
    });
  }

  async #field(source: SchemaObject, same: readonly Field[], path: Path): Promise<unknown> {
    const { name, args } = same[0]!;
    if (!(name in source)) {
      throw new UndefinedField(`Field '${name}' doesn't exist on type '${source.__typename}'`);
    }
    const value = source[name];
    try {
      const resolved: unknown = await (typeof value === 'function'
        ? (value as Resolver).call(source, this.#args(args))
        : value);
      return await this.#complete(resolved, same, path);
    } catch (error) {
      if (!(error instanceof FieldError)) throw error;
      this.#errors.push({ type: error.type, path, message: error.message });
      return null;
    }
  }

  async #complete(value: unknown, same: readonly Field[], path: Path): Promise<unknown> {
    if (value === null || value === undefined || typeof value !== 'object') return value ?? null;
    if (Array.isArray(value)) {
      const items: unknown[] = [];
      for (const item of value)
        items.push(await this.#complete(item, same, [...path, items.length]));
      return items;
    }
    const selections = same.flatMap((field) => field.selections ?? []);
    return this.object(value as SchemaObject, selections, path);
  }

  #args(args: Arguments): Args {
    return Object.fromEntries([...args].map(([name, each]) => [name, valueOf(each, this.#scope)]));
  }
}

function valueOf(literal: Literal, scope: ReadonlyMap<string, unknown>): unknown {
  switch (literal.kind) {
    case 'value':
      return literal.value;
    case 'variable':
      return scope.get(literal.name) ?? null;
    case 'list':
      return literal.items.map((item) => valueOf(item, scope));
    case 'object':
      return Object.fromEntries(
        [...literal.fields].map(([name, field]) => [name, valueOf(field, scope)]),
      );
  }
}
