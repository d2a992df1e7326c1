/**
 * argv and environment → one frozen Invocation. Every flag has an environment twin (`--mount-root` ↔
 * `MOUNT_AGENT_MOUNT_ROOT`), the command line wins, unknown flags are errors. Flags and defaults
 * stand in flags.ts; nothing is read or opened here.
 */
import yargs from 'yargs';
import type { Argv } from 'yargs';
import { configFrom, flagsWithTwins } from './config.ts';
import { AgentError } from './errors.ts';
import type { ListenAddress } from './flag-values.ts';
import { COMMANDS } from './flags.ts';
import type { CommandName } from './flags.ts';
import type { OnCrash } from './entrypoint/death-watch.ts';
import type { LogLevel } from './log.ts';
import type { GitUser } from './resource.ts';
import { VERSION } from './version.ts';

import type { Environment } from './host.ts';
export type WaitFor = 'all' | 'any' | 'none';

/** What every command knows; a field that a command has no flag for carries its default. */
export interface Config {
  /** Path of the manifest, or `-` for standard input. */
  readonly manifest: string;
  readonly manifestTimeoutMs: number;
  readonly mountRoot: string;
  readonly runDir: string;
  readonly listen: readonly ListenAddress[];
  /** What a reader of /status on another machine has to show; null: none may. */
  readonly statusTokenFile: string | null;
  /** Clones at once. */
  readonly jobs: number;
  /** USER[:GROUP]; null: whoever runs this. */
  readonly owner: string | null;
  /** null: not told. */
  readonly gitUser: GitUser | null;
  readonly wait: WaitFor;
  readonly onCrash: OnCrash;
  readonly reclaimAfterMs: number;
  /** Times before the reclaim at which to warn, longest first. */
  readonly warnBeforeMs: readonly number[];
  /** An absolute path or a name in PATH, or null. */
  readonly onWarn: string | null;
  /** Its path may be a secret (that of many chat services is): never shown. */
  readonly warnUrl: string | null;
  readonly warnKeyFile: string | null;
  readonly retryForMs: number;
  readonly allowHttp: boolean;
  /** null: the command's own default. */
  readonly logLevel: LogLevel | null;
  /** null: pretty on a terminal, JSON elsewhere. */
  readonly logFormat: 'json' | 'pretty' | null;
  /** Directory for rescue files; null: the current one. */
  readonly out: string | null;
  readonly includeIgnored: boolean;
  readonly selfContained: boolean;
  /** A rescue file to check; null: none, write one. */
  readonly verify: string | null;
  /** null: no rescues but those that are asked for. */
  readonly rescueDir: string | null;
  readonly rescueTimeoutMs: number;
  readonly restore: 'announce' | 'auto';
  /** A new directory to restore into; null: the clone itself. */
  readonly into: string | null;
  /** What of a rescue that git would run is restored too. */
  readonly hooks: boolean;
  readonly config: boolean;
  readonly outsideWorktrees: boolean;
  readonly json: boolean;
  readonly watch: boolean;
  /** What stands beside the flags: files and mounts. */
  readonly operands: readonly string[];
  /** What stands after `--`: the command to supervise; empty without one. */
  readonly command: readonly string[];
}

export type Invocation =
  | { readonly kind: 'command'; readonly name: CommandName; readonly config: Config }
  /** `--help` and `--version`: print and end with 0. */
  | { readonly kind: 'text'; readonly text: string };

/** @throws AgentError USAGE_INVALID with one sentence about what is wrong. */
export function parseInvocation(argv: readonly string[], env: Environment): Invocation {
  let found: { name: CommandName; config: Config } | undefined;
  let parser = yargs()
    .scriptName('mount-agent')
    .locale('en')
    // Without positional numbers: the command's arguments are its own, "007" stays what it is.
    .parserConfiguration({
      'populate--': true,
      'greedy-arrays': false,
      'parse-positional-numbers': false,
    })
    .version(VERSION)
    .help()
    .completion('completion', 'Print a script for completion; SHELL says whether for bash or zsh')
    .strict()
    .demandCommand(1, 'Name a command; --help lists them.')
    .wrap(100)
    .epilogue(
      'Every flag has an environment twin: --mount-root is MOUNT_AGENT_MOUNT_ROOT.\n' +
        'Exit codes: 0 well, 3 work at risk, 64 usage, 65 bad manifest, 69 unavailable, 70 internal, 77 permission, 128+n ended by signal n.',
    );
  for (const [name, command] of Object.entries(COMMANDS) as [
    CommandName,
    (typeof COMMANDS)[CommandName],
  ][]) {
    parser = parser.command(
      command.usage.replace(' [-- CMD ARG...]', ''),
      command.describe,
      (sub: Argv) =>
        sub
          .usage(`mount-agent ${command.usage}\n\n${command.describe}`)
          .options(flagsWithTwins(command.flags, env)),
      (parsed) => {
        found = { name, config: configFrom(parsed, name) };
      },
    );
  }
  const answer = { text: '', failures: [] as Error[] };
  const keep = (error: Error | null | undefined, _parsed: unknown, output: string): void => {
    if (error) answer.failures.push(error);
    answer.text = output;
  };
  void parser.parse([...argv], {}, keep);
  for (const failure of answer.failures) {
    if (failure instanceof AgentError) throw failure;
    throw new AgentError('USAGE_INVALID', failure.message);
  }
  if (found !== undefined) return { kind: 'command', ...found };
  return { kind: 'text', text: answer.text };
}
