/**
 * In: the daemon's environment and the session. Out: the environment of the command, and the file
 * `env` that gives the same to a shell that sources it. GH_TOKEN is the only secret in either.
 */
import { join } from 'node:path';
import { ownFile } from '../own-files.ts';
import type { Resource } from '../resource.ts';
import type { Token } from '../token.ts';
import { usesGhToken } from './gh-config.ts';
import { shellQuote } from './shell-quote.ts';

/** Holds the launcher `gh` and nothing else. Part of the package: a run directory may be noexec. */
export const LAUNCHER_DIRECTORY = ownFile('credentials/bin');
export const SYSTEM_GIT_CONFIG = '/etc/gitconfig';
/** What a shell searches when there is no PATH at all. */
const FALLBACK_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface CommandContext {
  readonly runDirectory: string;
  readonly resources: readonly Resource[];
  /** True when git reads `<run directory>/gitconfig` without being told to by the environment. */
  readonly gitConfigIncluded: boolean;
}

/** What GIT_CONFIG_SYSTEM stands in for, so that the user's choice survives; null: nothing. */
export function systemGitConfigPath(base: Environment, runDirectory: string): string | null {
  if (/^(1|true|yes|on)$/i.test(base['GIT_CONFIG_NOSYSTEM'] ?? '')) return null;
  const path = base['GIT_CONFIG_SYSTEM'];
  if (path === undefined || path === '') return SYSTEM_GIT_CONFIG;
  // A daemon started from the command of another one would otherwise include its file in itself.
  return path === systemFileOf(runDirectory) ? SYSTEM_GIT_CONFIG : path;
}

export function systemFileOf(runDirectory: string): string {
  return join(runDirectory, 'system.gitconfig');
}

/** Included last as well, by the environment, so that no helper of the user's is handed a token. */
export function credentialConfigOf(runDirectory: string): string {
  return join(runDirectory, 'credentials', 'gitconfig');
}

/** The first github.com resource's token; gh treats its plain-http test host in the same way. */
export function ghTokenOf(resources: readonly Resource[]): Token | undefined {
  const first =
    resources.find(({ host }) => host === 'github.com') ??
    resources.find(({ host }) => usesGhToken(host));
  return first?.token;
}

/** Set for the command whatever was there before. */
function forced({
  runDirectory,
  resources,
  gitConfigIncluded,
}: CommandContext): [string, string][] {
  const token = ghTokenOf(resources);
  return [
    ...(token === undefined ? [] : [['GH_TOKEN', token.reveal()] as [string, string]]),
    ...(gitConfigIncluded
      ? []
      : [['GIT_CONFIG_SYSTEM', systemFileOf(runDirectory)] as [string, string]]),
    ['MOUNT_AGENT_RUN_DIR', runDirectory],
  ];
}

/** Set for the command unless the user chose otherwise: no prompt that nobody can answer. */
const DEFAULTS: readonly [string, string][] = [
  ['GIT_TERMINAL_PROMPT', '0'],
  ['GCM_INTERACTIVE', '0'],
];

export function commandEnvironment(
  base: Environment,
  context: CommandContext,
): Record<string, string> {
  const environment = new Map(DEFAULTS);
  for (const [name, value] of Object.entries(base)) {
    if (value !== undefined) environment.set(name, value);
  }
  for (const [name, value] of forced(context)) environment.set(name, value);
  // GIT_CONFIG_SYSTEM counts only without it, and leaves out the system's file where it was set.
  if (!context.gitConfigIncluded) environment.delete('GIT_CONFIG_NOSYSTEM');
  environment.set('PATH', withLauncherFirst(environment.get('PATH') ?? FALLBACK_PATH));
  addGitConfig(environment, credentialConfigOf(context.runDirectory));
  return Object.fromEntries(environment);
}

/**
 * Where the user's own configuration has a helper (`gh auth setup-git`, an editor's, `store`), git
 * would ask that one, and give it our token to keep. This stands after the user's configuration,
 * and before what is said on git's own command line.
 */
function addGitConfig(environment: Map<string, string>, file: string): void {
  const count = Number(environment.get('GIT_CONFIG_COUNT') ?? 0);
  // What git itself would call a bogus count is left for git to complain of.
  if (!Number.isInteger(count) || environment.get(`GIT_CONFIG_VALUE_${count - 1}`) === file) return;
  environment.set(`GIT_CONFIG_KEY_${count}`, 'include.path');
  environment.set(`GIT_CONFIG_VALUE_${count}`, file);
  environment.set('GIT_CONFIG_COUNT', String(count + 1));
}

function withLauncherFirst(path: string): string {
  const others = path.split(':').filter((directory) => directory !== LAUNCHER_DIRECTORY);
  return [LAUNCHER_DIRECTORY, ...others].join(':');
}

/** The text of the run directory's `env`, for `. env` in a POSIX shell. Sourcing it twice is safe. */
export function environmentFile(context: CommandContext): string {
  const launcher = shellQuote(LAUNCHER_DIRECTORY);
  const config = new Map<string, string>();
  addGitConfig(config, credentialConfigOf(context.runDirectory));
  return [
    ...forced(context).map(([name, value]) => `${name}=${shellQuote(value)}\nexport ${name}\n`),
    ...DEFAULTS.map(([name, value]) => `: "\${${name}=${value}}"\nexport ${name}\n`),
    // Whoever has such a list already keeps it; the session's configuration is read all the same.
    'if [ "${GIT_CONFIG_COUNT:-0}" = 0 ]; then\n',
    ...[...config].map(([name, value]) => `  export ${name}=${shellQuote(value)}\n`),
    'fi\n',
    ...(context.gitConfigIncluded ? [] : ['unset GIT_CONFIG_NOSYSTEM\n']),
    `case ":$PATH:" in\n*:${launcher}:*) ;;\n*) PATH=${launcher}:"$PATH"\n  export PATH ;;\nesac\n`,
  ].join('');
}
