import { execFileSync, spawnSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { errnoOf } from '../../agent/errors.ts';
import { DIED } from '../../agent/entrypoint/death-watch.ts';
import {
  Daemon,
  SilentHost,
  descendantsOf,
  eventually,
  isRunning,
  processesOf,
  statusOf,
  zombiesBelow,
} from './daemon.ts';

const canUnshare = spawnSync('unshare', ['--pid', '--fork', 'true']).status === 0;
const hasTini = spawnSync('tini', ['--version']).status === 0;
const AS_PID_1 = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child'];

/** So that no host is asked for it. */
const GIT_USER = ['--git-user', 'A U Thor <author@example.com>'];

/** Leaves twenty processes behind, which end soon, and goes on itself. */
const LEAVE_ORPHANS =
  'for i in 0 1 2 3 4 5 6 7 8 9; do (sleep 0.05 & sleep 0.1 &); done; echo left; exec sleep 60';

/** Where only a shell and what it starts are found: no tini. */
async function bareBin(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'bare-bin-'));
  for (const name of ['sh', 'sleep', 'date'])
    symlinkSync(execFileSync('which', [name], { encoding: 'utf8' }).trim(), join(directory, name));
  return directory;
}

/** Twenty were. */
async function orphansAreGone(daemon: Daemon): Promise<void> {
  await daemon.said('left\n');
  await eventually(
    () => zombiesBelow(daemon.pid) === 0 && descendantsOf(daemon.pid).length < 10,
    () => `orphans to be gone: ${zombiesBelow(daemon.pid)} zombies`,
  );
}

it.runIf(canUnshare && hasTini)(
  'under tini as PID 1, what the command leaves behind is reaped',
  async () => {
    await using daemon = new Daemon({
      before: [...AS_PID_1, 'tini', '--'],
      command: ['sh', '-c', LEAVE_ORPHANS],
    });
    await orphansAreGone(daemon);
    await daemon.signal('SIGTERM');
    expect(await daemon.exitCode).toBe(143);
  },
);

it.runIf(canUnshare && hasTini)(
  'as PID 1 itself it starts the command under tini: orphans are reaped, signals and exit code pass',
  async () => {
    const script = `trap 'exit 7' TERM; ${LEAVE_ORPHANS.replace('exec sleep 60', 'while :; do sleep 0.1; done')}`;
    await using daemon = new Daemon({ before: AS_PID_1, command: ['sh', '-c', script] });
    await orphansAreGone(daemon);
    await daemon.signal('SIGTERM');
    expect(await daemon.exitCode).toBe(7);
    expect(daemon.output).not.toContain('without tini');
  },
);

it.runIf(canUnshare)('as PID 1 without tini it says that zombies stay, which is true', async () => {
  const bin = await bareBin();
  try {
    await using daemon = new Daemon({
      before: [...AS_PID_1, 'env', `PATH=${bin}`],
      command: ['sh', '-c', LEAVE_ORPHANS],
    });
    await daemon.logged('running as PID 1 without tini');
    await eventually(
      () => zombiesBelow(daemon.pid) === 20,
      () => `zombies: ${zombiesBelow(daemon.pid)}`,
    );
    await daemon.signal('SIGTERM');
    expect(await daemon.exitCode).toBe(143);
  } finally {
    await rm(bin, { recursive: true });
  }
});

it('ends with 127 and 126 for a command that is not there or cannot be executed, and says which', async () => {
  await using missing = new Daemon({ command: ['no-such-command-here'] });
  await using plain = new Daemon({ command: ['/etc/passwd'] });
  expect([await missing.exitCode, await plain.exitCode]).toEqual([127, 126]);
  await missing.said('COMMAND_NOT_FOUND');
  await plain.said('COMMAND_NOT_EXECUTABLE');
});

it('--wait none starts the command at once and ends with it, whatever is under way', async () => {
  await using host = await SilentHost.open();
  const command = [
    'sh',
    '-c',
    'echo up; while ! test -e "$DIRECTORY/end"; do sleep 0.02; done; exit 5',
  ];
  await using daemon = new Daemon({
    urls: [host.url],
    flags: ['--wait', 'none', ...GIT_USER],
    command,
  });
  await daemon.said('up\n');
  await host.asked();
  writeFileSync(join(daemon.directory, 'end'), '');
  expect(await daemon.exitCode).toBe(5);
  expect(processesOf(daemon.directory)).toEqual([]);
});

it('--wait any and all do not start the command while no mount is ready; SIGTERM ends them with their clones', async () => {
  await using host = await SilentHost.open();
  for (const wait of ['any', 'all']) {
    await using daemon = new Daemon({
      urls: [host.url],
      flags: ['--wait', wait],
      command: ['echo', 'started'],
    });
    await host.asked();
    await daemon.logged('manifest read');
    await daemon.signal('SIGTERM');
    expect(await daemon.exitCode).toBe(143);
    expect(daemon.output).not.toContain('started');
  }
});

it('a second SIGTERM ends a command that ignores the first, with all that it started', async () => {
  const command = ['sh', '-c', 'trap "" TERM; sleep 60 & echo child $!; wait; sleep 60'];
  await using daemon = new Daemon({ command });
  await daemon.said('child ');
  const child = Number(/child (\d+)/.exec(daemon.output)?.[1]);
  await daemon.signal('SIGTERM');
  await daemon.logged('stopping');
  await daemon.signal('SIGTERM');
  expect(await daemon.exitCode).toBe(137);
  expect(isRunning(child)).toBe(false);
});

const TWO_PROCESSES = ['sh', '-c', 'sleep 60 & echo child $!; wait'];

it('--on-crash end: the command and all that it started end when the daemon is killed, and that is said', async () => {
  await using daemon = new Daemon({ command: TWO_PROCESSES });
  await daemon.said('child ');
  const child = Number(/child (\d+)/.exec(daemon.output)?.[1]);
  await daemon.signal('SIGKILL');
  await daemon.logged(DIED.end);
  await eventually(
    () => !isRunning(child),
    () => 'the end of the command',
  );
});

it('--on-crash go-on: the command goes on when the daemon is killed, and that is said', async () => {
  await using daemon = new Daemon({ flags: ['--on-crash', 'go-on'], command: TWO_PROCESSES });
  await daemon.said('child ');
  const child = Number(/child (\d+)/.exec(daemon.output)?.[1]);
  await daemon.signal('SIGKILL');
  await daemon.logged(DIED['go-on']);
  expect(isRunning(child)).toBe(true);
});

/** Throws in the daemon, where nobody catches, when the file appears. */
function withDefect(): {
  readonly NODE_OPTIONS: string;
  readonly TRIGGER: string;
  readonly directory: string;
} {
  const directory = join(tmpdir(), `defect-${process.pid}-${Math.random().toString(36).slice(2)}`);
  mkdirSync(directory);
  const path = join(directory, 'defect.cjs');
  const code = `
    const { existsSync } = require('node:fs');
    if (process.argv[2] === 'run') {
      const timer = setInterval(() => {
        if (!existsSync(process.env.TRIGGER)) return;
        clearInterval(timer);
        throw new Error('planted');
      }, 10);
      timer.unref();
    }`;
  writeFileSync(path, code);
  return { NODE_OPTIONS: `--require ${path}`, TRIGGER: join(directory, 'now'), directory };
}

it('a defect in the daemon ends the command and it with 70; or lets the command go on, and /healthz fails', async () => {
  const { directory, ...env } = withDefect();
  const command = [
    'sh',
    '-c',
    'echo up; while ! test -e "$DIRECTORY/end"; do sleep 0.02; done; exit 5',
  ];
  try {
    await using ending = new Daemon({ env, command });
    await using going = new Daemon({ env, flags: ['--on-crash', 'go-on'], command });
    await Promise.all([ending.said('up\n'), going.said('up\n')]);
    expect(await going.get('/healthz')).toBe(200);
    writeFileSync(env.TRIGGER, '');
    expect(await ending.exitCode).toBe(70);
    expect(
      await ending.logged('the daemon failed: it ends, and its command with it'),
    ).toMatchObject({
      level: 'fatal',
      err: { code: 'INTERNAL', message: 'planted' },
    });
    await going.logged('the daemon failed: its command goes on');
    expect(await going.get('/healthz')).toBe(503);
    expect(await going.get('/livez')).toBe(200);
    writeFileSync(join(going.directory, 'end'), '');
    expect(await going.exitCode).toBe(5);
  } finally {
    await rm(directory, { recursive: true });
  }
});

it('a log pipe that is full holds nothing up; what it had no room for comes later; its end is no end', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'full-pipe-'));
  const path = join(directory, 'log');
  execFileSync('mkfifo', [path]);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(path, constants.O_WRONLY);
  try {
    const filler = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
    expect(() => {
      for (;;) writeSync(filler, '.'.repeat(4096));
    }).toThrow('EAGAIN');
    closeSync(filler);
    const port = await freePort();
    await using daemon = new Daemon({
      flags: ['--listen', `127.0.0.1:${port}`],
      stdio: ['ignore', 'ignore', writer],
    });
    const answers = (): Promise<boolean> =>
      statusOf(port, '/readyz').then(
        (code) => code === 200,
        () => false,
      );
    await eventually(answers, () => 'an answer while the log is full');
    let text = '';
    await eventually(
      () => (text += readSome(reader)).includes('manifest read'),
      () => 'the log',
    );
    closeSync(reader);
    expect(await statusOf(port, '/livez')).toBe(200);
    await daemon.signal('SIGTERM');
    expect(await daemon.exitCode).toBe(143);
  } finally {
    closeSync(writer);
    await rm(directory, { recursive: true });
  }
});

it('starts and ends without standard input, output and error', async () => {
  const before = ['sh', '-c', 'exec "$@" <&- >&- 2>&-', 'sh'];
  await using daemon = new Daemon({
    before,
    command: ['sh', '-c', 'echo up >"$DIRECTORY/up"; sleep 60'],
  });
  await eventually(
    () => processesOf(daemon.directory).length > 0 && isWritten(join(daemon.directory, 'up')),
    () => 'the command',
  );
  await daemon.signal('SIGTERM');
  expect(await daemon.exitCode).toBe(143);
});

function isWritten(path: string): boolean {
  try {
    return readFileSync(path, 'utf8') !== '';
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return false;
  }
}

/** Of a pipe; nothing when it is empty. */
function readSome(fd: number): string {
  const buffer = Buffer.alloc(1 << 16);
  try {
    return buffer.toString('latin1', 0, readSync(fd, buffer));
  } catch (error) {
    if (errnoOf(error) !== 'EAGAIN') throw error;
    return '';
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
