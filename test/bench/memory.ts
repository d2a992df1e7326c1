/**
 * One clone by `mount-agent mount`, and the peak memory of its process tree against what it may take,
 * whatever is in the pack. The answer is recorded first, so that it then comes as fast as it can.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { git } from '../fixtures/cache.ts';
import { MEMORY_SUBJECTS, memoryRepository } from '../fixtures/memory-repositories.ts';
import { progress } from './compare.ts';
import { OWNER, TOKEN, contestants } from './contestants.ts';
import type { Place } from './latency.ts';
import { measure } from './measure.ts';
import { describe } from './subjects.ts';
import type { Subject } from './subjects.ts';
import { verify } from './verify.ts';

export interface MemoryFigures {
  readonly subject: Subject;
  readonly wallMs: number;
  readonly peakBytes: number;
  readonly goalBytes: number;
}

/** @param chosen a name of MEMORY_SUBJECTS, or any subject. Throws when the clone is wrong. */
export async function measureMemory(
  { host, directory: parent, root }: Place,
  chosen: string | Subject,
): Promise<MemoryFigures> {
  const directory = join(parent, typeof chosen === 'string' ? chosen : chosen.name);
  await mkdir(directory);
  const subject = typeof chosen === 'string' ? await makeSubject(chosen, directory) : chosen;
  const { name, bareDir } = subject;
  const tokens = [{ token: TOKEN, login: 'bench', permissions: 'read' as const }];
  await host.addRepository({ owner: OWNER, name, bareDir, tokens });
  await host.record(join(directory, 'recordings'));
  const [mountAgent] = contestants({ root });
  const { program, worktrees } = await mountAgent!.prepare(host, [subject], directory);
  progress(`cloning ${name}`);
  const { wallMs, peakBytes } = await measure(program, 'memory');
  const wrong = await verify(subject, worktrees[0]!);
  if (wrong !== null) throw new Error(`${name}: ${wrong}`);
  await git(['fsck', '--connectivity-only'], worktrees[0]);
  return { subject, wallMs, peakBytes: peakBytes!, goalBytes: 200e6 + 64 * subject.objects };
}

async function makeSubject(name: string, directory: string): Promise<Subject> {
  const made = MEMORY_SUBJECTS[name];
  if (made === undefined) {
    throw new Error(
      `no repository "${name}", there are ${Object.keys(MEMORY_SUBJECTS).join(', ')}`,
    );
  }
  progress(`making ${name}, unless it is there from an earlier run`);
  return describe(name, await memoryRepository(made, directory));
}

export function memoryLine({ subject, wallMs, peakBytes, goalBytes }: MemoryFigures): string {
  const { name, storedBytes, objects } = subject;
  const [stored, peak, goal] = [storedBytes, peakBytes, goalBytes].map((bytes) =>
    Math.round(bytes / 1e6).toLocaleString('en-US'),
  );
  const share = (peakBytes / goalBytes).toFixed(2);
  const facts = `${stored} MB, ${objects.toLocaleString('en-US')} objects`;
  return `**${name}** (${facts}): peak ${peak} MB of ${goal} MB (${share}), ${(wallMs / 1000).toFixed(1)} s`;
}
