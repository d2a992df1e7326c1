import { appendFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { requestControl } from '../../agent/health/control-client.ts';
import type { MountStatus, StatusSnapshot } from '../../agent/status.ts';
import { TOKENS } from '../host/host-fixture.ts';
import { TestSession, eventually } from './session.ts';
import type { RunningProgram } from './session.ts';

const TIMEOUT_MS = 90_000;

function shelfOf(session: TestSession): string {
  return join(session.directory, 'rescues');
}

async function rescuesIn(session: TestSession): Promise<string[]> {
  const names = await readdir(shelfOf(session));
  return names.filter((name) => name.endsWith('.rescue.tar.gz')).sort();
}

function runWithShelf(session: TestSession, ...args: string[]): RunningProgram {
  return session.start('run', '--rescue-dir', shelfOf(session), ...args);
}

async function statusOf(program: RunningProgram): Promise<StatusSnapshot> {
  return JSON.parse((await program.get('/status')).body) as StatusSnapshot;
}

async function rowOf(program: RunningProgram, session: TestSession): Promise<MountStatus> {
  const { mounts } = await statusOf(program);
  return mounts.find(({ mount_path: path }) => path === session.mountPath('web'))!;
}

/** Work of each kind: a commit, a stash, a staged file, a changed one, an untracked one. */
async function work(session: TestSession): Promise<void> {
  const path = session.mountPath('web');
  await writeFile(join(path, 'committed.txt'), 'one\n');
  await session.git('web', 'add', '.');
  await session.git('web', 'commit', '-m', 'Not pushed');
  await appendFile(join(path, 'committed.txt'), 'stashed\n');
  await session.git('web', 'stash');
  await writeFile(join(path, 'staged.txt'), 'two\n');
  await session.git('web', 'add', '.');
  await appendFile(join(path, 'committed.txt'), 'changed\n');
  await writeFile(join(path, 'untracked.bin'), Buffer.from([0, 255, 13, 10]));
}

async function loseTheDisk(session: TestSession): Promise<void> {
  await rm(join(session.directory, 'app'), { recursive: true });
  await rm(session.runDir, { recursive: true });
}

async function untilAtRisk(program: RunningProgram, session: TestSession): Promise<void> {
  await eventually('the ledger to see all of it', async () => {
    const risk = (await rowOf(program, session)).at_risk;
    return risk?.unpushed_commits === 1 && risk.stashes === 1 && risk.untracked === 1;
  });
}

async function startWithWork(session: TestSession, ...args: string[]): Promise<RunningProgram> {
  await session.dropManifest([session.resource('web', TOKENS.web)]);
  const program = runWithShelf(session, ...args);
  await program.untilReady();
  await work(session);
  await untilAtRisk(program, session);
  return program;
}

async function endOf(program: RunningProgram): Promise<void> {
  program.signal('SIGTERM');
  await program.exitCode;
}

it(
  'work that is safe is not restored into a later session, and nothing is saved twice',
  async () => {
    await using session = await TestSession.open();
    const first = await startWithWork(session);
    await eventually('a rescue since which nothing was noticed', async () => {
      const { last_activity_at: before } = await statusOf(first);
      await requestControl(session.runDir, 'POST', '/rescue');
      return (await statusOf(first)).last_activity_at === before;
    });
    expect((await rowOf(first, session)).last_rescue).toMatchObject({ session_id: 'sess_test' });
    const rescues = await rescuesIn(session);
    await endOf(first);
    expect(await rescuesIn(session)).toEqual(rescues);

    const second = runWithShelf(session);
    await second.untilReady();
    await untilAtRisk(second, session);
    for (const args of [['stash', 'drop'], ['add', '-A'], ['commit', '-m', 'All'], ['push']]) {
      expect(await session.git('web', ...args)).toMatchObject({ code: 0 });
    }
    await eventually('the rescue to be settled', async () => {
      return (await readdir(shelfOf(session))).some((name) => name.endsWith('settled.json'));
    });
    await endOf(second);

    await loseTheDisk(session);
    const third = runWithShelf(session, '--restore', 'auto');
    await third.untilReady();
    expect(await rowOf(third, session)).toMatchObject({ restored: null, at_risk: null });
    expect((await session.git('web', 'stash', 'list')).stdout).toBe('');
  },
  TIMEOUT_MS,
);

it(
  'the last warning saves what nobody saved, and no warning before it does',
  async () => {
    await using session = await TestSession.open();
    await session.dropManifest([session.resource('web', TOKENS.web)]);
    const first = runWithShelf(session, '--reclaim-after', '10m', '--warn-before', '9m,599s');
    await first.untilReady();
    await work(session);
    await first.logged('work will be lost');
    expect((await rowOf(first, session)).last_rescue).toBeNull();
    await first.end();

    const second = runWithShelf(session, '--reclaim-after', '10m', '--warn-before', '599s');
    await second.untilReady();
    // What was warned of before is not warned of again; work makes it a new matter.
    await eventually('work to be saved', async () => {
      await appendFile(join(session.mountPath('web'), 'more.txt'), 'x');
      await new Promise((resolve) => setTimeout(resolve, 2000));
      return second.log.some(({ msg }) => msg === 'work at risk rescued');
    });
  },
  TIMEOUT_MS,
);

it(
  'a remote that says nothing is not waited for: the rescue is written without it',
  async () => {
    await using session = await TestSession.open();
    const program = await startWithWork(session);
    session.two.host.fault({ service: 'git-upload-pack' }, { type: 'stall' });
    await endOf(program);
    expect(program.log.find(({ msg }) => msg === 'the remote was not asked')).toMatchObject({
      err: { code: 'TRANSPORT_TIMEOUT', message: 'expected a list of refs within 5 s' },
    });
    expect(await rescuesIn(session)).toHaveLength(1);
  },
  TIMEOUT_MS,
);

it(
  'a rescue at the end that has no time is given up, by name, and holds up nothing',
  async () => {
    await using session = await TestSession.open();
    const program = await startWithWork(session, '--rescue-timeout', '1s');
    // The remote is asked first, and says nothing for longer than there is time.
    session.two.host.fault({ service: 'git-upload-pack' }, { type: 'stall' });
    await endOf(program);
    expect(program.log.find(({ msg }) => msg === 'rescue failed')).toMatchObject({
      err: { code: 'ABORTED', message: 'not saved within the 1 s of --rescue-timeout' },
    });
    expect(program.log.map(({ msg }) => msg)).toContain('no time for a rescue');
    expect(await program.exitCode).toBe(143);
  },
  TIMEOUT_MS,
);

it(
  'work that nobody put back is still offered when a daemon has been started again in between',
  async () => {
    await using session = await TestSession.open();
    const first = await startWithWork(session);
    await endOf(first);
    await loseTheDisk(session);
    for (const start of ['cloned', 'adopted']) {
      const program = runWithShelf(session);
      await program.untilReady();
      await eventually(
        `a first reading once ${start}`,
        async () => (await rowOf(program, session)).watch != null,
      );
      await endOf(program);
    }
    await loseTheDisk(session);
    const last = runWithShelf(session);
    await last.untilReady();
    await last.logged('can be restored');
  },
  TIMEOUT_MS,
);
