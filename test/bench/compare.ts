/**
 * One repository, all contestants: answers are recorded first, then replayed in alternating runs
 * (A B C A B C), each in a fresh directory and each clone checked.
 */
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { HostProcess } from '../host/host-process.ts';
import { OWNER, TOKEN } from './contestants.ts';
import type { Contestant } from './contestants.ts';
import { measure } from './measure.ts';
import type { Measured } from './measure.ts';
import type { Result } from './report.ts';
import type { Subject } from './subjects.ts';
import { verify } from './verify.ts';

export interface Bench {
  readonly host: HostProcess;
  readonly directory: string;
  readonly rounds: number;
  readonly memoryRounds: number;
  readonly stockLimitBytes: number;
  readonly contestants: readonly Contestant[];
}

export interface Comparison {
  readonly results: readonly Result[];
  /** The largest answer: the pack as it went over the wire. */
  readonly sentBytes: number;
}

export async function compare(bench: Bench, subject: Subject): Promise<Comparison> {
  const { host } = bench;
  const tokens = [{ token: TOKEN, login: 'bench', permissions: 'read' as const }];
  await host.addRepository({ owner: OWNER, name: subject.name, bareDir: subject.bareDir, tokens });
  const recordings = join(bench.directory, 'recordings');
  const entries = bench.contestants.map((contestant) => new Entry(contestant));
  await host.record(recordings);
  for (const entry of entries) {
    const stock = entry.contestant.name.startsWith('stock');
    if (stock && subject.storedBytes > bench.stockLimitBytes) {
      entry.note = `left out, the pack is over ${bench.stockLimitBytes / 1e6} MB (--stock-limit)`;
    } else {
      await entry.run(bench, subject, 'recording', null);
    }
  }
  await host.replay(recordings);
  for (let round = 1; round <= bench.rounds; round++) {
    for (const entry of entries) await entry.run(bench, subject, `round ${round}`, 'time');
  }
  for (let round = 1; round <= bench.memoryRounds; round++) {
    for (const entry of entries) await entry.run(bench, subject, `memory ${round}`, 'memory');
  }
  const { requests } = await host.state();
  const sent = requests.filter(({ name }) => name === subject.name).map((each) => each.sentBytes);
  return { results: entries.map((entry) => entry.result), sentBytes: Math.max(...sent) };
}

class Entry {
  readonly contestant: Contestant;
  note: string | null = null;
  readonly #timed: Measured[] = [];
  readonly #memory: Measured[] = [];
  #out = false;

  constructor(contestant: Contestant) {
    this.contestant = contestant;
  }

  get result(): Result {
    const { name } = this.contestant;
    return { contestant: name, timed: this.#timed, memory: this.#memory, note: this.note };
  }

  async run(
    bench: Bench,
    subject: Subject,
    what: string,
    kind: 'time' | 'memory' | null,
  ): Promise<void> {
    if (this.#out || (this.note !== null && kind === null)) return;
    if (this.note?.startsWith('left out') === true) return;
    const { name } = this.contestant;
    const directory = join(bench.directory, `${subject.name} ${what} ${name}`.replaceAll(' ', '-'));
    await mkdir(directory, { recursive: true });
    const attempt = await this.contestant.prepare(bench.host, subject, directory);
    // What an earlier run left to be written must not be paid for by this one.
    await promisify(execFile)('sync', ['-f', bench.directory]);
    let wrong: string | null;
    try {
      const measured = await measure(attempt.program, kind ?? 'time');
      const figures = `${(measured.wallMs / 1000).toFixed(2)} s`;
      progress(`${subject.name}, ${what}, ${name}: ${figures}`);
      if (kind === 'time') this.#timed.push(measured);
      if (kind === 'memory') this.#memory.push(measured);
      wrong = await verify(subject, attempt.worktree);
    } catch (error) {
      wrong = error instanceof Error ? error.message : String(error);
      this.#out = true;
    }
    if (wrong === null) return;
    if (!name.startsWith('stock')) throw new Error(`${name}, ${subject.name}: ${wrong}`);
    // The peer's faults are part of the comparison, not a reason to end it.
    this.note = wrong;
  }
}

export function progress(text: string): void {
  process.stderr.write(`${text}\n`);
}
