import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { TOKENS } from '../host/host-fixture.ts';
import { TestSession, eventually } from './session.ts';

const STALL = { type: 'stall', afterBytes: 600 } as const;
const PACK = { name: 'web', phase: 'exchange' } as const;

async function childrenOf(pid: number): Promise<string[]> {
  const pids = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).split(' ');
  return Promise.all(
    pids.filter(Boolean).map((child) => readFile(`/proc/${child}/cmdline`, 'utf8')),
  );
}

/** What is at the mount paths and beside them. */
function leftIn(session: TestSession): Promise<string[]> {
  return readdir(join(session.directory, 'app'));
}

it('mount clones a single repository in its own process, and SIGTERM leaves nothing', async () => {
  await using session = await TestSession.open();
  const fault = session.two.host.fault(PACK, STALL);
  await session.dropManifest([session.resource('web', TOKENS.web)]);
  const program = session.start('mount');
  await eventually('the pack to be asked for', () => fault.hits > 0);
  expect(await childrenOf(program.pid)).toEqual([]);
  await session.expectNoTokenInProcesses();
  program.signal('SIGTERM');
  expect(await program.exitCode).toBe(143);
  expect(await leftIn(session)).toEqual([]);
});

it('mount clones several in processes of their own, so that none takes another along', async () => {
  await using session = await TestSession.open();
  const fault = session.two.host.fault({ phase: 'exchange' }, STALL);
  await session.dropManifest(session.bothResources);
  const program = session.start('mount', '--jobs', '2');
  await eventually('both to be asked for', () => fault.hits > 1);
  const children = await childrenOf(program.pid);
  expect(children).toHaveLength(Math.min(2, availableParallelism()));
  expect(children.every((child) => child.includes('clone-worker.js'))).toBe(true);
  program.signal('SIGTERM');
  expect(await program.exitCode).toBe(143);
  expect(await leftIn(session)).toEqual([]);
});

it('a clone that mount tries again has a process of its own', async () => {
  await using session = await TestSession.open();
  const { host } = session.two;
  // Passing, so that it is tried again.
  host.fault({ phase: 'advertisement' }, { type: 'status', status: 503 }, { times: 1 });
  await session.dropManifest([session.resource('web', TOKENS.web)]);
  const fault = host.fault(PACK, STALL);
  const program = session.start('mount');
  await eventually('the pack to be asked for', () => fault.hits > 0);
  expect(await childrenOf(program.pid)).toEqual([expect.stringContaining('clone-worker.js')]);
  program.signal('SIGTERM');
  expect(await program.exitCode).toBe(143);
  expect(await leftIn(session)).toEqual([]);
});

it('mount wires what git reads also where there is no repository', async () => {
  await using session = await TestSession.open();
  await session.dropManifest([]);
  expect(await session.call('mount')).toMatchObject({ code: 0 });
  expect(await readdir(session.runDir)).toEqual(expect.arrayContaining(['gitconfig', 'env']));
});

it('a defect ends mount with 70, says so without a token, and leaves nothing', async () => {
  await using session = await TestSession.open();
  const [planted, trigger] = ['defect.cjs', 'now'].map((name) => join(session.directory, name));
  const code = `
    const { existsSync } = require('node:fs');
    if (process.argv[2] === 'mount') {
      const timer = setInterval(() => {
        if (!existsSync(process.env.TRIGGER)) return;
        clearInterval(timer);
        throw new Error('planted ' + process.env.SECRET.split('').reverse().join(''));
      }, 10);
      timer.unref();
    }`;
  await writeFile(planted!, code);
  session.moreEnvironment = {
    NODE_OPTIONS: `--require ${planted}`,
    TRIGGER: trigger!,
    // Reversed, since the search would find it here.
    SECRET: Buffer.from(TOKENS.web).reverse().toString(),
  };
  const fault = session.two.host.fault(PACK, STALL);
  await session.dropManifest([session.resource('web', TOKENS.web)]);
  const program = session.start('mount');
  await eventually('the pack to be asked for', () => fault.hits > 0);
  await writeFile(trigger!, '');
  expect(await program.exitCode).toBe(70);
  expect(program.stderr).toContain('planted [redacted]');
  expect(program.stderr).toContain('(INTERNAL)');
  expect(program.log.map(({ msg }) => msg)).toContain('cannot go on');
  expect(await leftIn(session)).toEqual([]);
});

it.each(['mount', 'run'])(
  'tokens that cannot be wired end %s by name, also while it clones',
  async (command) => {
    await using session = await TestSession.open();
    session.two.host.fault(PACK, STALL);
    await mkdir(session.runDir, { mode: 0o700 });
    await writeFile(join(session.runDir, 'credentials'), 'in the way');
    await session.dropManifest([session.resource('web', TOKENS.web)]);
    const { code, stderr } = await session.call(command);
    expect(stderr).toContain('RUN_DIR_UNUSABLE');
    expect(code).toBe(77);
    expect(await leftIn(session)).toEqual([]);
  },
);
