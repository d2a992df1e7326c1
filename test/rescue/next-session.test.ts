/** The disk goes, the work stays: sessions as real processes, one after the other, on one manifest. */
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { requestControl } from '../../agent/health/control-client.ts';
import { TOKENS } from '../host/host-fixture.ts';
import { PROGRAM, TestSession, eventually } from '../end-to-end/session.ts';
import { CLEAN_GIT_ENVIRONMENT } from '../fixtures/cache.ts';
import { killingAt } from '../kill/points.ts';
import { stateOf } from './state.ts';

let session: TestSession;
let mount = '';
let rescueDir = '';

beforeEach(async () => {
  session = await TestSession.open();
  mount = session.mountPath('web');
  rescueDir = join(session.directory, 'rescues');
  await session.dropManifest([session.resource('web', TOKENS.web)]);
});
afterEach(() => session[Symbol.asyncDispose]());

async function git(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await session.git('web', ...args);
  if (code !== 0) throw new Error(stderr);
  return stdout;
}

/** Edits, stashes, commits, and stops in the middle of a rebase. */
async function work(): Promise<void> {
  const readme = join(mount, 'README.md');
  writeFileSync(join(mount, 'stashed.txt'), 'stashed\n');
  await git('stash', 'push', '-qu');
  await git('checkout', '-qb', 'theirs');
  writeFileSync(readme, 'theirs\n');
  await git('commit', '-qam', 'theirs');
  await git('checkout', '-qb', 'mine', 'HEAD~1');
  writeFileSync(readme, 'mine\n');
  await git('commit', '-qam', 'mine');
  await expect(git('rebase', '-q', 'theirs')).rejects.toThrow();
  writeFileSync(join(mount, 'untracked.txt'), 'untracked\n');
}

/** The platform's reclaim: the container ends, its disk goes. */
async function end(program: ReturnType<TestSession['start']>): Promise<void> {
  program.signal('SIGTERM');
  await program.exitCode;
  rmSync(mount, { recursive: true });
}

async function startReady(...args: string[]): Promise<ReturnType<TestSession['start']>> {
  const program = session.start('run', '--rescue-dir', rescueDir, ...args);
  await program.untilReady();
  return program;
}

async function untilAtRisk(): Promise<void> {
  await eventually('the rebase to be at risk', async () => {
    const [row] = (await session.status()).mounts;
    return row?.at_risk?.operation === 'rebase' && row.at_risk.untracked > 0;
  });
}

interface Lost {
  readonly before: ReturnType<typeof stateOf>;
  /** The rescue that the session left. */
  readonly file: string;
}

/** A session that ends in the middle of its work, and whose disk goes. */
async function loseWork(): Promise<Lost> {
  const program = await startReady();
  await work();
  await untilAtRisk();
  const before = stateOf(mount);
  await end(program);
  expect(program.stderr).toContain('work at risk rescued');
  const [name = ''] = readdirSync(rescueDir).filter((each) => each.endsWith('.tar.gz'));
  return { before, file: join(rescueDir, name) };
}

it('a session that ends in a rebase is continued by the next one, whose disk is new', async () => {
  const { before } = await loseWork();
  const second = await startReady('--restore', 'auto');
  expect(second.stderr).toContain('restored');
  expect(stateOf(mount)).toEqual(before);
  const [row] = (await session.status()).mounts;
  expect(row).toMatchObject({ restorable: null, restored: { session_id: 'sess_test', gaps: [] } });
  expect(row?.at_risk?.operation).toBe('rebase');

  writeFileSync(join(mount, 'README.md'), 'both\n');
  await git('add', 'README.md');
  await git('-c', 'core.editor=true', 'rebase', '--continue');
  expect(await git('log', '--format=%s', '-2')).toBe('mine\ntheirs\n');
  expect(await git('stash', 'list')).toMatch(/^stash@\{0\}: /);
  expect(await git('show', 'stash@{0}^3:stashed.txt')).toBe('stashed\n');
  await end(second);
}, 120_000);

it('by default a rescue is announced, and one command puts it back', async () => {
  const { before, file } = await loseWork();
  const second = await startReady();
  const command = `mount-agent restore ${file} ${mount}`;
  expect(second.stderr).toContain(command);
  const notice = join(session.runDir, 'AT_RISK.md');
  await eventually('the announcement', () => existsSync(notice));
  expect(readFileSync(notice, 'utf8')).toContain(command);
  expect((await session.status()).mounts[0]?.restorable?.file).toBe(file);
  expect(await git('status', '--porcelain')).toBe('');

  const { code, stdout } = await session.call('restore', file, mount);
  expect(code).toBe(0);
  expect(stdout).toContain('rebase');
  expect(stateOf(mount)).toEqual(before);
  await eventually('the announcement to be withdrawn', async () => {
    return (await session.status()).mounts[0]?.restorable === null;
  });
  await end(second);
}, 120_000);

it('a rescue that cannot be restored leaves a clean clone and says why', async () => {
  const { file } = await loseWork();
  writeFileSync(file, readFileSync(file).subarray(0, -100));
  const second = await startReady('--restore', 'auto');
  expect(second.stderr).toContain('RESCUE_INVALID');
  expect(await git('status', '--porcelain')).toBe('');
  const [row] = (await session.status()).mounts;
  expect(row?.restorable?.gaps.join()).toContain('RESCUE_INVALID');
  await end(second);
}, 120_000);

it('a restore that was killed in the middle is ended by the next session', async () => {
  const { before, file } = await loseWork();
  const second = await startReady();
  second.signal('SIGTERM');
  await second.exitCode;

  const journal = join(mount, '.git/mount-agent-restore.json');
  // The first renames put packs in place, and the journal; later ones what the journal tells of.
  for (let nth = 4; nth < 12 && !existsSync(journal); nth++) {
    const [program = '', ...args] = killingAt({ call: 'rename', nth });
    spawnSync(program, [...args, process.execPath, PROGRAM, 'restore', file, mount], {
      env: { ...CLEAN_GIT_ENVIRONMENT, HOME: session.directory, UV_THREADPOOL_SIZE: '1' },
    });
  }
  expect(existsSync(journal)).toBe(true);
  const third = await startReady('--restore', 'auto');
  expect(third.stderr).toContain('a restore was ended in the middle');
  expect(existsSync(journal)).toBe(false);
  expect(stateOf(mount)).toEqual(before);
  await end(third);
}, 120_000);

it('POST /rescue writes one file for each mount with work at risk, and keeps three', async () => {
  const program = await startReady();
  for (let n = 1; n <= 4; n++) {
    appendFileSync(join(mount, 'notes.txt'), `note ${n}\n`);
    await eventually('the note to be at risk', async () => {
      const [row] = (await session.status()).mounts;
      return row?.at_risk?.untracked_bytes === 7 * n;
    });
    await requestControl(session.runDir, 'POST', '/rescue', { timeoutMs: 60_000 });
  }
  const files = readdirSync(rescueDir).filter((name) => name.endsWith('.rescue.tar.gz'));
  expect(files).toHaveLength(3);
  const last = (await session.status()).mounts[0]?.last_rescue;
  expect(last).toMatchObject({ gaps: [], covers: ['1 untracked file'] });
  await end(program);
}, 120_000);
