/**
 * What the demo's steps left on disk and at the host, held against what they should have: the
 * narration says what was tried, this says what happened.
 */
import { access, readFile, readdir } from 'node:fs/promises';
import type { StatusSnapshot } from '../../agent/status.ts';
import { searchForTokens } from '../canary.ts';
import { gitIn } from '../host/repositories.ts';
import { STEPS } from './script-reader.ts';
import { NAMES, REPOSITORIES } from './stage.ts';
import type { Stage } from './stage.ts';

/** A step that did not happen. */
export class NotSeen extends Error {}

export interface Outcome {
  readonly stage: Stage;
  /** Steps that the script began. */
  readonly began: ReadonlySet<string>;
  readonly gh: boolean;
  readonly log: readonly string[];
  /** Path of the manifest, which is meant to hold the tokens. */
  readonly manifest: string;
}

/** @returns what was seen, as sentences. @throws NotSeen for the first thing that was not. */
export async function checkOutcome(outcome: Outcome): Promise<string[]> {
  const { stage, gh } = outcome;
  for (const step of Object.keys(STEPS)) {
    const expected = gh || (step !== 'pull-request' && step !== 'received');
    if (expected && !outcome.began.has(step)) throw new NotSeen(`this step did not begin: ${step}`);
  }
  const pushed = (await readFile(stage.path('out', 'pushed-oid'), 'utf8')).trim();
  const received = await gitIn(stage.bareDir('web'), 'rev-parse', 'refs/heads/improve-greeting');
  if (received !== pushed) throw new NotSeen(`the host has ${received}, pushed was ${pushed}`);
  return [
    ...(await checkStatus(stage)),
    `the host has the pushed commit ${pushed.slice(0, 10)}`,
    ...(gh ? [checkPullRequest(stage, pushed)] : []),
    checkTokens(stage),
    await checkSecrecy(outcome),
  ];
}

async function checkSecrecy({ stage, log, manifest }: Outcome): Promise<string> {
  const tokens = NAMES.map((name) => REPOSITORIES[name].token);
  const findings = await searchForTokens(tokens, {
    directories: [stage.directory],
    texts: { log: log.join('\n') },
    allow: [`${stage.path('run')}/`, manifest],
  });
  if (findings.length > 0) throw new NotSeen(`a token lies at ${JSON.stringify(findings)}`);
  return 'no token in any clone, in the log, or in a file that others can read';
}

async function checkStatus(stage: Stage): Promise<string[]> {
  const read = async (name: string): Promise<StatusSnapshot> =>
    JSON.parse(await readFile(stage.path('out', `${name}.json`), 'utf8')) as StatusSnapshot;
  const atRisk = await read('at-risk');
  const web = atRisk.mounts.find(({ mount_path }) => mount_path === stage.path('app', 'web'));
  if (web?.at_risk?.paths.includes('README.md') !== true) {
    throw new NotSeen('the edited file was not shown at risk');
  }
  const left = Date.parse(atRisk.reclaim_at) - Date.now();
  if (!(left > 0)) throw new NotSeen(`the time left was not shown: ${atRisk.reclaim_at}`);
  const clean = await read('clean');
  if (clean.mounts.some(({ at_risk }) => at_risk !== null)) {
    throw new NotSeen('work was still at risk at the end');
  }
  const minutes = Math.round(left / 60_000);
  return [`README.md was at risk, with ${minutes} minutes left`, 'nothing was at risk at the end'];
}

function checkPullRequest(stage: Stage, pushed: string): string {
  const [first, ...more] = stage.host.pullRequests;
  if (first?.title !== 'Improve the greeting' || first.headRefOid !== pushed || more.length > 0) {
    throw new NotSeen(`the host received ${JSON.stringify(stage.host.pullRequests)}`);
  }
  return `the host has one pull request, of that commit, by ${first.author}`;
}

/** Each token only for its own repository. */
function checkTokens(stage: Stage): string {
  const used = stage.host.requests.filter(({ token, name }) => token !== null && name !== null);
  for (const { token, name, path } of used) {
    const owner = NAMES.find((each) => each === name);
    if (owner === undefined || REPOSITORIES[owner].login !== token) {
      throw new NotSeen(`the token of ${token ?? ''} was sent for ${path}`);
    }
  }
  const counts = NAMES.map((name) => {
    const { login } = REPOSITORIES[name];
    return `${used.filter(({ token }) => token === login).length} requests with ${login}'s`;
  });
  return `each token went to its own repository only: ${counts.join(', ')}`;
}

/** Files and processes of the demo that are still there. */
export async function remainsOf(directory: string): Promise<string[]> {
  const remains: string[] = [];
  await access(directory).then(
    () => remains.push(directory),
    (error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    },
  );
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const cmdline = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch((error: unknown) => {
      if (error instanceof Error && 'code' in error) return '';
      throw error;
    });
    if (cmdline.includes(directory)) remains.push(cmdline.replaceAll('\0', ' '));
  }
  return remains;
}
