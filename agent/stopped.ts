/** Why a session ends that nothing is wrong with: a signal, and the exit code that says so. */
import { constants } from 'node:os';

export class Stopped extends Error {
  readonly exit: number;

  constructor(signal: NodeJS.Signals) {
    super(`stopped by ${signal}`);
    this.exit = 128 + constants.signals[signal];
  }
}
