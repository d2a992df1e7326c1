import { execFileSync } from 'node:child_process';
import {
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseInvocation } from '../../agent/cli.ts';
import type { Host } from '../../agent/host.ts';
import { rescueCommand } from '../../agent/rescue-command.ts';
import { runGit } from '../work/scratch-repository.ts';

let base = '';
let mount = '';

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'rescue-command-'));
  mount = join(base, 'web');
  runGit(base, ['init', '-q', '-b', 'main', mount]);
  runGit(mount, ['remote', 'add', 'origin', 'https://user:secret@git.example/acme/web.git']);
  writeFileSync(join(mount, 'a.txt'), 'a\n');
  runGit(mount, ['add', '-A']);
  runGit(mount, ['commit', '-qm', 'one']);
  writeFileSync(join(mount, 'b.txt'), 'b\n');
});
afterEach(() => {
  rmSync(base, { recursive: true, force: true });
});

async function run(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const written = { stdout: '', stderr: '' };
  const host: Host = {
    env: { HOME: base },
    stdin: Readable.from([]),
    stdout: { write: (text) => (written.stdout += text) },
    stderr: { write: (text) => (written.stderr += text) },
    pid: process.pid,
    onDefect: () => () => undefined,
    nodeVersion: process.version,
    uid: 0,
    owner: null,
    onSignal: () => () => undefined,
  };
  const invocation = parseInvocation(['rescue', ...argv], {});
  if (invocation.kind !== 'command') throw new Error(invocation.text);
  return { code: await rescueCommand(invocation.config, host), ...written };
}

test('rescue MOUNT writes one file per mount and needs no daemon', async () => {
  const out = join(base, 'out');
  const { code, stdout, stderr } = await run('--out', out, mount);
  expect(code).toBe(0);
  expect(stdout.trimEnd()).toBe(join(out, readdirSync(out)[0] ?? ''));
  expect(stderr).toContain('1 commit, 1 untracked file');
  const checked = await run('--verify', stdout.trimEnd());
  expect(checked).toMatchObject({ code: 0 });
  expect(checked.stdout).toContain('whole');
});

test('rescue tells no password of a remote, in no member', async () => {
  const { stdout } = await run('--out', join(base, 'out'), '--json', mount);
  const [{ file = '' } = {}] = JSON.parse(stdout) as { file?: string }[];
  const text = execFileSync('tar', ['-xzOf', file]).toString('latin1');
  expect(text).toContain('https://git.example/acme/web.git');
  expect(text).not.toContain('secret');
});

test('--verify ends with 65 for a file that was cut off', async () => {
  const { stdout } = await run('--out', join(base, 'out'), mount);
  const file = stdout.trimEnd();
  truncateSync(file, readFileSync(file).length - 20);
  await expect(run('--verify', file)).rejects.toMatchObject({ code: 'RESCUE_INVALID', exit: 65 });
});

test('a mount that cannot be rescued does not stop the next one; the end is 69', async () => {
  const { code, stdout, stderr } = await run('--out', join(base, 'out'), join(base, 'none'), mount);
  expect(code).toBe(69);
  expect(stderr).toContain('RESCUE_SOURCE_MISSING');
  expect(stdout).toContain('.rescue.tar.gz');
});

test('a directory inside the mount is refused: a rescue never writes there', async () => {
  const { code, stderr } = await run('--out', join(mount, 'out'), mount);
  expect(code).toBe(69);
  expect(stderr).toContain('RESCUE_WRITE_FAILED');
});

test('without a Git directory the files are saved all the same', async () => {
  rmSync(join(mount, '.git'), { recursive: true });
  const { code, stderr } = await run('--out', join(base, 'out'), mount);
  expect(code).toBe(0);
  expect(stderr).toContain('2 untracked files');
  expect(stderr).toContain('taken file by file');
});

test('without mounts and without a daemon the end is 69', async () => {
  const asked = run('--run-dir', join(base, 'run'));
  await expect(asked).rejects.toMatchObject({ code: 'DAEMON_UNREACHABLE', exit: 69 });
});
