import { execFileSync } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GitServer } from '../clone/git-server.ts';
import { makeJob, runClone } from '../clone/job.ts';
import { CASES } from './cases.ts';
import { differences, factsOf, gitIn } from './facts.ts';
import { Origin } from './origin.ts';
import { faultsOf, filesThatStatusReads } from './own-faults.ts';

let root = '';
let server: GitServer;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'mount-agent-oracle-'));
  server = await GitServer.start({ root });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  // Node removes recursively, and a tree 2,000 deep is too deep for that.
  execFileSync('rm', ['-rf', root]);
});

const TIMEOUT_MS = 90_000;

describe.concurrent('a clone cannot be told from git’s', { timeout: TIMEOUT_MS }, () => {
  it.each(CASES.map((each, at) => ({ ...each, at })))('$name', async ({ make, isTraced, at }) => {
    make(new Origin(root, `case${at}`));
    const url = `${server.origin}/case${at}.git`;
    const [theirs, ours] = ['theirs', 'ours'].map((who) => join(root, `${who}${at}`));
    const said = await gitIn(root, 'clone', '--quiet', url, theirs!);
    expect(said).not.toContain('ended with');
    await runClone(makeJob(url, ours!));
    if (isTraced === true) expect(await filesThatStatusReads(ours!)).toEqual([]);
    expect(await faultsOf(ours!)).toEqual([]);
    expect(differences(await factsOf(ours!), await factsOf(theirs!))).toEqual([]);
  });
});
