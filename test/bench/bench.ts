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
import { HostProcess } from '../host/host-process.ts';
import { compare, progress } from './compare.ts';
import type { Bench } from './compare.ts';
import { contestants } from './contestants.ts';
import { machineLine, tableOf } from './report.ts';
import { MADE, madeSubject, subjectAt } from './subjects.ts';
import type { Subject } from './subjects.ts';

const USAGE = `npm run bench -- [--only 5mb,50mb,files] [--repo PATH …] [--rounds 5] [--memory-rounds 2]
                 [--stock-limit MB] [--contestants mount-agent,git,stock] [--dir DIR]
With --repo alone, the made repositories are left out; --only adds them again.`;

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    repo: { type: 'string', multiple: true, default: [] },
    rounds: { type: 'string', default: '5' },
    'memory-rounds': { type: 'string', default: '2' },
    'stock-limit': { type: 'string', default: '150' },
    contestants: { type: 'string', default: 'mount-agent,git,stock' },
    dir: { type: 'string', default: tmpdir() },
    help: { type: 'boolean', default: false },
  },
});

if (options.help) console.log(USAGE);
else await main();

async function main(): Promise<void> {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const chosen = options.contestants.split(',');
  const directory = await mkdtemp(join(options.dir, 'mount-agent-bench-'));
  try {
    await using host = await HostProcess.start();
    const bench: Bench = {
      host,
      directory,
      rounds: Number(options.rounds),
      memoryRounds: Number(options['memory-rounds']),
      stockLimitBytes: Number(options['stock-limit']) * 1e6,
      contestants: contestants({ root }).filter(({ name }) =>
        chosen.some((each) => name.split(' ').includes(each)),
      ),
    };
    for (const subject of await chosenSubjects()) {
      const comparison = await compare(bench, subject);
      console.log(`\n${tableOf(subject, comparison)}\n`);
    }
    console.log(machineLine(await git(['--version']), bench.rounds));
  } finally {
    progress('removing the clones');
    // At the end and not in between: creating files right after deleting many is slower.
    await rm(directory, { recursive: true, force: true });
  }
}

async function chosenSubjects(): Promise<Subject[]> {
  const made = options.only?.split(',') ?? (options.repo.length > 0 ? [] : Object.keys(MADE));
  const subjects: Subject[] = [];
  for (const name of made) {
    if (!(name in MADE)) throw new Error(`no made repository "${name}"\n${USAGE}`);
    progress(`making ${name}, unless it is there from an earlier run`);
    subjects.push(await madeSubject(name as keyof typeof MADE));
  }
  for (const path of options.repo) subjects.push(await subjectAt(path));
  return subjects;
}
