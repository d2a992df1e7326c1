/** Copies of one template for the tests of a file; each is removed after its test. */
import { rmSync } from 'node:fs';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { copyTemplate, createTemplate } from './scratch-repository.ts';
import type { ScratchRepository } from './scratch-repository.ts';

export interface FreshRepositories {
  /** There once the first test runs. */
  readonly template: string;
  fresh(): ScratchRepository;
}

/** To be called where a file's own beforeAll() would stand. */
export function freshRepositories(): FreshRepositories {
  let template = '';
  const open: ScratchRepository[] = [];
  beforeAll(() => {
    template = createTemplate();
  });
  afterAll(() => {
    rmSync(template, { recursive: true, force: true });
  });
  afterEach(() => {
    for (const repository of open.splice(0)) repository.remove();
  });
  return {
    get template() {
      return template;
    },
    fresh() {
      const repository = copyTemplate(template);
      open.push(repository);
      return repository;
    },
  };
}
