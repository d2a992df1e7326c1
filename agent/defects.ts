/**
 * What becomes of a run when something in the daemon throws where nobody catches: it is logged, the
 * health turns to `fail`, and the command is ended with the daemon, or goes on beside what still works
 * (`--on-crash`). A process that dies altogether is entrypoint/death-watch.ts's.
 */
import { EXIT } from './errors.ts';
import type { Session } from './session.ts';
import type { SignalRouter } from './signal-router.ts';

export class Defects implements Disposable {
  readonly #session: Session;
  readonly #signals: SignalRouter;
  readonly #unsubscribe: () => void;
  #isFatal = false;

  constructor(session: Session, signals: SignalRouter) {
    this.#session = session;
    this.#signals = signals;
    this.#unsubscribe = session.host.onDefect((error) => this.#judge(error));
  }

  [Symbol.dispose](): void {
    this.#unsubscribe();
  }

  /** @param code with which the run would end otherwise. */
  exitCode(code: number): number {
    return this.#isFatal ? EXIT.internal : code;
  }

  /** @returns whether the process has to end. */
  #judge(error: unknown): boolean {
    const { session, command } = { session: this.#session, command: this.#signals.command };
    session.status.breakDown();
    const goesOn = session.config.onCrash === 'go-on' && command !== null && !this.#isFatal;
    const what = goesOn ? 'its command goes on' : 'it ends, and its command with it';
    session.log.fatal({ err: error }, `the daemon failed: ${what}`);
    if (goesOn) return false;
    if (!this.#isFatal) command?.forward('SIGTERM');
    this.#isFatal = true;
    session.stop('SIGTERM');
    return true;
  }
}
