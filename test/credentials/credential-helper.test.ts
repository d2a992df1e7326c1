import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const CREDENTIALS = join(import.meta.dirname, '../../agent/credentials');
const HELPER = join(CREDENTIALS, 'credential-helper.sh');
const SECRET = 'github_pat_canary0HelperTests';
const ANSWER = `username=x-access-token\npassword=${SECRET}\n`;

const root = mkdtempSync(join(tmpdir(), 'credential-helper-'));
const tokenFile = join(root, "it's a token");
writeFileSync(tokenFile, `${SECRET}\n`, { mode: 0o600 });
afterAll(() => {
  rmSync(root, { recursive: true });
});

type Shell = readonly [string, ...string[]];
const SHELLS: readonly Shell[] = [['dash'], ['busybox', 'sh'], ['bash', '--posix']];

function ask(shell: Shell, input: string, args: readonly string[]): string {
  const [program, ...options] = shell;
  const { stdout, stderr, status } = spawnSync(program, [...options, HELPER, ...args], {
    input,
    encoding: 'utf8',
    cwd: root,
  });
  expect(status).toBe(0);
  return stdout + stderr;
}

const HTTPS = [tokenFile, 'https', 'github.com', 'get'] as const;

/** In the order of git's t0300: what git sends, and what must not be taken for it. */
const ANSWERED: Readonly<Record<string, string>> = {
  'protocol and host': 'protocol=https\nhost=github.com\n',
  'a closing empty line': 'protocol=https\nhost=github.com\n\n',
  'nothing after the last value': 'protocol=https\nhost=github.com',
  'host before protocol': 'host=github.com\nprotocol=https\n',
  'a path, a user name, capabilities and challenges':
    'capability[]=authtype\ncapability[]=state\nprotocol=https\nhost=github.com\n' +
    'path=acme/we b*.git\nusername=me\nwwwauth[]=Basic realm="x=y"\nunknown=1\n\n',
  'a host in capitals, as typed': 'protocol=https\nhost=GitHub.COM\n',
  "the protocol's own port": 'protocol=https\nhost=github.com:443\n',
  'something else after the end of the request':
    'protocol=https\nhost=github.com\n\nprotocol=http\nhost=evil\n',
};

const REFUSED: Readonly<Record<string, string>> = {
  'nothing at all': '',
  'an empty line first': '\nprotocol=https\nhost=github.com\n',
  'no protocol': 'host=github.com\n',
  'no host': 'protocol=https\n',
  'an empty protocol': 'protocol=\nhost=github.com\n',
  'an empty host': 'protocol=https\nhost=\n',
  'only a url': 'url=https://github.com\n',
  'http for https': 'protocol=http\nhost=github.com\n',
  'ssh for https': 'protocol=ssh\nhost=github.com\n',
  'HTTPS in capitals, which git never sends': 'protocol=HTTPS\nhost=github.com\n',
  'another port': 'protocol=https\nhost=github.com:8443\n',
  "the other protocol's port": 'protocol=https\nhost=github.com:80\n',
  'a longer host': 'protocol=https\nhost=github.com.evil\n',
  'a subdomain': 'protocol=https\nhost=api.github.com\n',
  'a host that ends in ours': 'protocol=https\nhost=evilgithub.com\n',
  'a trailing dot': 'protocol=https\nhost=github.com.\n',
  'a glob': 'protocol=https\nhost=*\n',
  'a glob in brackets': 'protocol=https\nhost=github.co[m]\n',
  'a user in the host': 'protocol=https\nhost=x@github.com\n',
  'a space after the host': 'protocol=https\nhost=github.com \n',
  'a space before the key': 'protocol=https\n host=github.com\n',
  'a line without "="': 'protocol=https\nhost=github.com\nbogus\n',
  'a carriage return after the host': 'protocol=https\nhost=github.com\r\n',
  'a carriage return in another field': 'protocol=https\nhost=github.com\npath=a\rb\n',
  'a carriage return that hides the host': 'protocol=https\nhost=evil\rhost=github.com\n',
  'NUL after the host': 'protocol=https\nhost=github.com\0\n',
  'NUL inside the host': 'protocol=https\nhost=git\0hub.com\n',
  'NUL and another host': 'protocol=https\nhost=github.com\0.evil\n',
  'a second host, ours last': 'protocol=https\nhost=evil\nhost=github.com\n',
  'a second host, ours first': 'protocol=https\nhost=github.com\nhost=evil\n',
  'a second protocol': 'protocol=http\nprotocol=https\nhost=github.com\n',
  'an escaped newline': 'protocol=https\nhost=evil%0ahost=github.com\n',
  'a backslash': 'protocol=https\nhost=github.com\\\n',
  'a homograph': 'protocol=https\nhost=g\u0456thub.com\n',
  'shell words': 'protocol=https\nhost=$(cat *)\n',
};

describe.each(SHELLS)('credential-helper.sh under %s', (...shell) => {
  const names: Shell = shell as unknown as Shell;

  it.each(Object.entries(ANSWERED))('get answers %s', (_, input) => {
    expect(ask(names, input, HTTPS)).toBe(ANSWER);
  });

  it.each(Object.entries(REFUSED))('get prints nothing for %s', (_, input) => {
    expect(ask(names, input, HTTPS)).toBe('');
  });

  it('get answers for a host with a port only with that port', () => {
    const args = [tokenFile, 'https', 'ghe.example:8443', 'get'];
    expect(ask(names, 'protocol=https\nhost=ghe.example:8443\n', args)).toBe(ANSWER);
    for (const host of ['ghe.example', 'ghe.example:443', 'ghe.example:84430', 'ghe.example:']) {
      expect(ask(names, `protocol=https\nhost=${host}\n`, args)).toBe('');
    }
  });

  it.each(['store', 'erase', 'capability', 'GET', ''])(
    '"%s" prints and changes nothing',
    (word) => {
      const input = 'protocol=https\nhost=github.com\nusername=x\npassword=other\n\n';
      expect(ask(names, input, [tokenFile, 'https', 'github.com', word])).toBe('');
      expect(readFileSync(tokenFile, 'utf8')).toBe(`${SECRET}\n`);
      expect(readdirSync(root)).toEqual(["it's a token"]);
    },
  );

  it('says which token file is missing, on standard error only', () => {
    const missing = join(root, 'missing');
    const args = [missing, 'https', 'github.com', 'get'];
    const said = ask(names, 'protocol=https\nhost=github.com\n', args);
    expect(said).toBe(`mount-agent: no token in ${missing}\n`);
  });
});

it('both scripts pass shellcheck', () => {
  const outcome = spawnSync('shellcheck', [HELPER, join(CREDENTIALS, 'bin/gh')], {
    encoding: 'utf8',
  });
  expect(outcome.stdout).toBe('');
  expect(outcome.status).toBe(0);
});
