/** Objects by key in; the ones used last out, as long as all together fit a number of bytes. */

export interface CachedObject {
  readonly type: number;
  readonly content: Buffer;
}

/** One object may take this part of the cache at most. */
const LARGEST_SHARE = 1 / 4;

export class BaseCache {
  readonly #limitBytes: number;
  readonly #entries = new Map<string, CachedObject>();
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get(key: string): CachedObject | undefined {
    const found = this.#entries.get(key);
    if (found === undefined) return undefined;
    // A Map keeps the order of insertion: the ones used last stand at its end.
    this.#entries.delete(key);
    this.#entries.set(key, found);
    return found;
  }

  /** Whether a content of so many bytes may be kept. */
  admits(bytes: number): boolean {
    return bytes <= this.#limitBytes * LARGEST_SHARE;
  }

  set(key: string, object: CachedObject): void {
    if (!this.admits(object.content.length) || this.#entries.has(key)) return;
    this.#entries.set(key, object);
    this.#bytes += object.content.length;
    for (const [oldest, { content }] of this.#entries) {
      if (this.#bytes <= this.#limitBytes) break;
      this.#entries.delete(oldest);
      this.#bytes -= content.length;
    }
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }
}
