import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Session, resourceOf } from './session.ts';

// What git's own t0300-credentials.sh tries against helpers, here against the session's, through git.

const TOKEN = 'github_pat_canarySystem0123456789';

let session: Session;
beforeAll(async () => {
  session = new Session();
  const mountPath = join(session.root, 'web');
  const url = 'https://github.com/acme/web';
  await session.files.write([resourceOf({ url, mountPath, token: TOKEN })]);
  await session.repository('web');
});
afterAll(() => {
  session.remove();
});

/** The password that `git credential fill` ends up with for what it reads. */
async function fill(description: string): Promise<string | null> {
  const { stdout } = await session.run('git', ['credential', 'fill'], {
    cwd: join(session.root, 'web'),
    stdin: `${description}\n\n`,
  });
  return /^password=(.*)$/m.exec(stdout)?.[1] ?? null;
}

it.each([
  'protocol=https\nhost=github.com',
  'host=github.com\nprotocol=https',
  'url=https://github.com',
  'url=https://github.com/acme/web.git',
  'url=https://github.com/a%20b',
  'url=https://me@github.com/acme/web',
  'url=https://me%40example.com@github.com/acme/web',
  'url=https://github.com?x=1',
  'url=https://github.com#x',
  'url=https://evil.example/\nurl=https://github.com/',
  'protocol=http\nhost=evil\nurl=https://github.com/',
])('git finds the token for %j', async (description) => {
  expect(await fill(description)).toBe(TOKEN);
});

it.each([
  ...['protocol=https', 'host=github.com', 'protocol=https\nhost=', 'protocol=\nhost=github.com'],
  ...['url=https:///acme/web', 'url=https://', 'url=//github.com/', 'url=github.com'],
  ...['url=https://?github.com', 'url=https://#github.com', 'url=https://evil?@github.com/'],
  ...[
    'url=https://evil#@github.com/',
    'url=https://github.com@evil/',
    'url=https://github.com:x@evil/',
  ],
  ...[
    'url=https://github.com/a%0ab',
    'url=https://evil%0ahost=github.com/',
    'url=https://github.com%0ahost=evil/',
  ],
  ...['url=https://github.com%0d/', 'url=https://evil%0dhost=github.com/'],
  ...[
    'url=https://github.com%00.evil/',
    'url=https://github.com%2eevil/',
    'url=https%3a//github.com/',
  ],
  ...[
    'protocol=https\nhost=github.com\nhost=evil',
    'protocol=https\nprotocol=http\nhost=github.com',
  ],
  ...['protocol=https\nhost=github.com\nurl=https://evil/', 'url=https://github.com/\nhost=evil'],
  ...[
    'protocol=https\nhost=github\r.com',
    'protocol=https\nhost=evil\0host=github.com',
    'capability[]=x',
  ],
])('git finds no token for %j', async (description) => {
  expect(await fill(description)).not.toBe(TOKEN);
});

it('who brings a password keeps it', async () => {
  expect(await fill('url=https://me:own@github.com/')).toBe('own');
});

it('the empty helper before ours takes the others out, and one after ours is not asked', async () => {
  const others = ['first', 'second'].map((word) => `!echo password=${word}; echo username=x`);
  const args = others.flatMap((helper) => ['-c', `credential.https://github.com.helper=${helper}`]);
  const { stdout } = await session.run('git', ['credential', 'fill'], {
    cwd: join(session.root, 'web'),
    env: {
      // Before the session's own, as in the user's configuration.
      GIT_CONFIG_COUNT: '2',
      GIT_CONFIG_KEY_0: 'credential.https://github.com.helper',
      GIT_CONFIG_VALUE_0: others[0] ?? '',
      GIT_CONFIG_KEY_1: 'include.path',
      GIT_CONFIG_VALUE_1: join(session.runDirectory, 'credentials', 'gitconfig'),
    },
    stdin: 'url=https://github.com/\n\n',
  });
  expect(stdout).toContain(`password=${TOKEN}\n`);
  const after = await session.run('git', [...args, 'credential', 'fill'], {
    cwd: join(session.root, 'web'),
    stdin: 'url=https://github.com/\n\n',
  });
  expect(after.stdout).toContain(`password=${TOKEN}\n`);
});
