import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseInvocation } from '../agent/cli.ts';
import { AgentError } from '../agent/errors.ts';
import { COMMANDS, FLAGS } from '../agent/flags.ts';
import type { CommandName } from '../agent/flags.ts';
import type { Environment } from '../agent/host.ts';
import { readPlainCommand } from '../agent/plain-command.ts';

/** The outcome of either reader, its error included. */
function outcomeOf(read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return { code: error.code, message: error.message };
  }
}

function byYargs(argv: readonly string[], env: Environment): unknown {
  return outcomeOf(() => {
    const invocation = parseInvocation(argv, env);
    if (invocation.kind === 'text') return invocation;
    return { name: invocation.name, config: invocation.config };
  });
}

const WORDS =
  '/app /run/x 60s 1.5h 24h 4h,1h 0 7 64 0x10 1e1 -1 all any none info json pretty 127.0.0.1:0 [::1]:80 true false true,1 "q" -- - --json -v --no-json a=b owner:group';
const word = fc.oneof(
  fc.constantFrom(...WORDS.split(' '), '', ' ', 'Ann <ann@example.com>'),
  fc.string({ maxLength: 4 }),
);
const flagName = fc.constantFrom(...Object.keys(FLAGS), 'help', 'version', 'bogus', 'mountRoot');
const argument = fc.oneof(
  flagName.map((flag) => [`--${flag}`]),
  fc.tuple(flagName, word).map(([flag, value]) => [`--${flag}`, value]),
  fc.tuple(flagName, word).map(([flag, value]) => [`--${flag}=${value}`]),
  word.map((each) => [each]),
);
const commandLine = fc
  .tuple(
    fc.constantFrom<string>(...Object.keys(COMMANDS), 'toString', ''),
    fc.array(argument, { maxLength: 4 }),
    fc.option(fc.array(word, { maxLength: 3 })),
  )
  .map(([name, given, command]) => [
    name,
    ...given.flat(),
    ...(command === null ? [] : ['--', ...command]),
  ]);
const environment = fc.dictionary(
  fc
    .constantFrom(...Object.keys(FLAGS))
    .map((flag) => `MOUNT_AGENT_${flag.toUpperCase().replaceAll('-', '_')}`),
  word,
  { maxKeys: 2 },
);

describe('readPlainCommand()', () => {
  it('gives what yargs gives, or leaves the command line to it', () => {
    let plain = 0;
    const property = fc.property(commandLine, environment, (argv, env) => {
      const mine = outcomeOf(() => readPlainCommand(argv, env));
      if (mine === null) return;
      plain++;
      expect(mine).toEqual(byYargs(argv, env));
    });
    fc.assert(property, { numRuns: 1500, seed: 1 });
    expect(plain).toBeGreaterThan(150);
  });

  /** What needs something beside its flags is yargs's. */
  const alone = (Object.keys(COMMANDS) as CommandName[]).filter(
    (name) => !COMMANDS[name].usage.includes('<'),
  );
  it('takes the mounts of rescue, between its flags', () => {
    const argv = ['rescue', '/app/web', '--out', '/out', './docs', '--json', '007'];
    const plain = readPlainCommand(argv, {});
    expect(plain?.config.operands).toEqual(['/app/web', './docs', '007']);
    expect(plain).toEqual(byYargs(argv, {}));
    expect(readPlainCommand(['status', '/app/web'], {})).toBeNull();
  });

  it.each(alone)('takes every flag of %s', (name) => {
    const { flags } = COMMANDS[name];
    const argv = flags.flatMap((flag) => {
      const { type, choices } = { type: undefined, choices: undefined, ...FLAGS[flag] };
      if (type === 'boolean') return [`--${flag}`];
      const samples: Record<string, string> = {
        jobs: '2',
        listen: '127.0.0.1:0',
        'git-user': 'Ann <ann@example.com>',
        'status-token-file': '/token',
        'warn-url': 'https://hooks.example.com/x',
      };
      const isTime = /timeout|after|before|for/.test(flag);
      return [`--${flag}`, samples[flag] ?? choices?.[0] ?? (isTime ? '60s' : '/some/path')];
    });
    const mine = readPlainCommand([name, ...argv], {});
    expect(mine).not.toBeNull();
    expect(mine).toEqual(byYargs([name, ...argv], {}));
  });

  it.each([['--help'], ['run', '--help'], ['--version'], ['run', '--bogus'], ['mount', 'x'], []])(
    'leaves help, version and whatever is wrong to yargs: %j %j',
    (...argv) => {
      expect(readPlainCommand(argv, {})).toBeNull();
    },
  );
});
