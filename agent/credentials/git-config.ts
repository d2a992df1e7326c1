/**
 * In: the session's mounts. Out: the text of the configuration files that git reads (git-config(1),
 * gitcredentials(7)). No token stands in them: only the path of the file that has it. Every helper
 * is bound to one scheme and host, and drops what was configured for that host before it.
 */
import { ownFile } from '../own-files.ts';
import type { GitUser } from '../resource.ts';
import { originOf } from './session-mount.ts';
import type { SessionMount } from './session-mount.ts';
import { shellQuote } from './shell-quote.ts';

const HELPER = ownFile('credentials/credential-helper.sh');

/** A configuration value or subsection in double quotes. */
export function configQuote(value: string): string {
  // A subsection cannot hold these at all, and a mount path with them was refused long before.
  if (/[\n\r\0]/.test(value))
    throw new TypeError('git configuration: control character in a value');
  return `"${value.replaceAll(/[\\"]/g, String.raw`\$&`)}"`;
}

/** The pattern of `includeIf "gitdir:…"` for everything at and under `directory`, and no other. */
export function gitdirPattern(directory: string): string {
  const literal = directory.replaceAll(/[\\*?[\]]/g, String.raw`\$&`);
  return `gitdir:${literal.replace(/\/*$/, '/')}`;
}

function credentialSection(mount: SessionMount, tokenFile: string): string {
  const { protocol, host } = mount.resource;
  // Run by sh, so that neither file needs to be executable: a run directory is often noexec.
  const command = ['sh', HELPER, tokenFile, protocol, host].map(shellQuote).join(' ');
  return [
    `[credential ${configQuote(originOf(mount.resource))}]`,
    '\thelper =',
    `\thelper = ${configQuote(`!${command}`)}`,
    '',
  ].join('\n');
}

/** What holds inside one mount: its token, and its key, by which the gh launcher knows the mount. */
export function mountGitConfig(mount: SessionMount, tokenFile: string): string {
  return `${credentialSection(mount, tokenFile)}[mount-agent]\n\tmount = ${mount.key}\n`;
}

/** Who commits. Below the user's own configuration: whoever sets a name means it. */
export function userGitConfig({ name, email }: GitUser): string {
  return `[user]\n\tname = ${configQuote(name)}\n\temail = ${configQuote(email)}\n`;
}

export interface GitConfigParts {
  readonly mounts: readonly SessionMount[];
  /** Those whose token also serves outside any mount. */
  readonly defaults: readonly SessionMount[];
  /** True when git is run by somebody other than the owner of the clones. */
  readonly readerIsNotOwner: boolean;
  /** Who commits, wherever that is; null: in each mount whom its token belongs to. */
  readonly gitUser: GitUser | null;
  tokenFile(mount: SessionMount): string;
  mountConfigFile(mount: SessionMount): string;
  /** May be absent: git passes over it then. */
  userConfigFile(mount: SessionMount): string;
}

/** Who may read which token: the file that also stands last, for the command, over the user's own. */
export function credentialGitConfig(parts: GitConfigParts): string {
  const sections = parts.defaults.map((mount) => credentialSection(mount, parts.tokenFile(mount)));
  for (const mount of parts.mounts) sections.push(inMount(mount, parts.mountConfigFile(mount)));
  return sections.join('');
}

function inMount({ directories }: SessionMount, file: string): string {
  return directories
    .map((directory) => `[includeIf ${configQuote(gitdirPattern(directory))}]\n`)
    .map((section) => `${section}\tpath = ${configQuote(file)}\n`)
    .join('');
}

/** What the system's configuration includes: the former, and settings that the user may change. */
export function sessionGitConfig(parts: GitConfigParts, credentialFile: string): string {
  const { gitUser, mounts, readerIsNotOwner } = parts;
  return [
    '[push]\n\tdefault = simple\n\tautoSetupRemote = true\n',
    ...(gitUser === null
      ? mounts.map((mount) => inMount(mount, parts.userConfigFile(mount)))
      : [userGitConfig(gitUser)]),
    readerIsNotOwner ? safeDirectories(mounts) : '',
    `[include]\n\tpath = ${configQuote(credentialFile)}\n`,
  ].join('');
}

/** git 2.46 and newer read the second form, for submodules and nested repositories. */
function safeDirectories(mounts: readonly SessionMount[]): string {
  const lines = mounts
    .flatMap((mount) => mount.directories)
    .flatMap((directory) => [directory, `${directory}/*`])
    .map((directory) => `\tdirectory = ${configQuote(directory)}\n`);
  return `[safe]\n${lines.join('')}`;
}

/** Stands in for the system's configuration where that cannot be made to include ours. */
export function systemGitConfig(systemFile: string | null, sessionFile: string): string {
  return [systemFile, sessionFile]
    .filter((path) => path !== null)
    .map((path) => `[include]\n\tpath = ${configQuote(path)}\n`)
    .join('');
}

/**
 * Whether a configuration file includes `target` by its absolute path and unconditionally. Forms
 * that this reading does not know count as no: including the file twice does no harm.
 */
export function includesFile(config: string, target: string): boolean {
  let inInclude = false;
  for (const line of config.split('\n')) {
    const text = line.trim();
    if (text.startsWith('[')) inInclude = /^\[include\]\s*$/i.test(text);
    const path = /^path\s*=\s*("?)(.*?)\1\s*$/i.exec(text)?.[2];
    if (inInclude && path === target) return true;
  }
  return false;
}
