/**
 * In: the session's resources. Out: the files of the run directory that git, gh and a shell read.
 * docs/credentials.md shows who reads which. Each file is replaced as a whole, so that a reader
 * sees the old token or the new one; what an earlier token was is kept as a digest only.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../errors.ts';
import { forEachLimited } from '../lifetime.ts';
import type { GitUser, Resource } from '../resource.ts';
import type { Token } from '../token.ts';
import { credentialConfigOf, environmentFile } from './environment.ts';
import type { CommandContext } from './environment.ts';
import { GH_CONFIG_YML, ghHostsYml, ghTable, usesGhToken } from './gh-config.ts';
import {
  credentialGitConfig,
  includesFile,
  mountGitConfig,
  sessionGitConfig,
  systemGitConfig,
  userGitConfig,
} from './git-config.ts';
import type { GitConfigParts } from './git-config.ts';
import { mountKey } from '../mount-key.ts';
import { PrivateDirectory } from './private-directory.ts';
import type { Owner } from './private-directory.ts';
import { defaultMounts, sessionMounts } from './session-mount.ts';
import type { SessionMount } from './session-mount.ts';

export interface CredentialFilesContext {
  /** Absolute. */
  readonly runDirectory: string;
  /** Who owns the clones and these files; null: whoever runs the daemon. */
  readonly owner: Owner | null;
  /** Who runs git in the mounts besides the owner: the user id of the daemon and its command. */
  readonly readerUid: number;
  /** The system's git configuration, see systemGitConfigPath(). */
  readonly systemGitConfig: string | null;
  /** Called with each token before any file has it: the place to make it known to the log. */
  readonly onToken: (token: Token) => void;
}

/** Files of their own that the daemon's other parts keep in the run directory are left alone. */
export class CredentialFiles {
  readonly #context: CredentialFilesContext;
  #commandContext: CommandContext | null = null;
  #lastWrite: Promise<void> = Promise.resolve();

  constructor(context: CredentialFilesContext) {
    this.#context = context;
  }

  /** For commandEnvironment(), with the tokens last written. */
  get commandContext(): CommandContext {
    if (this.#commandContext === null) throw new TypeError('commandContext before write()');
    return this.#commandContext;
  }

  /**
   * Writes everything and removes what an earlier run left.
   * @param gitUser who commits, when somebody said so. @throws RUN_DIR_UNUSABLE
   */
  write(resources: readonly Resource[], gitUser: GitUser | null = null): Promise<void> {
    return this.#inTurn(() => this.#writeAll(resources, gitUser, true));
  }

  /** As write(), for the same mounts with new tokens: a file is never missing meanwhile. */
  rotate(resources: readonly Resource[], gitUser: GitUser | null = null): Promise<void> {
    return this.#inTurn(() => this.#writeAll(resources, gitUser, false));
  }

  /** Makes it known to git who commits in a mount; for those whose user nobody has named. */
  learnUser({ mountPath }: Resource, gitUser: GitUser): Promise<void> {
    return this.#inTurn(async () => {
      const { runDirectory, owner } = this.#context;
      await using run = await PrivateDirectory.open(runDirectory, owner);
      await using credentials = await run.openDirectory('credentials');
      await credentials.write(userConfigName(mountKey(mountPath)), userGitConfig(gitUser));
    });
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#lastWrite.then(work);
    // The caller gets the failure; the next one in turn starts all the same.
    this.#lastWrite = turn.catch(() => undefined);
    return turn;
  }

  async #writeAll(
    resources: readonly Resource[],
    gitUser: GitUser | null,
    sweep: boolean,
  ): Promise<void> {
    const { runDirectory, owner, onToken } = this.#context;
    for (const { token } of resources) onToken(token);
    const mounts = await sessionMounts(resources);
    const defaults = defaultMounts(mounts);
    await using run = await PrivateDirectory.open(runDirectory, owner);
    await using credentials = await run.openDirectory('credentials');
    await using gh = await run.openDirectory('gh');

    // First, so that a token is known as the session's before anybody can have it from a file.
    await writeKnownTokens(gh, resources);
    await forEachLimited(mounts, 8, async (mount) => {
      const { token } = mount.resource;
      await credentials.write(mount.key, `${token.reveal()}\n`);
      await credentials.write(configName(mount.key), mountGitConfig(mount, this.#tokenFile(mount)));
      await writeGhHost(gh, mount);
    });
    await this.#writeGitConfig(run, credentials, this.#partsOf(mounts, defaults, gitUser));
    await gh.write('table', ghTable(mounts, defaults));
    if (sweep) await sweepUnused(run, credentials, gh, mounts);

    const gitConfigIncluded = await this.#isIncluded();
    this.#commandContext = { runDirectory, resources, gitConfigIncluded };
    await run.write('env', environmentFile(this.#commandContext));
  }

  async #writeGitConfig(
    run: PrivateDirectory,
    credentials: PrivateDirectory,
    parts: GitConfigParts,
  ): Promise<void> {
    const { runDirectory } = this.#context;
    await credentials.write('gitconfig', credentialGitConfig(parts));
    await run.write('gitconfig', sessionGitConfig(parts, credentialConfigOf(runDirectory)));
    const system = systemGitConfig(this.#context.systemGitConfig, this.#pathOf('gitconfig'));
    await run.write('system.gitconfig', system);
  }

  #partsOf(
    mounts: readonly SessionMount[],
    defaults: readonly SessionMount[],
    gitUser: GitUser | null,
  ): GitConfigParts {
    const { owner, readerUid } = this.#context;
    return {
      mounts,
      defaults,
      gitUser,
      readerIsNotOwner: owner !== null && owner.uid !== readerUid,
      tokenFile: (mount) => this.#tokenFile(mount),
      mountConfigFile: ({ key }) => this.#pathOf('credentials', configName(key)),
      userConfigFile: ({ key }) => this.#pathOf('credentials', userConfigName(key)),
    };
  }

  async #isIncluded(): Promise<boolean> {
    const { systemGitConfig: systemFile } = this.#context;
    if (systemFile === null) return false;
    try {
      return includesFile(await readFile(systemFile, 'utf8'), this.#pathOf('gitconfig'));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'EACCES') return false;
      throw error;
    }
  }

  #tokenFile(mount: SessionMount): string {
    return this.#pathOf('credentials', mount.key);
  }

  #pathOf(...names: readonly string[]): string {
    return join(this.#context.runDirectory, ...names);
  }
}

function configName(key: string): string {
  return `${key}.gitconfig`;
}

function userConfigName(key: string): string {
  return `${key}.user.gitconfig`;
}

/** The newest that are kept: hourly rotations of forty tokens for four days. */
const KNOWN_TOKENS_LIMIT = 4096;

/** Digests only: an earlier token may still be good, and nobody needs it any more. */
async function writeKnownTokens(
  gh: PrivateDirectory,
  resources: readonly Resource[],
): Promise<void> {
  const known = new Set((await gh.read('known-tokens')).split('\n').filter((line) => line !== ''));
  for (const { token } of resources) {
    const digest = createHash('sha256').update(token.reveal()).digest('hex');
    known.delete(digest);
    known.add(digest);
  }
  await gh.write('known-tokens', [...[...known].slice(-KNOWN_TOKENS_LIMIT), ''].join('\n'));
}

async function writeGhHost(gh: PrivateDirectory, mount: SessionMount): Promise<void> {
  if (usesGhToken(mount.resource.host)) return;
  await using directory = await gh.openDirectory(mount.key);
  await directory.sweep(() => true);
  await directory.write('config.yml', GH_CONFIG_YML);
  await directory.write('hosts.yml', ghHostsYml(mount));
}

async function sweepUnused(
  run: PrivateDirectory,
  credentials: PrivateDirectory,
  gh: PrivateDirectory,
  mounts: readonly SessionMount[],
): Promise<void> {
  const keys = mounts.map(({ key }) => key);
  const ofMounts = new Set([...keys, ...keys.map(configName), 'gitconfig']);
  const ofGh = new Set([...keys, 'table', 'known-tokens']);
  await run.sweep(() => true);
  await credentials.sweep((name) => ofMounts.has(name));
  await gh.sweep((name) => ofGh.has(name));
}
