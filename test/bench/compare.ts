/**
 * One repository, or several to be cloned at once, and all contestants: answers are recorded first,
 * then replayed in alternating runs (A B C A B C), each in a fresh directory and each clone checked.
 */
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { HostProcess } from '../host/host-process.ts';
import type { RecordedRequest } from '../host/request-handler.ts';
import { OWNER, TOKEN } from './contestants.ts';
import type { Contestant } from './contestants.ts';
import { touchFreeMemory } from './host-memory.ts';
import { measure } from './measure.ts';
import type { Measured } from './measure.ts';
import type { Result, Transfer } from './report.ts';
import type { Subject, Work } from './subjects.ts';
import { verify } from './verify.ts';

export interface Bench {
  readonly host: HostProcess;
  readonly directory: string;
  readonly rounds: number;
  readonly memoryRounds: number;
  readonly stockLimitBytes: number;
  readonly contestants: readonly Contestant[];
  /** Of the link, in the timed runs; null for as fast as it goes. */
  readonly bytesPerSecond: number | null;
}

export interface Comparison {
  readonly results: readonly Result[];
  /** The largest answer of each subject, together: the packs as they went over the wire. */
  readonly sentBytes: number;
}

export async function compare(bench: Bench, work: Work): Promise<Comparison> {
  const { host } = bench;
  for (const { name, bareDir } of work.subjects) {
    const tokens = [{ token: TOKEN, login: 'bench', permissions: 'read' as const }];
    await host.addRepository({ owner: OWNER, name, bareDir, tokens });
  }
  const recordings = join(bench.directory, 'recordings');
  const entries = bench.contestants.map((contestant) => new Entry(contestant));
  await host.record(recordings);
  const storedBytes = work.subjects.reduce((sum, each) => sum + each.storedBytes, 0);
  for (const entry of entries) {
    const stock = entry.contestant.name.startsWith('stock');
    if (stock && storedBytes > bench.stockLimitBytes) {
      entry.note = `left out, the pack is over ${bench.stockLimitBytes / 1e6} MB (--stock-limit)`;
    } else {
      await entry.run(bench, work, 'recording', null);
    }
  }
  await host.replay(recordings);
  await host.throttle(bench.bytesPerSecond);
  for (let round = 1; round <= bench.rounds; round++) {
    for (const entry of entries) await entry.run(bench, work, `round ${round}`, 'time');
  }
  await host.throttle(null);
  for (let round = 1; round <= bench.memoryRounds; round++) {
    for (const entry of entries) await entry.run(bench, work, `memory ${round}`, 'memory');
  }
  const sent = await Promise.all(work.subjects.map((subject) => largestAnswer(host, subject)));
  const sentBytes = sent.reduce((sum, each) => sum + (each?.sentBytes ?? 0), 0);
  return { results: entries.map((entry) => entry.result), sentBytes };
}

/** The subject's largest answer since request number `from`: the one that brought a pack. */
async function largestAnswer(
  host: HostProcess,
  { name }: Subject,
  from = 0,
): Promise<RecordedRequest | undefined> {
  const { requests } = await host.state();
  const own = requests.slice(from).filter((each) => each.name === name);
  return own.toSorted((a, b) => b.sentBytes - a.sentBytes)[0];
}

class Entry {
  readonly contestant: Contestant;
  note: string | null = null;
  readonly #timed: Measured[] = [];
  readonly #memory: Measured[] = [];
  readonly #transfers: Transfer[] = [];
  #out = false;

  constructor(contestant: Contestant) {
    this.contestant = contestant;
  }

  get result(): Result {
    const { name } = this.contestant;
    const [timed, memory, transfers] = [this.#timed, this.#memory, this.#transfers];
    return { contestant: name, timed, memory, transfers, note: this.note };
  }

  async run(bench: Bench, work: Work, what: string, kind: 'time' | 'memory' | null): Promise<void> {
    if (this.#out || (this.note !== null && kind === null)) return;
    if (this.note?.startsWith('left out') === true) return;
    const { name } = this.contestant;
    const directory = join(bench.directory, `${work.name} ${what} ${name}`.replaceAll(' ', '-'));
    await mkdir(directory, { recursive: true });
    const attempt = await this.contestant.prepare(bench.host, work.subjects, directory);
    // What an earlier run left to be written must not be paid for by this one.
    await promisify(execFile)('sync', ['-f', bench.directory]);
    await touchFreeMemory();
    const { requests } = await bench.host.state();
    let wrong: string | null = null;
    try {
      const measured = await measure(attempt.program, kind ?? 'time');
      const figures = `${(measured.wallMs / 1000).toFixed(2)} s`;
      progress(`${work.name}, ${what}, ${name}: ${figures}`);
      if (kind === 'time') this.#timed.push(measured);
      if (kind === 'time') await this.#addTransfer(bench, work, requests.length, measured);
      if (kind === 'memory') this.#memory.push(measured);
      for (const [at, subject] of work.subjects.entries()) {
        wrong ??= await verify(subject, attempt.worktrees[at]!);
      }
    } catch (error) {
      wrong = error instanceof Error ? error.message : String(error);
      this.#out = true;
    }
    if (wrong === null) return;
    if (!name.startsWith('stock')) throw new Error(`${name}, ${work.name}: ${wrong}`);
    // The peer's faults are part of the comparison, not a reason to end it.
    this.note = wrong;
  }

  /** From the first byte of the answer with the pack to the end of the program. */
  async #addTransfer(bench: Bench, work: Work, from: number, measured: Measured): Promise<void> {
    const [subject] = work.subjects;
    if (bench.bytesPerSecond === null || subject === undefined) return;
    const answer = await largestAnswer(bench.host, subject, from);
    const ownMs = ((answer?.sentBytes ?? 0) / bench.bytesPerSecond) * 1000;
    const wallMs = measured.endedAtMs - (answer?.bodyBeganAtMs ?? NaN);
    this.#transfers.push({ wallMs, ownMs });
  }
}

export function progress(text: string): void {
  process.stderr.write(`${text}\n`);
}
