import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Redactor, createLog } from '../../agent/log.ts';
import { Token } from '../../agent/token.ts';
import { runWarnProgram, warnProgramEnvironment } from '../../agent/work/warn-program.ts';
import type { WarnProgramContext } from '../../agent/work/warn-program.ts';
import type { WarningEvent } from '../../agent/work/warning-event.ts';
import { eventually, readIfThere } from '../end-to-end/session.ts';

const SECRET = 'ghp_warnProgramCanary0123456789';
const PATH = process.env['PATH'] ?? '';
const EVENT: WarningEvent = {
  schema: 1,
  id: '00000000-0000-4000-8000-000000000000',
  event: 'warning',
  reason: 'deadline',
  at: '2026-01-01T20:00:00.000Z',
  message: `work will be lost; ${SECRET}`,
  version: '0',
  session_id: 'sess_1',
  last_activity_at: '2026-01-01T00:00:00.000Z',
  reclaim_at: '2026-01-02T00:00:00.000Z',
  seconds_until_reclaim: 14_400,
  threshold_seconds: 14_400,
  notice: null,
  mounts: [],
};

let directory = '';
const redactor = new Redactor();
redactor.add(new Token(SECRET));

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'on-warn-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

async function script(text: string): Promise<string> {
  const path = join(directory, 'program');
  await writeFile(path, `#!/bin/sh\n${text}\n`);
  await chmod(path, 0o755);
  return path;
}

async function runIt(
  program: string,
  options: Partial<WarnProgramContext> = {},
  signal = new AbortController().signal,
): Promise<void> {
  const log = createLog({ level: 'silent', destination: process.stderr }, redactor);
  const redact = (text: string): string => redactor.redact(text);
  const context = { program, env: { PATH, OUT: directory }, cwd: '/', redact, log, ...options };
  await runWarnProgram(context, EVENT, signal);
}

it('the program gets the event as JSON on its standard input, no arguments, and no token', async () => {
  const program = await script(
    'cat > "$OUT/event"; echo "$# $PWD" > "$OUT/facts"; env > "$OUT/env"',
  );
  await runIt(program);
  const text = await readFile(join(directory, 'event'), 'utf8');
  expect(JSON.parse(text)).toEqual({ ...EVENT, message: 'work will be lost; [redacted]' });
  expect(await readFile(join(directory, 'facts'), 'utf8')).toBe('0 /\n');
  expect(await readFile(join(directory, 'env'), 'utf8')).not.toContain('HOME=');
});

it('a name is looked for in the PATH that the program gets', async () => {
  await script('echo ran > "$OUT/ran"');
  await runIt('program', { env: { PATH: `${directory}:${PATH}`, OUT: directory } });
  expect(await readFile(join(directory, 'ran'), 'utf8')).toBe('ran\n');
});

it('a program that does not read its input does no harm', async () => {
  await runIt(await script('exec 0<&-; exit 0'));
});

it.each([
  ['echo "no route to $((6*7))" >&2; exit 3', /ended with exit code 3: no route to 42$/],
  ['kill -9 $$', /ended with SIGKILL$/],
])('a program that fails (%j) says why', async (text, message) => {
  await expect(runIt(await script(text))).rejects.toMatchObject({
    code: 'WARNING_UNDELIVERED',
    message: expect.stringMatching(message) as string,
  });
});

it('a program that is not there, or not executable, is named', async () => {
  await expect(runIt(join(directory, 'nowhere'))).rejects.toMatchObject({
    code: 'WARNING_UNDELIVERED',
    message: expect.stringContaining('nowhere cannot be started: ENOENT') as string,
  });
  const path = join(directory, 'plain');
  await writeFile(path, 'text');
  await expect(runIt(path)).rejects.toMatchObject({ data: { errno: 'EACCES' } });
});

/** True once no such process runs; what nobody waits for counts as ended. */
async function hasEnded(pid: string): Promise<boolean> {
  const stat = await readIfThere(`/proc/${pid.trim()}/stat`);
  return stat === undefined || /^\) Z/.test(stat.slice(stat.lastIndexOf(')')));
}

it('its time is limited: SIGTERM, then SIGKILL, to whatever it has started as well', async () => {
  const program = await script(
    'trap "echo term >> $OUT/signals" TERM; (trap "" TERM; sleep 600) & echo $! > "$OUT/child"; while :; do sleep 1 & wait; done',
  );
  await expect(runIt(program, { timeLimitMs: 700, graceMs: 200 })).rejects.toMatchObject({
    message: expect.stringContaining('did not end in time and was stopped') as string,
  });
  expect(await readFile(join(directory, 'signals'), 'utf8')).toBe('term\n');
  const child = await readFile(join(directory, 'child'), 'utf8');
  await eventually('the end of what it started', () => hasEnded(child));
});

it('what it leaves running on purpose is not waited for', async () => {
  await runIt(await script('sleep 600 & echo $! > "$OUT/child"; exit 0'));
  const child = await readFile(join(directory, 'child'), 'utf8');
  expect(await hasEnded(child)).toBe(false);
  process.kill(Number(child), 'SIGKILL');
});

it('the end of the session ends it', async () => {
  const ending = new AbortController();
  const running = runIt(await script('echo $$ > "$OUT/self"; exec sleep 600'), {}, ending.signal);
  const self = await eventually('the start', () => readIfThere(join(directory, 'self')));
  ending.abort(new Error('the session has ended'));
  await expect(running).rejects.toThrow('the session has ended');
  expect(await hasEnded(self)).toBe(true);
});

it.runIf(process.getuid?.() === 0)(
  'as root with --owner it runs as the owner, in no other group',
  async () => {
    await chmod(directory, 0o777);
    const program = await script('echo "$(id -u) $(id -g) $(id -G)" > "$OUT/who"');
    await runIt(program, { owner: { uid: 54_321, gid: 54_322 } });
    expect(await readFile(join(directory, 'who'), 'utf8')).toBe('54321 54322 54322\n');
  },
);

it('its environment is that of the daemon, without anything in which a token stands', () => {
  const base = {
    PATH: '/bin',
    HOME: '/root',
    GH_TOKEN: 'whatever-it-is',
    GITHUB_ENTERPRISE_TOKEN: 'whatever-it-is',
    URL: `https://x:${encodeURIComponent(SECRET)}@github.com/a/b`,
    BASIC: Buffer.from(`x-access-token:${SECRET}`).toString('base64'),
    SLACK_CHANNEL: '#work',
  };
  const redact = (text: string): string => redactor.redact(text);
  expect(warnProgramEnvironment(base, redact, { HOME: '/home/agent', USER: undefined })).toEqual({
    PATH: '/bin',
    HOME: '/home/agent',
    SLACK_CHANNEL: '#work',
  });
});
