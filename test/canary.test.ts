import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { searchForTokens } from './canary.ts';

const TOKEN = 'github_pat_canary+/0123456789?x';
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'canary-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

it('searchForTokens() finds every form in files, however deep and at whatever alignment', async () => {
  const gitDir = join(directory, 'clone', '.git', 'objects', 'pack');
  await mkdir(gitDir, { recursive: true });
  const planted: Record<string, string> = {
    raw: TOKEN,
    url: encodeURIComponent(TOKEN),
    'basic-0': Buffer.from(TOKEN).toString('base64'),
    'basic-1': Buffer.from(`a${TOKEN}b`).toString('base64'),
    'basic-2': Buffer.from(`ab${TOKEN}`).toString('base64url'),
  };
  for (const [name, form] of Object.entries(planted)) {
    const noise = Buffer.alloc(1000, 0xee);
    await writeFile(join(gitDir, name), Buffer.concat([noise, Buffer.from(form), noise]));
  }
  const findings = await searchForTokens([TOKEN], { directories: [directory] });
  const found = new Set(findings.map(({ where }) => where));
  expect([...found].sort()).toEqual(
    Object.keys(planted)
      .map((name) => join(gitDir, name))
      .sort(),
  );
});

it('searchForTokens() finds a token that lies across two pieces of a large file', async () => {
  const file = join(directory, 'large');
  for (const at of [4 << 20, (4 << 20) - 5, (4 << 20) - TOKEN.length + 1, 9 << 20]) {
    await writeFile(file, Buffer.concat([Buffer.alloc(at), Buffer.from(TOKEN), Buffer.alloc(99)]));
    expect(await searchForTokens([TOKEN], { files: [file] })).toEqual([
      { where: file, form: 'token 0, raw' },
    ]);
  }
});

it('searchForTokens() finds a token in a file name, a link target and a text', async () => {
  const token = 'ghp_canary0123456789';
  await writeFile(join(directory, token), '');
  await symlink(`/nowhere/${token}`, join(directory, 'link'));
  const texts = {
    log: `authorization: ${Buffer.from(`x:${token}`).toString('base64')}`,
    clean: '-',
  };
  const findings = await searchForTokens(['unused-token', token], {
    directories: [directory],
    texts,
  });
  expect(findings.map(({ where }) => where).sort()).toEqual([
    'log',
    `name of ${join(directory, token)}`,
    `target of ${join(directory, 'link')}`,
  ]);
  expect(findings[0]?.form).toMatch(/^token 1, /);
});

it('searchForTokens() finds a token in an argument and in a variable that may not hold it', async () => {
  const env = { GH_TOKEN: TOKEN, LEAK: TOKEN };
  const sleeping = spawn('/bin/sleep', ['60'], { env });
  const arguing = spawn('/bin/sh', ['-c', 'read x', TOKEN], { env: {} });
  try {
    await expect
      .poll(() => searchForTokens([TOKEN], { processes: 'all', allowVariables: ['GH_TOKEN'] }))
      .toEqual([
        { where: `/proc/${sleeping.pid!}/environ`, form: 'token 0, raw' },
        { where: `/proc/${arguing.pid!}/cmdline`, form: 'token 0, raw' },
      ]);
    const places = { processes: [sleeping.pid!], allowVariables: ['GH_TOKEN', 'LEAK'] };
    expect(await searchForTokens([TOKEN], places)).toEqual([]);
  } finally {
    const ends = [once(sleeping, 'exit'), once(arguing, 'exit')];
    sleeping.kill();
    arguing.kill();
    await Promise.all(ends);
  }
});

it('searchForTokens() lets allowed files hold a token, but only when they are private', async () => {
  const file = join(directory, 'credentials');
  await writeFile(file, TOKEN, { mode: 0o600 });
  const places = { directories: [directory], allow: [file] };
  expect(await searchForTokens([TOKEN], places)).toEqual([]);
  await chmod(file, 0o644);
  expect(await searchForTokens([TOKEN], places)).toEqual([{ where: file, form: 'mode 644' }]);
  await chmod(file, 0o600);
  const below = { directories: [directory], allow: [`${directory}/`] };
  expect(await searchForTokens([TOKEN], below)).toEqual([]);
});

it('searchForTokens() finds a token that git keeps compressed, packed, and refers to nowhere', async () => {
  const clone = join(directory, 'clone');
  const git = (...args: string[]): string =>
    execFileSync('git', ['-C', clone, '-c', 'user.name=A', '-c', 'user.email=a@b.c', ...args], {
      env: { PATH: process.env['PATH'], GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null' },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  await mkdir(clone);
  git('init', '-q');
  git('commit', '-q', '--allow-empty', '-m', 'first');
  git('commit', '-q', '--allow-empty', '-m', `with ${TOKEN}`);
  const found = [{ where: `objects of ${join(clone, '.git')}`, form: 'token 0, raw' }];
  const search = (): Promise<unknown> =>
    searchForTokens([TOKEN], { directories: [join(clone, '.git')] });
  await rm(join(clone, '.git', 'COMMIT_EDITMSG'));
  await rm(join(clone, '.git', 'logs'), { recursive: true });
  expect(await search()).toEqual(found);
  git('repack', '-q', '-a', '-d');
  git('update-ref', 'refs/heads/main', git('rev-parse', 'HEAD^').trim());
  await rm(join(clone, '.git', 'logs'), { recursive: true, force: true });
  expect(await search()).toEqual(found);
});
