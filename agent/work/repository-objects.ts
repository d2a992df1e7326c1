/** The object database of one repository, kept open from reading to reading. */
import { ObjectStore } from '../pack/object-store.ts';
import { displayPath, isUtf8 } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { Doubt } from '../repository/doubt.ts';
import type { Repository } from '../repository/repository.ts';

/** While a reading goes on, which asks for few objects; most of them are small trees. */
const CACHE_BYTES = 4 * 2 ** 20;

export class RepositoryObjects {
  #open: { readonly store: ObjectStore; readonly commondir: BytePath } | undefined;

  /** @throws Doubt when its path cannot be given to what reads it. */
  of({ commondir }: Repository): ObjectStore {
    if (this.#open?.commondir === commondir) return this.#open.store;
    this.close();
    if (!isUtf8(commondir)) throw new Doubt('the path of the Git directory is not UTF-8');
    const objects = `${displayPath(commondir)}/objects`;
    const store = ObjectStore.open(objects, { cacheBytes: CACHE_BYTES });
    this.#open = { store, commondir };
    return store;
  }

  /**
   * To be called after each reading. Small objects lie in slabs of 8 KiB with others: a few hundred
   * bytes of each may keep all of it, and a day of commits would keep a hundred megabytes.
   */
  rest(): void {
    this.#open?.store.forget();
  }

  close(): void {
    this.#open?.store.close();
    this.#open = undefined;
  }
}
