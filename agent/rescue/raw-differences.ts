/**
 * Files that are clean to Git and still not what a checkout of HEAD would write: with line ends,
 * encodings, idents or filters between the two, "clean" is said of the content behind them. In: a
 * tracked file that nothing has changed; out: whether its raw bytes have to be kept. What a checkout
 * writes follows from HEAD's tree alone, because that is all that a restore has (docs/rescue.md).
 */
import { createHash } from 'node:crypto';
import { lstatSync } from 'node:fs';
import type { Attributes as TreeAttributes } from '../checkout/attributes.ts';
import { conversionOf, convertToWorktree } from '../checkout/convert.ts';
import type { Conversion } from '../checkout/convert.ts';
import { MODE } from '../checkout/index-entry.ts';
import type { IndexEntry } from '../checkout/index-entry.ts';
import type { ObjectStore } from '../pack/object-store.ts';
import { AttributeReader, attributesIn } from '../repository/attributes.ts';
import type { Attributes } from '../repository/attributes.ts';
import { fsPath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { conversionOf as storedConversionOf } from '../repository/conversion.ts';
import { readObject } from '../repository/objects.ts';
import { readRegularFile } from '../repository/read-file.ts';
import { exists, statOrUndefined } from '../repository/repository.ts';
import type { Repository } from '../repository/repository.ts';
import type { Tracked } from '../repository/tracked.ts';

/** Larger files are kept without looking. */
const COMPARED_BYTES = 64 * 2 ** 20;

export class RawDifferences {
  readonly #repository: Repository;
  readonly #store: ObjectStore;
  readonly #attributes: AttributeReader;
  readonly #ofHead: TreeAttributes;
  readonly #trustsMode: boolean;
  readonly #converts: boolean;

  /**
   * @param ofHead the attributes in HEAD's tree.
   */
  constructor(
    repository: Repository,
    store: ObjectStore,
    { paths, attributesOid }: Pick<Tracked, 'paths' | 'attributesOid'>,
    ofHead: TreeAttributes,
  ) {
    const { config, commondir } = repository;
    this.#repository = repository;
    this.#store = store;
    this.#ofHead = ofHead;
    this.#attributes = new AttributeReader(
      repository,
      attributesIn({ attributesOid }, (oid) => readObject(store, oid, 'blob')),
    );
    this.#trustsMode = config.bool('core.filemode') !== false;
    const autocrlf = config.get('core.autocrlf');
    this.#converts =
      !ofHead.empty ||
      (autocrlf !== undefined && config.bool('core.autocrlf') !== false) ||
      config.get('core.attributesfile') !== undefined ||
      exists(`${commondir}/info/attributes`) ||
      exists(`${repository.worktree}/.gitattributes`) ||
      paths.some((path) => path.endsWith('.gitattributes'));
  }

  /** False for all files at once: none need be asked about. */
  get possible(): boolean {
    return this.#converts || !this.#trustsMode;
  }

  has(path: BytePath, entry: IndexEntry): boolean {
    if (entry.mode !== MODE.regular && entry.mode !== MODE.executable) return false;
    const place = `${this.#repository.worktree}/${path}`;
    const stats = statOrUndefined(() => lstatSync(fsPath(place)));
    if (stats?.isFile() !== true) return false;
    if (!this.#trustsMode && ((stats.mode ^ entry.mode) & 0o100) !== 0) return true;
    if (!this.#converts) return false;
    const attributes = this.#attributes.of(path);
    const conversion = this.#ofHead.empty ? null : this.#ofHead.conversionFor(path);
    if (conversion === null && !this.#mayConvert(attributes)) return false;
    const size = this.#store.header(entry.oid)?.size;
    if (size === undefined || size > COMPARED_BYTES || stats.size > COMPARED_BYTES) return true;
    const isFiltered = attributes.has('filter') || attributes.has('working-tree-encoding');
    // Git's way in only takes bytes away: of the same length is the same.
    if (conversion === null && !isFiltered && size === stats.size) return false;
    return this.#differs(place, entry.oid, conversion);
  }

  #mayConvert(attributes: Attributes): boolean {
    const { config } = this.#repository;
    return (
      attributes.has('filter') ||
      attributes.has('working-tree-encoding') ||
      conversionOf(attributes) !== null ||
      storedConversionOf(attributes, config) !== null
    );
  }

  #differs(place: BytePath, oid: string, conversion: Conversion | null): boolean {
    const blob = this.#store.read(oid)?.content;
    const content = readRegularFile(place, { noFollow: true });
    if (blob === undefined || content === undefined) return true;
    const written = conversion === null ? blob : convertToWorktree(blob, conversion, oid);
    return digest(written) !== digest(content);
  }
}

function digest(content: Buffer): string {
  return createHash('sha1').update(content).digest('hex');
}
