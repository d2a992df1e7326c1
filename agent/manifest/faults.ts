/**
 * What is wrong with a manifest: every fault at once, each with the JSON pointer (RFC 6901) of the
 * field. A fault's message never quotes a value, because any value may be a misplaced token.
 */
import { ManifestError } from '../errors.ts';

export interface Fault {
  /** JSON pointer into the manifest; the empty string is the whole document. */
  readonly pointer: string;
  readonly message: string;
}

/** A hostile megabyte can hold half a million faults; nobody reads past the first thousand. */
const LISTED_FAULTS = 1000;

/** MANIFEST_INVALID; its message has one line per fault. */
export class InvalidManifestError extends ManifestError {
  readonly faults: readonly Fault[];

  constructor(faults: readonly Fault[]) {
    super('MANIFEST_INVALID', faultLines(faults).join('\n'), { data: { faults: faults.length } });
    this.faults = faults;
  }
}

/** One line per fault: `/resources/1/url: must not contain a query`. */
export function faultLines(faults: readonly Fault[]): string[] {
  const lines = faults
    .slice(0, LISTED_FAULTS)
    .map(({ pointer, message }) => `${pointer === '' ? '/' : pointer}: ${message}`);
  const unlisted = faults.length - lines.length;
  return unlisted === 0 ? lines : [...lines, `/: ${unlisted} more faults`];
}

export function pointerTo(path: readonly PropertyKey[]): string {
  return path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
