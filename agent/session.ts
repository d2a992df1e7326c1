/**
 * One run of the daemon or of `mount`: its log, its status table, its manifest and tokens, and its
 * end. In: Config and Host; out: mounts under way, and rotations of their tokens. boot.ts puts the
 * pieces around it; nothing here knows of the endpoint, the ledger or the command.
 */
import { setMaxListeners } from 'node:events';
import type { Config } from './cli.ts';
import type { CloneProcesses } from './clone/clone-processes.ts';
import { CredentialFiles } from './credentials/credential-files.ts';
import { commandEnvironment, systemGitConfigPath } from './credentials/environment.ts';
import { AgentError } from './errors.ts';
import type { Host } from './host.ts';
import { Slots } from './lifetime.ts';
import { Redactor, createLog, logDestination } from './log.ts';
import type { Log, LogLevel } from './log.ts';
import { compareManifests } from './manifest/compare-manifests.ts';
import { loadManifest } from './manifest/load-manifest.ts';
import { mountResource } from './mount-resource.ts';
import type { GitUser, Manifest, Resource } from './resource.ts';
import { makeRunDirectory } from './run-directory.ts';
import { StatusTable } from './status.ts';
import { Stopped } from './stopped.ts';
import type { Token } from './token.ts';
import { VERSION } from './version.ts';
import { waitingForManifest } from './waiting.ts';
import { WarningsSent } from './warnings-sent.ts';

/** How long a manifest that is being replaced may take to become whole. */
const ROTATION_TIMEOUT_MS = 5000;

export class Session {
  readonly config: Config;
  readonly host: Host;
  readonly log: Log;
  readonly status: StatusTable;
  readonly warningsSent = new WarningsSent();
  /** The last line of defence for everything that leaves the process. */
  readonly redact: (text: string) => string;
  readonly #redactor: Redactor;
  readonly #credentials: CredentialFiles;
  readonly #slots: Slots;
  readonly #clones: CloneProcesses;
  /** Of the file that was read last. */
  manifestVersion = '';
  /** Settles when git and gh have the tokens; where they cannot, the session ends with RUN_DIR_UNUSABLE. */
  wired: Promise<void> = Promise.resolve();
  readonly #ending = new AbortController();
  #manifest: Manifest = { sessionId: null, gitUser: null, resources: [], skipped: [] };
  #lastRotation: Promise<void> = Promise.resolve();

  private constructor(
    config: Config,
    host: Host,
    clones: CloneProcesses,
    log: Log,
    redactor: Redactor,
  ) {
    this.#clones = clones;
    // Each mount listens, and Node's word on more than ten would stand in the log.
    setMaxListeners(0, this.#ending.signal);
    this.config = config;
    this.host = host;
    this.log = log;
    this.#redactor = redactor;
    this.redact = (text) => redactor.redact(text);
    this.status = new StatusTable({
      version: VERSION,
      startedAt: new Date(),
      reclaimAfterMs: config.reclaimAfterMs,
    });
    this.#slots = new Slots(config.jobs);
    this.#credentials = new CredentialFiles({
      runDirectory: config.runDir,
      owner: host.owner,
      readerUid: host.uid,
      systemGitConfig: systemGitConfigPath(host.env, config.runDir),
      onToken: (token) => {
        redactor.add(token);
      },
    });
  }

  /** @throws RUN_DIR_UNUSABLE */
  static async open(
    config: Config,
    host: Host,
    clones: CloneProcesses,
    level: LogLevel,
  ): Promise<Session> {
    const redactor = new Redactor();
    const log = createLog(
      {
        level: config.logLevel ?? level,
        destination: await logDestination(config.logFormat, host),
      },
      redactor,
    );
    await makeRunDirectory(config.runDir);
    return new Session(config, host, clones, log, redactor);
  }

  /** What the operator keeps in a file; undefined without one. @throws what `read` throws. */
  async readSecret(path: string | null, read: (path: string) => Promise<Token>) {
    if (path === null) return undefined;
    const secret = await read(path);
    this.#redactor.add(secret);
    return secret;
  }

  /** Aborted when the session has to end; the reason is a Stopped. */
  get signal(): AbortSignal {
    return this.#ending.signal;
  }

  get resources(): readonly Resource[] {
    return this.#manifest.resources;
  }

  /** Who commits, when the manifest or the command line says so. */
  get gitUser(): GitUser | null {
    return this.#manifest.gitUser ?? this.config.gitUser;
  }

  /** To git, for a mount of which nobody else said it. */
  learnGitUser(resource: Resource, gitUser: GitUser): Promise<void> {
    return this.#credentials.learnUser(resource, gitUser);
  }

  /** The environment of the command, with the tokens as they are now. */
  get commandEnvironment(): Record<string, string> {
    return commandEnvironment(this.host.env, this.#credentials.commandContext);
  }

  stop(signal: NodeJS.Signals): void {
    if (this.signal.aborted) return;
    this.log.info({ signal }, 'stopping');
    this.#ending.abort(new Stopped(signal));
  }

  /** Ends with this error: whatever waits throws it. */
  fail(error: unknown): void {
    this.#ending.abort(error);
  }

  /** The session is over for a reason other than a signal: the command has ended. */
  end(): void {
    this.#ending.abort(new Error('the session has ended'));
  }

  /** Waits for the manifest, lists its mounts as pending, and begins to wire its tokens. */
  async begin(): Promise<void> {
    const { log, config } = this;
    this.#manifest = await this.#load(config.manifestTimeoutMs, () => {
      this.status.wait(waitingForManifest(config.manifest, config.manifestTimeoutMs));
    });
    const { sessionId, resources, skipped } = this.#manifest;
    for (const { pointer, type } of skipped) {
      log.info({ pointer, type }, 'resource of another type skipped');
    }
    this.wired = this.#credentials.write(resources, this.gitUser);
    this.wired.catch((error: unknown) => {
      this.fail(error);
    });
    this.status.begin(sessionId, resources);
    log.info({ sessionId, mounts: resources.map(({ mountPath }) => mountPath) }, 'manifest read');
  }

  /** @returns whether the mount is ready; its failure stands in the status table. */
  mount(resource: Resource): Promise<boolean> {
    const { config, status, log, signal } = this;
    const tokenOf = (one: Resource): Token => this.current(one.mountPath).token;
    const { env, owner } = this.host;
    return mountResource(resource, {
      config,
      env,
      owner,
      status,
      log,
      slots: this.#slots,
      clones: this.#clones,
      tokenOf,
      wired: this.wired,
      signal,
    });
  }

  /**
   * Reads the manifest again and uses its tokens; everything goes on as before when it is refused.
   * @returns the mounts whose token changed. @throws ManifestError
   */
  rotate(): Promise<readonly Resource[]> {
    const rotation = this.#lastRotation.then(() => this.#rotate());
    this.#lastRotation = rotation.then(
      () => undefined,
      () => undefined,
    );
    return rotation;
  }

  async #rotate(): Promise<readonly Resource[]> {
    if (this.config.manifest === '-') {
      throw new AgentError('MANIFEST_MISSING', 'standard input can be read once only', {
        remedy: 'Give the manifest as a file to be able to rotate tokens.',
      });
    }
    const next = await this.#load(ROTATION_TIMEOUT_MS);
    const { rotated, isSame } = compareManifests(this.#manifest, next);
    if (isSame) return rotated;
    await this.#credentials.rotate(next.resources, next.gitUser ?? this.config.gitUser);
    this.#manifest = next;
    for (const { mountPath } of rotated) {
      this.status.update(mountPath, { credential: 'unknown', can_push: null });
    }
    this.log.info({ mounts: rotated.map(({ mountPath }) => mountPath) }, 'tokens rotated');
    return rotated;
  }

  async #load(timeoutMs: number, onWaiting?: () => void): Promise<Manifest> {
    const { config, host, log, signal } = this;
    const manifest = await loadManifest({
      path: config.manifest,
      timeoutMs,
      signal,
      // Node opens it when it is asked for, which takes a millisecond.
      ...(config.manifest === '-' ? { stdin: host.stdin } : {}),
      mountRoot: config.mountRoot,
      runDir: config.runDir,
      allowHttp: config.allowHttp,
      home: host.env['HOME'] ?? null,
      onRead: (version) => {
        this.manifestVersion = version;
      },
      onWaiting: () => {
        log.info({ manifest: config.manifest, timeoutMs }, 'waiting for the manifest');
        onWaiting?.();
      },
    });
    for (const { token } of manifest.resources) this.#redactor.add(token);
    return manifest;
  }

  /** With the token as it is now. */
  current(mountPath: string): Resource {
    const found = this.resources.find((resource) => resource.mountPath === mountPath);
    if (found === undefined) throw new TypeError(`no resource for ${mountPath}`);
    return found;
  }
}
