/**
 * Two clocks. The wall clock may be set to anything at any moment; elapsed time only ever grows,
 * and it goes on while the machine is suspended, because the platform's patience does too.
 */
import { uptime } from 'node:os';

export interface TimeSource {
  /** Milliseconds since the epoch. */
  wallMs(): number;
  /** Milliseconds since some fixed moment. */
  elapsedMs(): number;
  /** @returns a function that calls the alarm off. */
  wakeAfter(ms: number, wake: () => void): () => void;
}

export const SYSTEM_TIME: TimeSource = {
  wallMs: () => Date.now(),
  // CLOCK_BOOTTIME on Linux, which counts suspended time; performance.now() does not.
  elapsedMs: () => uptime() * 1000,
  wakeAfter: (ms, wake) => {
    const timer = setTimeout(wake, ms);
    timer.unref();
    return () => {
      clearTimeout(timer);
    };
  },
};
