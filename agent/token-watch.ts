/**
 * What the session's tokens are good for, in their hosts' own words: who commits with them, asked
 * once each, and per ready mount whether the token is taken and would do for a push, asked at once,
 * after each rotation, and at intervals that grow while it is. Writes `credential`, `can_push` and `error` of the row.
 */
import { setMaxListeners } from 'node:events';
import { pickCloneEnvironment } from './clone/clone-job.ts';
import { askHost } from './clone/host-request.ts';
import type { AskHost } from './clone/host-request.ts';
import { checkAccess } from './credentials/access.ts';
import type { Access } from './credentials/access.ts';
import { askGitUser } from './credentials/git-user.ts';
import { TransportError } from './errors.ts';
import { Slots, forEachLimited, nextTurn } from './lifetime.ts';
import type { Resource } from './resource.ts';
import type { Session } from './session.ts';
import { reportOf } from './error-report.ts';
import { untilStatus } from './until-status.ts';

export interface TokenWatchOptions {
  /**
   * Least time from the first look at a mount's token to the second; up to a quarter is added by
   * chance. It is doubled, up to six times as much, with each look at a token that is good.
   */
  readonly intervalMs?: number;
}

const INTERVAL_MS = 600_000;
/** Many sessions on one repository that look every ten minutes are as many reads as a host likes. */
const MOST_INTERVALS = 6;
const ACCESS_TIMEOUT_MS = 30_000;
/** For all together: the command waits for it, because without a name its first commit would fail. */
const USER_TIMEOUT_MS = 3000;
const AT_ONCE = 4;

const PUSH_REMEDY = 'give it "Contents: Read and write" (a classic one: repo).';
const HINT =
  'Commits need "git config user.name" and "user.email", or "git_user" in the manifest, or --git-user.';

export class TokenWatch implements AsyncDisposable {
  readonly #session: Session;
  readonly #intervalMs: number;
  readonly #slots = new Slots(AT_ONCE);
  readonly #ending = new AbortController();
  /** The next look at each watched mount, by mount path. */
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #underWay = new Set<Promise<void>>();

  constructor(session: Session, options: TokenWatchOptions = {}) {
    this.#session = session;
    // As many wait for a slot as there are mounts.
    setMaxListeners(0, this.#ending.signal);
    this.#intervalMs = options.intervalMs ?? INTERVAL_MS;
  }

  /** From now on, beginning with a look at once. */
  watch(resource: Resource): void {
    this.#lookAndGoOn(resource, 1);
  }

  #lookAndGoOn(resource: Resource, intervals: number): void {
    const { mountPath } = resource;
    clearTimeout(this.#timers.get(mountPath));
    const delayMs = this.#intervalMs * intervals * (1 + Math.random() / 4);
    const timer = setTimeout(() => {
      const isGood = this.#session.status.mount(mountPath)?.credential === 'ok';
      this.#lookAndGoOn(resource, isGood ? Math.min(2 * intervals, MOST_INTERVALS) : 1);
    }, delayMs).unref();
    this.#timers.set(mountPath, timer);
    this.#start(this.#look(resource));
  }

  /** Looks at every watched mount now. */
  lookNow(): void {
    for (const resource of this.#session.resources) {
      if (this.#timers.has(resource.mountPath)) this.watch(resource);
    }
  }

  /**
   * Resolves when git knows who commits, as far as the hosts will say, who are asked once the first
   * mount is under way. Never rejects.
   */
  async learnUsers(resources: readonly Resource[]): Promise<void> {
    if (this.#session.gitUser !== null) return;
    const work = this.#learnUsers(resources);
    this.#start(work);
    await Promise.allSettled([work]);
  }

  async #learnUsers(resources: readonly Resource[]): Promise<void> {
    const { status } = this.#session;
    const isCloning = (): boolean => status.mounts.some(({ phase }) => phase !== 'pending');
    // To ask takes the processor for 20 ms: the first clone's job, or request, is on its way before.
    if (resources.length > 0) await untilStatus(status, this.#signal, isCloning);
    await nextTurn();
    const deadline = performance.now() + USER_TIMEOUT_MS;
    await forEachLimited(byToken(resources), AT_ONCE, (same) => {
      const leftMs = Math.max(1, Math.round(deadline - performance.now()));
      return this.#learnUser(same, this.#asker(leftMs));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#ending.abort(new Error('the session has ended'));
    await Promise.all(this.#underWay);
  }

  #start(work: Promise<void>): void {
    const { log, signal } = this.#session;
    const ended = work
      .catch((error: unknown) => {
        if (this.#ending.signal.aborted || signal.aborted) return;
        log.error({ err: error }, 'tokens cannot be looked at');
      })
      .finally(() => this.#underWay.delete(ended));
    this.#underWay.add(ended);
  }

  #asker(timeoutMs: number): AskHost {
    const environment = pickCloneEnvironment(this.#session.host.env);
    return (question) => askHost(question, { environment, signal: this.#signal, timeoutMs });
  }

  get #signal(): AbortSignal {
    return AbortSignal.any([this.#ending.signal, this.#session.signal]);
  }

  /** All of one host with one token, so of one user. */
  async #learnUser(resources: readonly [Resource, ...Resource[]], ask: AskHost): Promise<void> {
    const { log } = this.#session;
    const mounts = resources.map(({ mountPath }) => mountPath);
    try {
      const gitUser = await askGitUser(resources[0], ask);
      if (gitUser === null) {
        log.warn({ mounts }, `the host does not say who commits. ${HINT}`);
        return;
      }
      for (const resource of resources) await this.#session.learnGitUser(resource, gitUser);
      log.info({ mounts, ...gitUser }, 'user.name and user.email are those of the token');
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      log.warn({ mounts, reason: error.message }, `the host does not say who commits. ${HINT}`);
    }
  }

  async #look({ mountPath }: Resource): Promise<void> {
    using _slot = await this.#slots.take(this.#ending.signal);
    const resource = this.#session.current(mountPath);
    const access = await checkAccess(resource, this.#asker(ACCESS_TIMEOUT_MS));
    // A rotation in the meantime looks again by itself.
    if (access === null || !this.#session.current(mountPath).token.equals(resource.token)) return;
    this.#note(mountPath, access);
  }

  #note(mountPath: string, { credential, canPush, error }: Access): void {
    const { status } = this.#session;
    const row = status.mount(mountPath);
    const report = error === null ? null : reportOf(error, null);
    if (row?.phase !== 'ready') return;
    const isKnown = row.credential === credential && row.can_push === canPush;
    if (isKnown && row.error?.message === report?.message) return;
    status.update(mountPath, { credential, can_push: canPush, error: report });
    this.#tell(mountPath, { credential, canPush, error });
  }

  #tell(mount: string, { credential, canPush, error }: Access): void {
    const { log } = this.#session;
    if (credential !== 'ok') log.warn({ mount, err: error }, 'the host refuses the token');
    else if (canPush) log.info({ mount }, 'the token is good for a push');
    else log.warn({ mount }, `the token can read but not push: ${PUSH_REMEDY}`);
  }
}

/** In groups of one host and one token. */
function byToken(resources: readonly Resource[]): [Resource, ...Resource[]][] {
  const groups: [Resource, ...Resource[]][] = [];
  for (const resource of resources) {
    const group = groups.find(
      ([first]) =>
        first.host === resource.host &&
        first.protocol === resource.protocol &&
        first.token.equals(resource.token),
    );
    if (group === undefined) groups.push([resource]);
    else group.push(resource);
  }
  return groups;
}
