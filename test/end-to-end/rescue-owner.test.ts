/** What a rescue could not hold is said; and with --owner the work comes back as its owner's. */
import { execFileSync } from 'node:child_process';
import { chmod, chown, lstat, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { requestControl } from '../../agent/health/control-client.ts';
import type { MountStatus } from '../../agent/status.ts';
import { TOKENS } from '../host/host-fixture.ts';
import { TestSession, eventually } from './session.ts';
import type { RunningProgram } from './session.ts';

const TIMEOUT_MS = 120_000;
/** Nobody in passwd(5). */
const [UID, GID] = [54_321, 54_322];
const isRoot = process.getuid?.() === 0;

async function rowOf(session: TestSession): Promise<MountStatus> {
  return (await session.status()).mounts[0]!;
}

async function end(program: RunningProgram): Promise<void> {
  program.signal('SIGTERM');
  await program.exitCode;
}

async function loseTheDisk(session: TestSession): Promise<void> {
  await rm(session.mountPath('web'), { recursive: true });
  await rm(session.runDir, { recursive: true });
}

it.runIf(isRoot)(
  'with --owner a rescue is the owner’s, and so is all that a restore puts back',
  async () => {
    await using session = await TestSession.open();
    for (const path of [session.two.directory, session.directory, join(session.directory, 'app')]) {
      await chmod(path, 0o755);
    }
    await chown(join(session.directory, 'home'), UID, GID);
    await session.dropManifest([session.resource('web', TOKENS.web)]);
    const shelf = join(session.directory, 'rescues');
    const flags = ['--owner', `${UID}:${GID}`, '--rescue-dir', shelf];
    const web = session.mountPath('web');
    const first = session.start('run', ...flags);
    await first.untilReady();
    const work = `mkdir -p secret/closed && echo x > secret/closed/file && chmod 640 secret/closed/file
      echo y >> README.md && git add README.md && chmod 555 secret/closed && chmod 700 secret`;
    const asOwner = [`--reuid=${UID}`, `--regid=${GID}`, '--clear-groups', 'sh', '-ec', work];
    execFileSync('setpriv', asOwner, { cwd: web, env: session.environment });
    await eventually('all of it to be at risk', async () => {
      const risk = (await rowOf(session)).at_risk;
      return risk?.staged === 1 && risk.untracked === 1;
    });
    await end(first);
    expect(await strangersIn(shelf)).toEqual([]);

    await loseTheDisk(session);
    const second = session.start('run', ...flags, '--restore', 'auto');
    await second.untilReady();
    expect(await rowOf(session)).toMatchObject({ restored: { gaps: [] }, restorable: null });
    expect(await strangersIn(web)).toEqual([]);
    const modes = ['secret', 'secret/closed', 'secret/closed/file'].map(async (path) => {
      return ((await lstat(join(web, path))).mode & 0o777).toString(8);
    });
    expect(await Promise.all(modes)).toEqual(['700', '555', '640']);
    await end(second);
  },
  TIMEOUT_MS,
);

async function strangersIn(directory: string): Promise<string[]> {
  const strangers: string[] = [];
  for (const name of ['.', ...(await readdir(directory, { recursive: true }))]) {
    const { uid, gid } = await lstat(join(directory, name));
    if (uid !== UID || gid !== GID) strangers.push(`${name} ${uid}:${gid}`);
  }
  return strangers;
}

it(
  'what a rescue does not hold is said when it is taken, announced, and put back',
  async () => {
    await using session = await TestSession.open();
    await session.dropManifest([session.resource('web', TOKENS.web)]);
    const shelf = join(session.directory, 'rescues');
    const notice = join(session.runDir, 'AT_RISK.md');
    const gaps = ['pipe is neither a file nor a symlink'];
    const first = session.start('run', '--rescue-dir', shelf);
    await first.untilReady();
    const path = session.mountPath('web');
    execFileSync('mkfifo', [join(path, 'pipe')]);
    await writeFile(join(path, 'new.txt'), 'new\n');
    await eventually('the file to be at risk', async () => (await rowOf(session)).at_risk !== null);
    await requestControl(session.runDir, 'POST', '/rescue', { timeoutMs: 60_000 });
    expect(await rowOf(session)).toMatchObject({ last_rescue: { gaps } });
    // Changed since: the end of the session saves it once more.
    await writeFile(join(path, 'newer.txt'), 'newer\n');
    await eventually('the next one', async () => (await rowOf(session)).at_risk?.untracked === 2);
    await end(first);
    const rescues = (await readdir(shelf)).filter((name) => name.endsWith('.tar.gz'));
    expect(rescues).toHaveLength(2);

    await loseTheDisk(session);
    const second = session.start('run', '--rescue-dir', shelf);
    await second.untilReady();
    await second.logged('not all of the work can be restored');
    expect(await rowOf(session)).toMatchObject({ restorable: { gaps } });
    await eventually('AT_RISK.md to say it', async () => {
      return (await readFile(notice, 'utf8')).includes(gaps[0] ?? '-');
    });
    await end(second);

    await loseTheDisk(session);
    const third = session.start('run', '--rescue-dir', shelf, '--restore', 'auto');
    await third.untilReady();
    expect(await rowOf(session)).toMatchObject({ restored: { gaps }, restorable: null });
    expect(third.stderr).toContain(gaps[0]);
    expect(await readFile(join(path, 'newer.txt'), 'utf8')).toBe('newer\n');
    await end(third);
  },
  TIMEOUT_MS,
);
