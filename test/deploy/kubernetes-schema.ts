/**
 * A Kubernetes object against its published schema, twice: what is there has the right form (the JSON
 * schema), and nothing is there that the schema does not know (the types), as an API server sees it.
 */
import { fileURLToPath } from 'node:url';
import { Job } from 'kubernetes-models/batch/v1/Job';
import { Pod } from 'kubernetes-models/v1/Pod';
import { Secret } from 'kubernetes-models/v1/Secret';
import ts from 'typescript';

const MODELS = {
  Pod: { model: Pod, from: 'kubernetes-models/v1/Pod' },
  Job: { model: Job, from: 'kubernetes-models/batch/v1/Job' },
  Secret: { model: Secret, from: 'kubernetes-models/v1/Secret' },
} as const;

export type Kind = keyof typeof MODELS;

export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: Kind;
}

/** @returns what is wrong, in the words of the schema. */
export function faultsOf(objects: readonly KubernetesObject[]): string[] {
  return [...objects.flatMap(formFaults), ...unknownFields(objects)];
}

function formFaults(object: KubernetesObject): string[] {
  const Model = MODELS[object.kind].model as new (data: unknown) => { validate(): void };
  try {
    new Model(object).validate();
    return [];
  } catch (error) {
    return [String(error)];
  }
}

function unknownFields(objects: readonly KubernetesObject[]): string[] {
  const text = objects
    .map((object, at) => {
      const type = `import('${MODELS[object.kind].from}').I${object.kind}`;
      return `export const object${at}: ${type} = ${JSON.stringify(object)};`;
    })
    .join('\n');
  // Beside this file, so that the types are found as from here.
  const name = fileURLToPath(new URL('objects-under-test.ts', import.meta.url));
  const options: ts.CompilerOptions = {
    noEmit: true,
    strict: true,
    skipLibCheck: true,
    types: [],
    lib: ['lib.es2015.d.ts'],
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
  };
  const host = ts.createCompilerHost(options);
  const getSourceFile = host.getSourceFile.bind(host);
  host.getSourceFile = (path, ...rest) =>
    path === name ? ts.createSourceFile(path, text, rest[0]) : getSourceFile(path, ...rest);
  const fileExists = host.fileExists.bind(host);
  host.fileExists = (path) => path === name || fileExists(path);
  const program = ts.createProgram([name], options, host);
  const file = program.getSourceFile(name);
  return program
    .getSemanticDiagnostics(file)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '));
}
