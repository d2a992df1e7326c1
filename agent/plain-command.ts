/**
 * A command line in its plainest form (a command, `--flag value` or `--flag=value`, mounts, `-- CMD…`) → its
 * Config, as cli.ts would give it; null for every other, which is then cli.ts's to read or to refuse.
 * yargs takes 20 ms of each start to load and to parse; test/plain-command.test.ts holds the two equal.
 */
import type { Options } from 'yargs';
import type { Config } from './cli.ts';
import { configFrom, flagsWithTwins } from './config.ts';
import { COMMANDS, FLAGS } from './flags.ts';
import type { CommandName, Flag } from './flags.ts';
import type { Environment } from './host.ts';

/** What yargs leaves as it is. */
const PLAIN_MOUNT = /^[/.\w][/.\w-]*$/;

export interface PlainCommand {
  readonly name: CommandName;
  readonly config: Config;
}

/** @throws AgentError USAGE_INVALID for a value that the flag does not take. */
export function readPlainCommand(argv: readonly string[], env: Environment): PlainCommand | null {
  const [name = '', ...rest] = argv;
  if (!isCommand(name) || COMMANDS[name].usage.includes('<')) return null;
  const end = rest.indexOf('--');
  const words = end === -1 ? rest : rest.slice(0, end);
  const takesMounts = COMMANDS[name].usage.endsWith(' [mount..]');
  const mounts: string[] = [];
  const given = readFlags(words, COMMANDS[name].flags, takesMounts ? mounts : null);
  if (given === null) return null;
  const parsed: Record<string, unknown> = takesMounts ? { mount: mounts } : {};
  for (const [flag, options] of Object.entries(flagsWithTwins(COMMANDS[name].flags, env))) {
    const value: unknown = given.get(flag) ?? options.default;
    if (value !== undefined) parsed[flag] = value;
  }
  if (end !== -1) parsed['--'] = rest.slice(end + 1);
  return { name, config: configFrom(parsed, name) };
}

function isCommand(name: string): name is CommandName {
  return Object.hasOwn(COMMANDS, name);
}

/** @param mounts takes the words between the flags; null where none may be. @returns null as soon as anything is not plain. */
function readFlags(
  words: readonly string[],
  flags: readonly Flag[],
  mounts: string[] | null,
): Map<string, unknown> | null {
  const given = new Map<string, unknown>();
  for (let at = 0; at < words.length; at++) {
    if (mounts !== null && PLAIN_MOUNT.test(words[at] ?? '')) {
      mounts.push(words[at] ?? '');
      continue;
    }
    const [, name = '', inline] = /^--([a-z-]+)(?:=(.*))?$/s.exec(words[at] ?? '') ?? [];
    const flag = flags.find((each) => each === name);
    if (flag === undefined || given.has(flag)) return null;
    const value = valueOf(FLAGS[flag], inline, words[at + 1]);
    if (value === null) return null;
    given.set(flag, value);
    if (inline === undefined && value !== true) at++;
  }
  return given;
}

function valueOf(options: Options, inline: string | undefined, next: string | undefined): unknown {
  // What follows a switch is read as the next flag, or nothing is plain.
  if (options.type === 'boolean') return inline === undefined ? true : null;
  const text = inline ?? next ?? '';
  // yargs takes quotes off, and a dash for the next flag.
  if (!/^[^-"'`]/.test(text)) return null;
  if (options.type === 'number') return /^\d{1,9}$/.test(text) ? Number(text) : null;
  if (options.choices !== undefined && !options.choices.includes(text)) return null;
  return options.array === true ? [text] : text;
}
