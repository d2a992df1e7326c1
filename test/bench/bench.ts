/**
 * `npm run bench`: the same repositories cloned by mount-agent, git and stock isomorphic-git from
 * the same host, whose answers are recorded first and replayed in every measured run. Each clone is
 * checked; a wrong or failed one of mount-agent or git ends the benchmark with exit code 1.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { git } from '../fixtures/cache.ts';
import { MEMORY_SUBJECTS } from '../fixtures/memory-repositories.ts';
import { HostProcess } from '../host/host-process.ts';
import { compare, progress } from './compare.ts';
import type { Bench } from './compare.ts';
import { contestants } from './contestants.ts';
import { floorLines, measureFloor } from './floor.ts';
import { latencyLines, measureLatency } from './latency.ts';
import { measureMemory, memoryLine } from './memory.ts';
import { machineLine, tableOf } from './report.ts';
import { MADE, madeSubject, severalSubjects, subjectAt } from './subjects.ts';
import type { Subject, Work } from './subjects.ts';

const USAGE = `npm run bench -- [--only 5mb,50mb,80mb,files] [--repo PATH …] [--rounds 5] [--memory-rounds 2]
                 [--stock-limit MB] [--contestants mount-agent,git,stock] [--dir DIR]
With --repo alone, the made repositories are left out; --only adds them again.

  --several        five repositories in one manifest against five clones at once; those given, if any
  --throttle MB    over a link of so many megabytes a second (80mb, unless others are given)
  --latency        how fast mount-agent run answers while it clones, and its memory afterwards
  --floor          inflating, hashing and writing alone, in one thread
  --memory NAME    peak memory while cloning: ${Object.keys(MEMORY_SUBJECTS).join(', ')}, or repo for those given`;

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    repo: { type: 'string', multiple: true, default: [] },
    rounds: { type: 'string', default: '5' },
    'memory-rounds': { type: 'string', default: '2' },
    'stock-limit': { type: 'string', default: '150' },
    contestants: { type: 'string', default: 'mount-agent,git,stock' },
    dir: { type: 'string', default: tmpdir() },
    several: { type: 'boolean', default: false },
    throttle: { type: 'string' },
    latency: { type: 'boolean', default: false },
    floor: { type: 'boolean', default: false },
    memory: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

if (options.help) console.log(USAGE);
else await main();

async function main(): Promise<void> {
  const directory = await mkdtemp(join(options.dir, 'mount-agent-bench-'));
  try {
    await using host = await HostProcess.start();
    if (options.memory !== undefined) await runMemory(host, directory, options.memory.split(','));
    else if (options.latency) await runLatency(host, directory);
    else if (options.floor) await runFloor(directory);
    else await runComparison(host, directory);
  } finally {
    progress('removing the clones');
    // At the end and not in between: creating files right after deleting many is slower.
    await rm(directory, { recursive: true, force: true });
  }
}

async function runComparison(host: HostProcess, directory: string): Promise<void> {
  const chosen = options.contestants.split(',');
  const bench: Bench = {
    host,
    directory,
    rounds: Number(options.rounds),
    memoryRounds: Number(options['memory-rounds']),
    stockLimitBytes: Number(options['stock-limit']) * 1e6,
    contestants: contestants({ root: ROOT }).filter(({ name }) =>
      chosen.some((each) => name.split(' ').includes(each)),
    ),
    bytesPerSecond: options.throttle === undefined ? null : Number(options.throttle) * 1e6,
  };
  for (const work of await chosenWork()) {
    const comparison = await compare(bench, work);
    console.log(`\n${tableOf(work, comparison)}\n`);
  }
  console.log(machineLine(await git(['--version']), bench.rounds));
}

async function runLatency(host: HostProcess, directory: string): Promise<void> {
  for (const work of await chosenWork()) {
    const measured = await measureLatency({ host, directory, root: ROOT }, work);
    console.log(latencyLines(work, measured));
  }
}

async function runFloor(directory: string): Promise<void> {
  for (const { subjects } of await chosenWork()) {
    for (const subject of subjects) {
      console.log(floorLines(subject, await measureFloor(subject, directory)));
    }
  }
}

async function runMemory(host: HostProcess, directory: string, names: string[]): Promise<void> {
  for (const name of names) {
    const given = name === 'repo' ? await chosenSubjects([]) : [name];
    for (const each of given) {
      console.log(memoryLine(await measureMemory({ host, directory, root: ROOT }, each)));
    }
  }
}

async function chosenWork(): Promise<Work[]> {
  if (options.several) {
    const given = options.repo.length > 0;
    if (!given) progress('making five repositories, unless they are there from an earlier run');
    const subjects = given ? await chosenSubjects([]) : await severalSubjects();
    return [{ name: 'several', subjects }];
  }
  const usual = options.throttle === undefined ? ['5mb', '50mb', 'files'] : ['80mb'];
  const subjects = await chosenSubjects(options.repo.length > 0 ? [] : usual);
  return subjects.map((subject) => ({ name: subject.name, subjects: [subject] }));
}

/** @param usual made repositories, unless the command line names some. */
async function chosenSubjects(usual: readonly string[]): Promise<Subject[]> {
  const subjects: Subject[] = [];
  for (const name of options.only?.split(',') ?? usual) {
    if (!(name in MADE)) throw new Error(`no made repository "${name}"\n${USAGE}`);
    progress(`making ${name}, unless it is there from an earlier run`);
    subjects.push(await madeSubject(name as keyof typeof MADE));
  }
  for (const path of options.repo) subjects.push(await subjectAt(path));
  return subjects;
}
