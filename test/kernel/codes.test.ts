/** The kernel shares no source with TypeScript: what both sides name with a number is held together here. */
import { describe, expect, it } from 'vitest';
import { STATE } from '../../agent/checkout/node-table.ts';
import { OBJECT_TYPE } from '../../agent/pack/entry-header.ts';
import { readSources } from '../sources.ts';

const sources = readSources();

/** Those of a file that are a number, by name. */
function constantsOf(path: string): Map<string, number> {
  const pattern = /^(?:export )?const ([A-Z_]+)(?:: \w+)? = (-?\w+);/gm;
  const found = [...(sources.get(path) ?? '').matchAll(pattern)];
  const numbers = found.map(([, name = '', value]): [string, number] => [name, Number(value)]);
  return new Map(numbers.filter(([, value]) => Number.isSafeInteger(value)));
}

/** The names of a kernel's file that other files may use. */
function exportsOf(path: string): string[] {
  const found = [...(sources.get(path) ?? '').matchAll(/^export const ([A-Z_]+)\b/gm)];
  return found.map(([, name = '']) => name);
}

function pick(constants: ReadonlyMap<string, number>, names: readonly string[]): object {
  return Object.fromEntries(names.map((name) => [name, constants.get(name)]));
}

describe('a number with a name is the same for the kernel and for TypeScript', () => {
  it.each([
    ['agent/kernel/scanner.ts', 'agent/pack/entry-scanner.ts', []],
    ['agent/kernel/resolver.ts', 'agent/pack/arrival-resolver.ts', []],
    // A mark, and kinds of entries, that the kernel writes and reads alone.
    [
      'agent/kernel/entry-ring.ts',
      'agent/pack/arrival-resolver.ts',
      ['FRONT', 'WHOLE', 'DELTA', 'MADE'],
    ],
    ['agent/kernel/content-ring.ts', 'agent/pack/object-hash.ts', []],
    // Whatever is neither of the others.
    ['agent/kernel/plan.ts', 'agent/checkout/plan.ts', ['PLAN_FULL']],
  ])('all that %s shows, in %s', (kernelPath, path, kernelOnly: string[]) => {
    const names = exportsOf(kernelPath).filter((name) => !kernelOnly.includes(name));
    const inKernel = pick(constantsOf(kernelPath), names);
    expect(names.length).toBeGreaterThan(1);
    expect(Object.values(inKernel).every(Number.isSafeInteger)).toBe(true);
    expect(pick(constantsOf(path), names)).toEqual(inKernel);
  });

  it('what stands in the columns of the entry table', () => {
    const inKernel = constantsOf('agent/kernel/table.ts');
    const bases = ['NO_BASE', 'BASE_BY_OID'];
    expect(pick(constantsOf('agent/pack/entry-table.ts'), bases)).toEqual(pick(inKernel, bases));
    const types = ['COMMIT', 'TREE', 'BLOB', 'TAG', 'OFS_DELTA', 'REF_DELTA'];
    const { commit, tree, blob, tag, ofsDelta, refDelta } = OBJECT_TYPE;
    expect([commit, tree, blob, tag, ofsDelta, refDelta]).toEqual(
      Object.values(pick(inKernel, types)),
    );
  });

  it('the cells and marks of an entry ring', () => {
    const inKernel = constantsOf('agent/kernel/entry-ring.ts');
    const ours = constantsOf('agent/pack/entry-ring.ts');
    expect(ours.get('UNIT')).toBe(inKernel.get('UNIT'));
    for (const name of ['HEAD', 'TAIL', 'READER_SLEEPS', 'WRITER_SLEEPS', 'SENT', 'TAKEN']) {
      // Here words are counted, there bytes.
      expect(ours.get(name)! * 4, name).toBe(inKernel.get(name));
    }
    const marks = `{ message: ${inKernel.get('MESSAGE')}, end: ${inKernel.get('END')} }`;
    expect(sources.get('agent/pack/entry-ring.ts')).toContain(`const MARK = ${marks} as const;`);
  });

  it('where a planned file stands', () => {
    const files = constantsOf('agent/kernel/files.ts');
    const names = ['MISSING', 'CLAIMED', 'WRITTEN', 'LFS_POINTER'];
    expect(Object.values(STATE)).toEqual(Object.values(pick(files, names)));
    expect(constantsOf('agent/checkout/node-table.ts').get('MADE')).toBe(files.get('MADE'));
  });

  it('where a directory keeps what is known of its tree', () => {
    const nodes = constantsOf('agent/kernel/nodes.ts');
    const walk = constantsOf('agent/kernel/checkout.ts');
    const ours = constantsOf('agent/checkout/node-table.ts');
    for (const name of ['FIRST_AT', 'COUNT_AT', 'OID_AT']) {
      expect(ours.get(name), name).toBe(nodes.get(name));
    }
    expect(ours.get('BELOW_AT')).toBe(nodes.get('WALK_AT')! + walk.get('BELOW')!);
    expect(ours.get('BITS_AT')).toBe(nodes.get('WALK_AT')! + walk.get('BITS')!);
    for (const name of ['CHANGED', 'INVALID']) expect(ours.get(name), name).toBe(walk.get(name));
  });

  it('a scan also comes back with what the resolver does, and each has a number of its own', () => {
    const found = ['scanner', 'resolver'].flatMap((name) => {
      const path = `agent/kernel/${name}.ts`;
      return exportsOf(path).map((each) => constantsOf(path).get(each)!);
    });
    const [zeros, others] = [found.filter((code) => code === 0), found.filter(Boolean)];
    expect(zeros).toHaveLength(2);
    expect(new Set(others).size).toBe(others.length);
  });
});
