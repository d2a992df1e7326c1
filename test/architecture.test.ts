import { dirname, posix } from 'node:path';
import { expect, it } from 'vitest';
import { readSources } from './sources.ts';

const LINE_LIMIT = 250;
/** Files that are longer, each with the reason why that is better than two files. */
const LONGER: Readonly<Record<string, string>> = {
  'agent/checkout/index-reader.ts': 'one file format, whose versions and extensions share a cursor',
  'agent/errors.ts': 'one table of every code, read from top to bottom',
};
const PROCESS_OWNERS = ['agent/main.ts', 'agent/start-main.ts', 'agent/job-worker.ts'];

const FLOOR =
  'error-report errors garbage host job-message job-process job-start job-worker lifetime log mount-key own-files plain-text progress rescue-note resource status token version waiting watch-report'.split(
    ' ',
  );
const FORMATS = ['pack', 'checkout', 'repository'];
/** Above the floor and each of the formats. */
const STEP_RANK = FORMATS.length + 1;
const STEPS = 'manifest mounts clone credentials work rescue health entrypoint terminal'.split(' ');

const sources = readSources();

/** Where a file stands; imports go from a higher rank to a lower one, or stay in their own room. */
function placeOf(path: string): { rank: number; room: string } {
  const [, room = '', inner] = path.replace(/\.ts$/, '').split('/');
  if (inner === undefined && FLOOR.includes(room)) return { rank: 0, room: 'floor' };
  if (FORMATS.includes(room)) return { rank: 1 + FORMATS.indexOf(room), room };
  if (STEPS.includes(room)) return { rank: STEP_RANK, room };
  // Nothing of it is loaded by Node: agent/pack/kernel.ts reads what it is compiled to.
  if (isKernel(path)) return { rank: 0, room: 'kernel' };
  return { rank: STEP_RANK + (path === 'agent/main.ts' ? 2 : 1), room: 'top' };
}

function isKernel(path: string): boolean {
  return path.startsWith('agent/kernel/');
}

interface Import {
  readonly from: string;
  readonly to: string;
  readonly isType: boolean;
}

const imports: readonly Import[] = [...sources].flatMap(([from, text]) => {
  const pattern = /^(?:import|export)\s(type\s)?[^;]*?from\s'(\.[^']*)'|import\('(\.[^']*)'\)/gm;
  return [...text.matchAll(pattern)].map(([, type, path, dynamic]) => ({
    from,
    // AssemblyScript wants no file endings.
    to: posix.join(dirname(from), path ?? dynamic ?? '') + (isKernel(from) ? '.ts' : ''),
    isType: type !== undefined,
  }));
});

it('imports run from main over boot and the steps to the formats and the floor', () => {
  const wrong = imports.filter(({ from, to, isType }) => {
    const [importer, imported] = [placeOf(from), placeOf(to)];
    if (importer.room === imported.room) return false;
    const isStepType = isType && importer.rank === STEP_RANK && imported.rank === STEP_RANK;
    return importer.rank <= imported.rank && !isStepType;
  });
  expect(wrong.map(({ from, to }) => `${from} → ${to}`)).toEqual([]);
  expect(imports.length).toBeGreaterThan(sources.size);
  for (const { from, to } of imports) expect(sources.has(to), `${from} → ${to}`).toBe(true);
});

it('the kernel is a program of its own, which only agent/pack uses, through one file', () => {
  const crossing = imports.filter(({ from, to }) => isKernel(from) !== isKernel(to));
  expect(crossing).toEqual([]);
  const readers = [...sources].filter(([, text]) => text.includes("'kernel.wasm'"));
  expect(readers.map(([path]) => path)).toEqual(['agent/pack/kernel.ts']);
  const users = imports.filter(({ to, isType }) => to === 'agent/pack/kernel.ts' && !isType);
  expect(users.filter(({ from }) => !from.startsWith('agent/pack/'))).toEqual([]);
});

it('each file opens with a comment on what it is', () => {
  const silent = [...sources].filter(([, text]) => !text.startsWith('/**'));
  expect(silent.map(([path]) => path)).toEqual([]);
});

it('no file imports itself over others (types aside: they are gone when the code is loaded)', () => {
  const loaded = imports.filter(({ isType }) => !isType);
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    expect(trail, [...trail, path].join(' → ')).not.toContain(path);
    if (done.has(path)) return;
    for (const { to } of loaded.filter(({ from }) => from === path)) visit(to, [...trail, path]);
    done.add(path);
  };
  for (const path of sources.keys()) visit(path, []);
});

it(`no file is longer than ${LINE_LIMIT} lines without a reason`, () => {
  const long = [...sources].filter(([, text]) => text.split('\n').length - 1 > LINE_LIMIT);
  expect(long.map(([path]) => path)).toEqual(Object.keys(LONGER));
});

it('there are no default exports', () => {
  const found = [...sources].filter(([, text]) => /^export default|\bas default\b/m.test(text));
  expect(found.map(([path]) => path)).toEqual([]);
});

it('only main.ts and what is inside a job process touch environment, exit and signals of the process', () => {
  const found = [...sources].filter(([path, text]) => {
    const code = text.replaceAll(/\/\*[^]*?\*\/|\/\/.*/g, '');
    return !PROCESS_OWNERS.includes(path) && /\bprocess\.(?:env|exit|on|once)\b/.test(code);
  });
  expect(found.map(([path]) => path)).toEqual([]);
});
