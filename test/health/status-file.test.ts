import { mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { AgentError } from '../../agent/errors.ts';
import { StatusFile } from '../../agent/health/status-file.ts';
import { reportOf } from '../../agent/error-report.ts';
import type { StatusSnapshot, StatusTable } from '../../agent/status.ts';
import { SECRET, eventually, recordLog, tableOfTwo } from './fixtures.ts';
import type { LogRecord } from './fixtures.ts';

let runDir: string;
let path: string;
let record: LogRecord;

beforeEach(async () => {
  runDir = await mkdtemp(join(tmpdir(), 'status-file-'));
  path = join(runDir, 'status.json');
  record = recordLog();
});

const open: StatusFile[] = [];

afterEach(async () => {
  for (const file of open.splice(0)) await file[Symbol.asyncDispose]();
  await rm(runDir, { recursive: true, force: true });
});

async function openFile(status: StatusTable, intervalMs = 20): Promise<StatusFile> {
  const { log, redactor } = record;
  const redact = (text: string) => redactor.redact(text);
  const file = await StatusFile.open({ runDir, status, redact, log, intervalMs });
  open.push(file);
  return file;
}

async function readBack(): Promise<StatusSnapshot> {
  return JSON.parse(await readFile(path, 'utf8')) as StatusSnapshot;
}

it('the file is there with mode 0600 as soon as it is open, and equals /status', async () => {
  const status = tableOfTwo();
  await openFile(status);
  expect(await readBack()).toEqual(status.snapshot());
  expect(((await stat(path)).mode & 0o777).toString(8)).toBe('600');
});

it.runIf(process.getuid?.() === 0)('run by root, the file belongs to the owner', async () => {
  const { log } = record;
  const owner = { uid: 1234, gid: 5678 };
  open.push(
    await StatusFile.open({ runDir, status: tableOfTwo(), redact: (text) => text, log, owner }),
  );
  expect(await stat(path)).toMatchObject(owner);
});

it('the last of many quick changes reaches the file, in few writes, never half', async () => {
  const status = tableOfTwo();
  await openFile(status, 60);
  const inodes = new Set<number>();
  const begun = Date.now();
  let changes = 0;
  while (Date.now() - begun < 400) {
    status.update('/app/web', { attempts: ++changes });
    expect((await readBack()).version).toBe('1.2.3');
    inodes.add((await stat(path)).ino);
  }
  await eventually(async () => (await readBack()).mounts[0]!.attempts === changes);
  expect(changes).toBeGreaterThan(20);
  // An inode number may come back, so this is a lower bound of the writes; at least it moved.
  expect(inodes.size).toBeGreaterThan(1);
});

it('no more than one write per interval', async () => {
  const status = tableOfTwo();
  await openFile(status, 60_000);
  const { mtimeMs, ino } = await stat(path);
  for (let change = 0; change < 1_000; change++) status.update('/app/web', { attempts: change });
  await new Promise((resolve) => setImmediate(resolve));
  expect(await stat(path)).toMatchObject({ mtimeMs, ino });
});

it('closing writes what is still owed and leaves the file', async () => {
  const status = tableOfTwo();
  const file = await openFile(status, 60_000);
  status.update('/app/web', { phase: 'ready' });
  expect((await readBack()).mounts[0]!.phase).toBe('pending');
  await file[Symbol.asyncDispose]();
  expect((await readBack()).mounts[0]!.phase).toBe('ready');
  status.update('/app/web', { phase: 'failed' });
  expect(await readdir(runDir)).toEqual(['status.json']);
});

it('no token gets into the file', async () => {
  const status = tableOfTwo();
  const error = reportOf(new AgentError('TRANSPORT_REMOTE', `got ${SECRET}`), null);
  status.update('/app/web', { error });
  await openFile(status);
  const text = await readFile(path, 'utf8');
  expect(text).not.toContain('canary');
  expect(text).toContain('[redacted]');
});

it('a link planted under either name is replaced, not written through', async () => {
  const victim = join(runDir, 'victim');
  await writeFile(victim, 'untouched');
  await symlink(victim, path);
  await symlink(victim, `${path}.new`);
  await openFile(tableOfTwo());
  expect(await readFile(victim, 'utf8')).toBe('untouched');
  expect((await readBack()).version).toBe('1.2.3');
});

it('when the directory comes back, the file does', async () => {
  const status = tableOfTwo();
  await openFile(status);
  await rm(runDir, { recursive: true });
  const complaints = () => record.lines.filter((line) => line.includes('status.json not written'));
  status.update('/app/web', { attempts: 1 });
  await eventually(() => complaints().length > 0);
  const { err } = JSON.parse(complaints()[0]!) as { err: Record<string, string> };
  expect(err).toMatchObject({ code: 'RUN_DIR_UNUSABLE', message: `cannot write ${path}: ENOENT` });
  expect(err['remedy']).toContain('Make --run-dir writable');
  await mkdir(runDir, { mode: 0o700 });
  status.update('/app/web', { attempts: 4 });
  await eventually(async () => (await readdir(runDir)).includes('status.json'));
  expect((await readBack()).mounts[0]!.attempts).toBe(4);
});

it('a series of failed writes is one line in the log', async () => {
  const status = tableOfTwo();
  const file = await openFile(status, 5);
  await rm(runDir, { recursive: true });
  status.update('/app/web', { attempts: 1 });
  await eventually(() => record.lines.length > 0);
  status.update('/app/web', { attempts: 2 });
  // Closing waits for the writes before it and fails once more.
  await file[Symbol.asyncDispose]();
  expect(record.lines).toHaveLength(1);
});
