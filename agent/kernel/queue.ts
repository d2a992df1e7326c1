/** What a pack thread does while the pack arrives: takes entries from its queue until something is for TypeScript. */
import {
  DELTA,
  END,
  MADE,
  MESSAGE,
  next,
  release,
  sentContent,
  sentKind,
  sentSize,
} from './entry-ring';
import { DONE, take, takeMade } from './resolver';

/** Returns MESSAGE (give it back with `releaseMessage`), END, or what the resolver did not return DONE with. */
export function takeEntries(control: usize, bytes: usize, units: u32): i32 {
  while (true) {
    const row = next(control, bytes, units);
    if (row === MESSAGE || row === END) return row;
    const code =
      sentKind === MADE
        ? takeMade(row, sentContent, sentSize)
        : take(row, sentKind === DELTA, sentContent, sentSize);
    if (code !== DONE) return code;
    release(control, units);
  }
}

export function releaseMessage(control: usize, units: u32): void {
  release(control, units);
}
