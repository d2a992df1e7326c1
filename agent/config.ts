/**
 * What was given for the flags of a command, on the command line and by their environment twins → one
 * frozen Config. Throws AgentError USAGE_INVALID that names the flag, what was expected and what came.
 */
import type { Options } from 'yargs';
import type { Config, WaitFor } from './cli.ts';
import { AgentError } from './errors.ts';
import {
  absolute,
  parseDuration,
  parseGitUser,
  parseJobs,
  parseListen,
  parseProgram,
  parseWarnUrl,
  usage,
} from './flag-values.ts';
import { FLAGS } from './flags.ts';
import type { CommandName, Flag } from './flags.ts';
import type { OnCrash } from './entrypoint/death-watch.ts';
import type { Environment } from './host.ts';
import type { LogLevel } from './log.ts';

const ENV_PREFIX = 'MOUNT_AGENT_';

/** The flags as yargs wants them; what a twin says stands there as the default. */
export function flagsWithTwins(flags: readonly Flag[], env: Environment): Record<string, Options> {
  return Object.fromEntries(
    flags.map((flag): [string, Options] => {
      const options: Options = { ...FLAGS[flag], requiresArg: !isSwitch(flag) };
      const twin = env[ENV_PREFIX + flag.toUpperCase().replaceAll('-', '_')];
      return [flag, twin === undefined ? options : { ...options, default: twinValue(flag, twin) }];
    }),
  );
}

function isSwitch(flag: Flag): boolean {
  const options: Options = FLAGS[flag];
  return options.type === 'boolean';
}

function twinValue(flag: Flag, text: string): unknown {
  const options: Options = FLAGS[flag];
  if (options.array === true) return text.split(',');
  if (options.type === 'number') return Number(text);
  if (options.type === 'boolean') {
    if (/^(1|true|yes)$/i.test(text)) return true;
    if (/^(0|false|no|)$/i.test(text)) return false;
    throw usage(`--${flag}`, text, '"true" or "false"');
  }
  if (options.choices !== undefined && !options.choices.includes(text)) {
    throw usage(`--${flag}`, text, `one of ${options.choices.join(', ')}`);
  }
  return text;
}

/** @param parsed what was given, by flag; and under `--` what stood after it. */
export function configFrom(parsed: Readonly<Record<string, unknown>>, name: CommandName): Config {
  const value = (flag: Flag): unknown => {
    const options: Options = FLAGS[flag];
    const given: unknown = parsed[flag] ?? options.default;
    // A flag given twice: the last one counts, as everywhere on the command line.
    return Array.isArray(given) && options.array !== true ? given.at(-1) : given;
  };
  const command = (parsed['--'] ?? []) as string[];
  if (name !== 'run' && command.length > 0) {
    throw new AgentError('USAGE_INVALID', `"${name}" takes no command after "--"; "run" does`);
  }
  return Object.freeze({
    manifest: value('manifest') as string,
    manifestTimeoutMs: parseDuration('--manifest-timeout', value('manifest-timeout') as string),
    mountRoot: absolute('--mount-root', value('mount-root') as string),
    runDir: absolute('--run-dir', value('run-dir') as string),
    listen: (value('listen') as string[]).map(parseListen),
    statusTokenFile: (value('status-token-file') ?? null) as string | null,
    jobs: parseJobs(value('jobs') as number),
    owner: (value('owner') ?? null) as string | null,
    gitUser: parseGitUser((value('git-user') ?? null) as string | null),
    wait: value('wait') as WaitFor,
    onCrash: value('on-crash') as OnCrash,
    reclaimAfterMs: parseDuration('--reclaim-after', value('reclaim-after') as string),
    warnBeforeMs: (value('warn-before') as string)
      .split(',')
      .filter((part) => part.trim() !== '')
      .map((part) => parseDuration('--warn-before', part))
      .sort((a, b) => b - a),
    onWarn: parseProgram('--on-warn', (value('on-warn') ?? null) as string | null),
    warnUrl: parseWarnUrl(
      (value('warn-url') ?? null) as string | null,
      value('allow-http') as boolean,
    ),
    warnKeyFile: (value('warn-key-file') ?? null) as string | null,
    retryForMs: parseDuration('--retry-for', value('retry-for') as string),
    allowHttp: value('allow-http') as boolean,
    logLevel: (value('log-level') ?? null) as LogLevel | null,
    logFormat: (value('log-format') ?? null) as 'json' | 'pretty' | null,
    out: (value('out') ?? null) as string | null,
    includeIgnored: value('include-ignored') as boolean,
    selfContained: value('self-contained') as boolean,
    verify: (value('verify') ?? null) as string | null,
    rescueDir: optionalPath('--rescue-dir', value('rescue-dir')),
    rescueTimeoutMs: parseDuration('--rescue-timeout', value('rescue-timeout') as string),
    restore: value('restore') as 'announce' | 'auto',
    into: (value('into') ?? null) as string | null,
    hooks: value('hooks') as boolean,
    config: value('config') as boolean,
    outsideWorktrees: value('outside-worktrees') as boolean,
    json: value('json') as boolean,
    watch: value('watch') as boolean,
    operands: operandsOf(parsed),
    command,
  });
}

function optionalPath(flag: string, given: unknown): string | null {
  return typeof given === 'string' ? absolute(flag, given) : null;
}

/** By their names in the usage: one each, or a list. */
function operandsOf(parsed: Readonly<Record<string, unknown>>): readonly string[] {
  return [parsed['file'], parsed['mount']].flatMap((given) =>
    Array.isArray(given) ? given.map(String) : typeof given === 'string' ? [given] : [],
  );
}
