/**
 * Rescues of the session's mounts: on request, at the last warning before the disk may go, and when the
 * session ends with work at risk. Each in a process of its own, one at a time; what is told to the user
 * is the row of the status table and the log. A failure never stops anything but itself.
 */
import { chown, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pickCloneEnvironment } from './clone/clone-job.ts';
import { listRemote } from './clone/discover-refs.ts';
import { TRANSPORT_LIMITS } from './clone/transport-limits.ts';
import { AgentError, TransportError, toAgentError } from './errors.ts';
import { Slots } from './lifetime.ts';
import type { CaptureJob } from './rescue/rescue-job.ts';
import { captureInProcess } from './rescue/rescue-process.ts';
import { findRestorable, restoredFrom, settle } from './rescue/shelf-notes.ts';
import { pruneRescues } from './rescue/shelf.ts';
import type { Session } from './session.ts';
import type { RescueNote } from './rescue-note.ts';
import type { MountStatus } from './status.ts';

const REMOTE_TIMEOUT_MS = 5_000;
const TIMEOUT_REMEDY =
  'Give --rescue-timeout more time, and the platform a grace period that is longer.';

/** What a capture was made of: the same again needs no other. */
interface Taken {
  readonly risk: string;
  readonly at: string;
}

export class Rescues implements AsyncDisposable {
  readonly #session: Session;
  readonly #oneAtATime = new Slots(1);
  readonly #ending = new AbortController();
  readonly #taken = new Map<string, Taken>();
  readonly #settled = new Set<string>();
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #unsubscribe: () => void;

  constructor(session: Session) {
    this.#session = session;
    this.#unsubscribe = session.status.subscribe(() => {
      this.#onStatus();
    });
  }

  /** `POST /rescue`: every mount with work at risk. @throws the first failure, once all are done. */
  async rescueAll(): Promise<readonly RescueNote[]> {
    this.#requireDirectory();
    return this.#rescue(this.#atRisk(), this.#ending.signal);
  }

  /** The last threshold before the disk may go. */
  onLastWarning(): void {
    if (this.#session.config.rescueDir === null) return;
    this.#start(this.#rescueChanged(this.#ending.signal));
  }

  /** The session ends: within --rescue-timeout, or not at all. */
  async rescueLast(): Promise<void> {
    const { config, log } = this.#session;
    if (config.rescueDir === null || this.#atRisk().length === 0) return;
    const { rescueTimeoutMs: timeoutMs } = config;
    const timeout = new AbortController();
    const timer = setTimeout(() => {
      const words = `not saved within the ${timeoutMs / 1000} s of --rescue-timeout`;
      timeout.abort(new AgentError('ABORTED', words, { remedy: TIMEOUT_REMEDY }));
    }, timeoutMs);
    await this.#rescueChanged(AbortSignal.any([this.#ending.signal, timeout.signal]));
    clearTimeout(timer);
    if (timeout.signal.aborted) log.error({ timeoutMs }, 'no time for a rescue');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unsubscribe();
    this.#ending.abort(new AgentError('ABORTED', 'the session has ended'));
    await Promise.allSettled(this.#underWay);
  }

  #atRisk(): readonly MountStatus[] {
    const { mounts } = this.#session.status;
    return mounts.filter(({ phase, at_risk: risk }) => phase === 'ready' && risk !== null);
  }

  #requireDirectory(): string {
    const { rescueDir } = this.#session.config;
    if (rescueDir !== null) return rescueDir;
    throw new AgentError('RESCUE_NO_DIRECTORY', 'the daemon has no --rescue-dir to write to');
  }

  /** Those of which there is no rescue yet that is as they are now. Failures are logged. */
  async #rescueChanged(signal: AbortSignal): Promise<void> {
    const changed = this.#atRisk().filter((mount) => {
      const taken = this.#taken.get(mount.mount_path);
      const { last_activity_at: activeAt } = this.#session.status.snapshot();
      return taken?.risk !== riskOf(mount) || taken.at < activeAt;
    });
    await this.#rescue(changed, signal).catch(() => undefined);
  }

  async #rescue(mounts: readonly MountStatus[], signal: AbortSignal): Promise<RescueNote[]> {
    const notes: RescueNote[] = [];
    const failures: AgentError[] = [];
    for (const mount of mounts) {
      try {
        notes.push(await this.#rescueOne(mount, signal));
      } catch (error) {
        const failure = toAgentError(error);
        this.#session.log.error({ err: failure, mount: mount.mount_path }, 'rescue failed');
        failures.push(failure);
      }
    }
    const [first] = failures;
    if (first !== undefined) throw first;
    return notes;
  }

  async #rescueOne(mount: MountStatus, signal: AbortSignal): Promise<RescueNote> {
    const { config, host, log, status } = this.#session;
    const { mount_path: mountPath, url } = mount;
    const directory = this.#requireDirectory();
    using _slot = await this.#oneAtATime.take(signal);
    await makeDirectory(directory, host.owner);
    const risk = riskOf(mount);
    const startedAt = new Date();
    const home = host.env['HOME'];
    const job: CaptureJob = {
      kind: 'capture',
      ...{ mount: mountPath, mountPath, url, out: directory },
      sessionId: status.snapshot().session_id,
      ...(home === undefined ? {} : { home }),
      ...{ includeIgnored: false, selfContained: false },
      remoteRefs: await this.#askRemote(mountPath, signal),
    };
    const { env, owner } = host;
    const outcome = await captureInProcess(job, { env, owner, signal, log });
    const note: RescueNote = {
      file: outcome.file,
      created_at: outcome.createdAt,
      session_id: job['sessionId'],
      covers: outcome.risksCovered,
      gaps: [...outcome.missing, ...outcome.leftOut, ...outcome.unsettled],
    };
    this.#taken.set(mountPath, { risk, at: startedAt.toISOString() });
    status.update(mountPath, { last_rescue: note });
    const facts = { file: note.file, sizeBytes: outcome.sizeBytes, confirmed: outcome.confirmed };
    log.info({ mount: mountPath, ...facts, gaps: note.gaps }, 'work at risk rescued');
    const removed = await pruneRescues(config.rescueDir ?? directory, { url, mountPath });
    if (removed.length > 0) log.info({ mount: mountPath, removed }, 'old rescues removed');
    return note;
  }

  /** null when the host does not answer: the rescue is then larger, or less certain, and says so. */
  async #askRemote(
    mountPath: string,
    signal: AbortSignal,
  ): Promise<readonly (readonly [string, string])[] | null> {
    const { config, host, log } = this.#session;
    const { url, token } = this.#session.current(mountPath);
    const timeout = AbortSignal.timeout(REMOTE_TIMEOUT_MS);
    try {
      const refs = await listRemote({
        ...{ url, token, allowHttp: config.allowHttp, limits: TRANSPORT_LIMITS },
        environment: pickCloneEnvironment(host.env),
        signal: AbortSignal.any([signal, timeout]),
      });
      return [...refs];
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof AgentError) && !timeout.aborted) throw error;
      const err = timeout.aborted ? remoteTimeout(error) : toAgentError(error);
      log.warn({ err, mount: mountPath }, 'the remote was not asked');
      return null;
    }
  }

  /** What was restored by hand is no longer to be restored; what was saved is never again. */
  #onStatus(): void {
    const { status, config } = this.#session;
    for (const mount of status.mounts) {
      const { restorable, restored, last_rescue: last, at_risk: risk, mount_path: path } = mount;
      if (restorable !== null && risk !== null) {
        if (restoredFrom(path) !== restorable.created_at) continue;
        queueMicrotask(() => {
          status.update(path, { restorable: null, restored: restorable });
        });
      }
      if (risk !== null) this.#settled.delete(path);
      const isKnown = this.#wasAtRisk(mount) && (restored !== null || last !== null);
      const isOlder = mount.attempts === 0 && mount.watch != null;
      const isSaved = risk === null && restorable === null && (isKnown || isOlder);
      if (!isSaved || this.#settled.has(path)) continue;
      this.#settled.add(path);
      if (config.rescueDir !== null) this.#start(settleSafe(config.rescueDir, mount, isKnown));
    }
  }

  readonly #seenAtRisk = new Set<string>();

  #wasAtRisk({ mount_path: path, at_risk: risk }: MountStatus): boolean {
    if (risk !== null) this.#seenAtRisk.add(path);
    return this.#seenAtRisk.has(path);
  }

  #start(work: Promise<unknown>): void {
    const watched = work.catch((error: unknown) => {
      this.#session.log.error({ err: toAgentError(error) }, 'rescue');
    });
    this.#underWay.add(watched);
    void watched.finally(() => this.#underWay.delete(watched));
  }
}

/** @param isKnown whether this daemon knows the rescue: an earlier one may not be of this clone at all. */
async function settleSafe(directory: string, mount: MountStatus, isKnown: boolean): Promise<void> {
  const { url, mount_path: mountPath } = mount;
  if (!isKnown) {
    const newest = await findRestorable(directory, { url, mountPath });
    if (newest === null) return;
    const clonedAt = (await stat(join(mountPath, '.git/mount-agent.json'))).mtime.toISOString();
    const isOfThisClone = newest.created_at > clonedAt;
    if (!isOfThisClone && newest.created_at !== restoredFrom(mountPath)) return;
  }
  await settle(directory, mountPath, new Date());
}

function remoteTimeout(cause: unknown): TransportError {
  const words = `expected a list of refs within ${REMOTE_TIMEOUT_MS / 1000} s`;
  return new TransportError('TRANSPORT_TIMEOUT', words, { cause });
}

function riskOf({ at_risk: risk, head }: MountStatus): string {
  return JSON.stringify([head, { ...risk, since: null, checked_at: null }]);
}

async function makeDirectory(
  path: string,
  owner: { readonly uid: number; readonly gid: number } | null,
): Promise<void> {
  const made = await mkdir(path, { recursive: true, mode: 0o700 });
  if (made !== undefined && owner !== null) await chown(path, owner.uid, owner.gid);
}
