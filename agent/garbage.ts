/**
 * V8's collector, called by name. Buffers are small objects to it and their bytes lie elsewhere, so that it lets
 * tens of megabytes of dead ones pile up before it looks.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Gc = (options?: { readonly type: 'minor' }) => void;
let collector: Gc | undefined;

export function collectAll(): void {
  gc();
}

/** What was made lately and is dead by now. */
export function collectYoung(): void {
  gc({ type: 'minor' });
}

/** Called with `undefined`, Node 24's collects only what is young. */
function gc(...options: Parameters<Gc>): void {
  if (collector === undefined) {
    setFlagsFromString('--expose-gc');
    collector = runInNewContext('gc') as Gc;
    setFlagsFromString('--no-expose-gc');
  }
  collector(...options);
}
