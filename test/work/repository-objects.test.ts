import { rmSync } from 'node:fs';
import { runInNewContext } from 'node:vm';
import { setFlagsFromString } from 'node:v8';
import { expect, test } from 'vitest';
import { toBytePath } from '../../agent/repository/byte-path.ts';
import { openRepository } from '../../agent/repository/repository.ts';
import { RepositoryObjects } from '../../agent/work/repository-objects.ts';
import { copyTemplate, createTemplate } from './scratch-repository.ts';

const OBJECTS = 600;

test('between readings no memory is kept for objects that were read', () => {
  const template = createTemplate();
  const repository = copyTemplate(template);
  for (let n = 0; n < OBJECTS; n++) repository.write(`many/${n}`, `${n}\n`);
  repository.git('add', 'many');
  repository.git('commit', '-q', '-m', 'many');
  repository.git('repack', '-adq');
  const listed = repository.git('ls-files', '-s', 'many').split('\n').filter(Boolean);
  const oids = listed.map((line) => line.slice(7, 47));
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const held = (): number => {
    collect();
    return process.memoryUsage().arrayBuffers;
  };
  const objects = new RepositoryObjects();
  const store = objects.of(openRepository(toBytePath(repository.worktree)));
  store.read(oids[0]!);
  const before = held();
  for (const oid of oids) {
    store.read(oid);
    // Others use the slabs that small objects lie in, too.
    Buffer.allocUnsafe(4_000);
  }
  const full = held() - before;
  objects.rest();
  expect(full).toBeGreaterThan(OBJECTS * 1_000);
  expect(held() - before).toBeLessThan(full / 4);
  objects.close();
  repository.remove();
  rmSync(template, { recursive: true });
});
