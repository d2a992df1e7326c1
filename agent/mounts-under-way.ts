/**
 * The session's mounts as one thing: started together, waited for as `--wait` says, tried again
 * when a rotation may have mended them. Disposing of it ends those under way and waits for them.
 */
import type { WaitFor } from './cli.ts';
import type { Resource } from './resource.ts';
import type { Session } from './session.ts';
import type { StatusTable } from './status.ts';
import { untilStatus } from './until-status.ts';

export class MountsUnderWay implements AsyncDisposable {
  readonly #session: Session;
  readonly #onReady: (resource: Resource) => Promise<void>;
  readonly #underWay = new Set<Promise<void>>();

  /** @param onReady called when a mount has become ready; its failure is the session's end. */
  constructor(session: Session, onReady: (resource: Resource) => Promise<void>) {
    this.#session = session;
    this.#onReady = onReady;
  }

  /** Resolves when each of them is ready or has failed. */
  async start(resources: readonly Resource[]): Promise<void> {
    const started = resources.map((resource) => {
      const work = this.#mount(resource);
      this.#underWay.add(work);
      return work.finally(() => this.#underWay.delete(work));
    });
    await Promise.all(started);
  }

  /** Starts the failed ones again: their token, or what was in their way, may have changed. */
  restartFailed(): void {
    const { status, resources } = this.#session;
    void this.start(
      resources.filter(({ mountPath }) => status.mount(mountPath)?.phase === 'failed'),
    );
  }

  /** @throws the reason of the session's signal. */
  async until(wait: WaitFor): Promise<void> {
    const { status, signal } = this.#session;
    await untilStatus(status, signal, () => isEnough(status, wait));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#session.end();
    await Promise.all(this.#underWay);
  }

  async #mount(resource: Resource): Promise<void> {
    const { signal, log } = this.#session;
    try {
      if (await this.#session.mount(resource)) await this.#onReady(resource);
    } catch (error) {
      if (signal.aborted) return;
      log.error({ err: error, mount: resource.mountPath }, 'mount cannot be watched');
    }
  }
}

function isEnough(status: StatusTable, wait: WaitFor): boolean {
  switch (wait) {
    case 'all':
      return status.ready;
    case 'any':
      return status.mounts.length === 0 || status.mounts.some(({ phase }) => phase === 'ready');
    case 'none':
      return true;
  }
}
