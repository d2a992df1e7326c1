import { expect, it } from 'vitest';
import { parseInvocation } from '../agent/cli.ts';
import type { Config } from '../agent/cli.ts';
import type { Environment } from '../agent/host.ts';
import { AgentError } from '../agent/errors.ts';
import { COMMANDS, FLAGS } from '../agent/flags.ts';
import { VERSION } from '../agent/version.ts';

function configOf(argv: string[], env: Environment = {}): Config {
  const invocation = parseInvocation(argv, env);
  if (invocation.kind !== 'command') throw new Error(`expected a command, got text`);
  return invocation.config;
}

function usageErrorOf(argv: string[], env: Environment = {}): string {
  try {
    parseInvocation(argv, env);
  } catch (error) {
    expect(error).toBeInstanceOf(AgentError);
    expect(error).toMatchObject({ code: 'USAGE_INVALID', exit: 64 });
    return (error as AgentError).message;
  }
  throw new Error('expected USAGE_INVALID');
}

it('parseInvocation() fills in the defaults of the contract', () => {
  expect(configOf(['run'])).toMatchObject({
    manifest: '/run/mount-agent/manifest.json',
    manifestTimeoutMs: 60_000,
    mountRoot: '/app',
    runDir: '/run/mount-agent',
    listen: [{ host: '127.0.0.1', port: 8484 }],
    wait: 'all',
    onCrash: 'end',
    reclaimAfterMs: 86_400_000,
    warnBeforeMs: [14_400_000, 3_600_000, 900_000],
    retryForMs: 600_000,
    allowHttp: false,
    command: [],
  });
});

it('the arguments of the command are left as they are', () => {
  const command = ['sleep', '007', '0x10', '1e3', '--jobs', '2'];
  expect(configOf(['run', '--', ...command]).command).toEqual(command);
});

it('each flag of each command has an environment twin, and the command line wins', () => {
  const env = {
    MOUNT_AGENT_MOUNT_ROOT: '/data',
    MOUNT_AGENT_LISTEN: '127.0.0.1:0,[::1]:0',
    MOUNT_AGENT_ALLOW_HTTP: 'true',
    MOUNT_AGENT_JOBS: '7',
  };
  expect(configOf(['run'], env)).toMatchObject({
    mountRoot: '/data',
    listen: [
      { host: '127.0.0.1', port: 0 },
      { host: '::1', port: 0 },
    ],
    allowHttp: true,
    jobs: 7,
  });
  expect(configOf(['run', '--jobs', '2', '--mount-root', '/app'], env)).toMatchObject({
    jobs: 2,
    mountRoot: '/app',
  });
});

it('a twin of a flag that a command does not have is no error', () => {
  expect(configOf(['status'], { MOUNT_AGENT_LISTEN: '127.0.0.1:1' }).json).toBe(false);
});

it('everything after -- is the command, flags included', () => {
  expect(configOf(['run', '--', 'sh', '-c', 'exit 3', '--help']).command).toEqual([
    'sh',
    '-c',
    'exit 3',
    '--help',
  ]);
});

it.each([
  [['run', '--bogus'], {}, /bogus/],
  [['frob'], {}, /frob/],
  [[], {}, /command/],
  [['mount', '--', 'x'], {}, /takes no command/],
  [['run', 'extra'], {}, /extra/],
  [['run', '--manifest'], {}, /manifest/],
  [['run', '--jobs', '0'], {}, /--jobs: expected/],
  [['run', '--jobs', '1.5'], {}, /--jobs: expected/],
  [['run', '--listen', '127.0.0.1'], {}, /--listen: expected host:port/],
  [['run', '--listen', '127.0.0.1:65536'], {}, /--listen/],
  [['run', '--warn-before', '1h,soon'], {}, /--warn-before: expected a duration .* "soon"/],
  [['run', '--run-dir', 'relative'], {}, /--run-dir: expected an absolute path/],
  [['run', '--on-warn', './notify'], {}, /--on-warn: expected an absolute path or the name/],
  [
    ['run', '--warn-url', 'hooks.example.com/x'],
    {},
    /--warn-url: expected an https URL; this is no/,
  ],
  [['run', '--warn-url', 'http://127.0.0.1/x'], {}, /plain http needs --allow-http/],
  [['run', '--allow-http', '--warn-url', 'http://example.com/x'], {}, /and a loopback host/],
  [['run', '--warn-url', 'https://u:p@example.com/x'], {}, /sign with --warn-key-file/],
  [['run'], { MOUNT_AGENT_WAIT: 'some' }, /--wait: expected one of all, any, none/],
  [['run'], { MOUNT_AGENT_ALLOW_HTTP: 'perhaps' }, /--allow-http: expected/],
  [['run'], { MOUNT_AGENT_JOBS: 'many' }, /--jobs/],
])('%j with %j is a usage error that names the fault', (argv, env, message) => {
  expect(usageErrorOf(argv, env)).toMatch(message);
});

it('the URL of --warn-url, which may be a secret, is in no message', () => {
  for (const url of ['ftp://h/secret', 'https://u:secret@h/secret', 'secret']) {
    expect(usageErrorOf(['run', '--warn-url', url])).not.toContain('secret');
  }
  const config = configOf(['run', '--allow-http', '--on-warn', 'notify'], {
    MOUNT_AGENT_WARN_URL: 'http://localhost:8080/x#y',
    MOUNT_AGENT_WARN_KEY_FILE: '/run/key',
  });
  expect(config).toMatchObject({
    onWarn: 'notify',
    warnUrl: 'http://localhost:8080/x',
    warnKeyFile: '/run/key',
  });
});

it('a flag given twice takes the last value, and --listen takes both', () => {
  expect(configOf(['mount', '--jobs', '2', '--jobs', '3']).jobs).toBe(3);
  expect(configOf(['run', '--listen', 'a:1', '--listen', 'b:2']).listen).toHaveLength(2);
});

it('durations are read in every unit', () => {
  const times = ['500ms', '90', '1.5h', '2d', '0'];
  expect(times.map((text) => configOf(['run', '--reclaim-after', text]).reclaimAfterMs)).toEqual([
    500, 90_000, 5_400_000, 172_800_000, 0,
  ]);
});

it('--help of each command names each of its flags, and --version the version', () => {
  for (const [name, command] of Object.entries(COMMANDS)) {
    const help = parseInvocation([name, '--help'], {});
    expect(help.kind).toBe('text');
    for (const flag of command.flags) {
      expect(help).toMatchObject({ text: expect.stringContaining(`--${flag}`) as string });
    }
  }
  expect(parseInvocation(['--version'], {})).toEqual({ kind: 'text', text: VERSION });
  expect(Object.keys(FLAGS).length).toBeGreaterThan(10);
});
