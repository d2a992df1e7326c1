/**
 * `npm run oracle -- DIR…`: clones each bare repository with git and with us, over loopback, and
 * compares everything; without DIR, a made repository of 100,000 files. Prints a line for each; ends
 * with 1 when anything differs.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { GitServer } from '../clone/git-server.ts';
import { makeJob, runClone } from '../clone/job.ts';
import { differences, factsOf, gitIn } from './facts.ts';
import { Origin } from './origin.ts';
import { faultsOf, filesThatStatusReads } from './own-faults.ts';

const root = mkdtempSync(join(tmpdir(), 'mount-agent-real-'));
const directories = process.argv.slice(2);
if (directories.length === 0) directories.push(makeLarge());

try {
  await using server = await GitServer.start({ root });
  for (const directory of directories) {
    const faults = await compare(server, resolve(directory));
    for (const fault of faults) console.log(`  ${fault.slice(0, 300)}`);
    if (faults.length > 0) process.exitCode = 1;
    remove(join(root, 'theirs'), join(root, 'ours'));
  }
} finally {
  remove(root);
}

/** @returns what differs. */
async function compare(server: GitServer, bareDir: string): Promise<string[]> {
  const name = basename(bareDir) === 'repo' ? basename(join(bareDir, '..')) : basename(bareDir);
  symlinkSync(bareDir, join(root, `${name}.served`));
  const url = `${server.origin}/${name}.served`;
  const [theirs, ours] = [join(root, 'theirs'), join(root, 'ours')];
  const said = await gitIn(root, 'clone', '--quiet', url, theirs);
  if (said.includes('ended with')) return [`${name}: git clone does not do it: ${said}`];
  const { objectCount, packBytes, files } = await runClone(makeJob(url, ours));
  const reread = await filesThatStatusReads(ours);
  const found = [
    ...reread.map((path) => `git status reads ${path}`),
    ...(await faultsOf(ours)),
    ...differences(await factsOf(ours), await factsOf(theirs)),
  ];
  const refs = (await gitIn(ours, 'for-each-ref')).split('\n').length - 1;
  const megabytes = (packBytes / 1e6).toFixed(1);
  const figures = `${files} files, ${refs} refs, ${objectCount} objects, ${megabytes} MB`;
  console.log(`${name}: ${figures}: ${found.length} differences`);
  return found;
}

function makeLarge(): string {
  const origin = new Origin(root, 'large');
  const files = Array.from({ length: 100_000 }, (_, at): [string, string] => {
    return [`d${at % 97}/e${at % 1009}/file${at}.txt`, `content ${at % 5000}\n`];
  });
  origin.commit(Object.fromEntries(files));
  return origin.bareDir;
}

/** Node's own way fails on trees that are very deep. */
function remove(...paths: string[]): void {
  execFileSync('rm', ['-rf', ...paths]);
}
