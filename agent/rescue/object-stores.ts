/** The object stores of a survey, one for each repository; disposing of them closes their files. */
import { ObjectStore } from '../pack/object-store.ts';
import { displayPath, isUtf8 } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { CommitSource } from '../repository/commits.ts';
import { Doubt } from '../repository/doubt.ts';

interface Opened {
  readonly store: ObjectStore;
  readonly commits: CommitSource;
}

const CACHE_BYTES = 16 * 2 ** 20;

export class ObjectStores implements Disposable {
  readonly #opened = new Map<BytePath, Opened>();

  /** @throws Doubt for a place that an ObjectStore cannot name. */
  open(commondir: BytePath, shallow: ReadonlySet<string>): Opened {
    const known = this.#opened.get(commondir);
    if (known !== undefined) return known;
    if (!isUtf8(commondir)) throw new Doubt('the path of the Git directory is not UTF-8');
    const store = ObjectStore.open(`${displayPath(commondir)}/objects`, {
      cacheBytes: CACHE_BYTES,
    });
    const opened = { store, commits: new CommitSource(store, shallow) };
    this.#opened.set(commondir, opened);
    return opened;
  }

  [Symbol.dispose](): void {
    for (const { store } of this.#opened.values()) store.close();
    this.#opened.clear();
  }
}
