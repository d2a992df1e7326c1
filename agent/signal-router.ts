/**
 * Who gets which signal. SIGHUP: the manifest is read again. Everything else goes to the command
 * when there is one; SIGTERM also ends what is under way in the daemon. Without a command SIGTERM,
 * SIGINT and SIGQUIT end the daemon.
 */
import type { SupervisedCommand } from './entrypoint/supervise.ts';
import type { Session } from './session.ts';

export class SignalRouter implements Disposable {
  command: SupervisedCommand | null = null;
  onHangup: (() => Promise<void>) | null = null;
  readonly #session: Session;
  readonly #unsubscribe: () => void;

  constructor(session: Session) {
    this.#session = session;
    this.#unsubscribe = session.host.onSignal((signal) => {
      this.#route(signal);
    });
  }

  [Symbol.dispose](): void {
    this.#unsubscribe();
  }

  #route(signal: NodeJS.Signals): void {
    if (signal === 'SIGHUP') {
      this.#rotate();
      return;
    }
    this.command?.forward(signal);
    const ends = this.command === null && (signal === 'SIGINT' || signal === 'SIGQUIT');
    if (ends || signal === 'SIGTERM') this.#session.stop(signal);
  }

  #rotate(): void {
    const { log } = this.#session;
    this.onHangup?.().catch((error: unknown) => {
      log.error({ err: error }, 'new manifest refused; the old one stays in force');
    });
  }
}
