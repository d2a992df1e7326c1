/**
 * An oid in, the commit, tree or tag of that name out, from a pack of which only a part has arrived:
 * of the entries that have a name by now and whose bytes are in the file.
 */
import { OBJECT_TYPE, OID_BYTES, TYPE_NAMES, type ObjectTypeName } from './entry-header.ts';
import type { EntryTable } from './entry-table.ts';
import { RowContents } from './row-contents.ts';

const NO_ROW = -1;

/** So many oids are searched for byte by byte, 20 ms less for HEAD's commit alone than a hash table. */
const SEARCHES = 4;
const CACHE_BYTES = 4 * 2 ** 20;

export class ArrivedObjects {
  readonly #table: EntryTable;
  readonly #contents: RowContents;
  /** Rows by the first bytes of their oid, open addressing; a power of two of them. Made when it pays. */
  #slots: Int32Array | null = null;
  #searches = 0;
  readonly #newFrom: number | null;

  /** @param newFrom where given, a few objects are looked for in the rows from there on. */
  constructor(table: EntryTable, fd: number, newFrom?: number) {
    this.#newFrom = newFrom ?? null;
    this.#table = table;
    const { count, endOffset } = table;
    this.#contents = new RowContents(
      { fd, columns: table, count, endOffset },
      CACHE_BYTES,
      Number.POSITIVE_INFINITY,
    );
  }

  /** The object, or undefined where it has not arrived, or has no name yet. */
  read(oid: string): { readonly type: ObjectTypeName; readonly content: Buffer } | undefined {
    const row = this.#find(Buffer.from(oid, 'hex'));
    const type = row === NO_ROW ? undefined : TYPE_NAMES[this.#table.types[row]!];
    return type === undefined ? undefined : { type, content: this.#make(row) };
  }

  /** What `read` would give, without its content. */
  header(oid: string): { readonly type: ObjectTypeName } | undefined {
    const row = this.#find(Buffer.from(oid, 'hex'));
    const type = row === NO_ROW ? undefined : TYPE_NAMES[this.#table.types[row]!];
    return type === undefined ? undefined : { type };
  }

  /** The object at `row`, which has a name. */
  at(row: number): { readonly type: number; readonly content: Buffer } {
    return { type: this.#table.types[row]!, content: this.#make(row) };
  }

  [Symbol.dispose](): void {
    this.#contents[Symbol.dispose]();
  }

  #isRead(row: number): boolean {
    const type = this.#table.types[row];
    return type === OBJECT_TYPE.commit || type === OBJECT_TYPE.tree || type === OBJECT_TYPE.tag;
  }

  #find(oid: Buffer): number {
    if (this.#slots === null && this.#searches++ < SEARCHES) return this.#search(oid);
    // More would take too long, again and again.
    if (this.#newFrom !== null) return NO_ROW;
    return this.#lookUp((this.#slots ??= this.#makeSlots()), oid);
  }

  #search(oid: Buffer): number {
    const { oids, count } = this.#table;
    const named = oids.subarray(0, count * OID_BYTES);
    const from = (this.#newFrom ?? 0) * OID_BYTES;
    for (let at = named.indexOf(oid, from); at !== -1; at = named.indexOf(oid, at + 1)) {
      const row = at / OID_BYTES;
      if (Number.isInteger(row) && this.#isRead(row)) return row;
    }
    return NO_ROW;
  }

  #makeSlots(): Int32Array {
    const { count, oids } = this.#table;
    let bits = 4;
    while (2 ** bits < count * 2) bits++;
    const slots = new Int32Array(2 ** bits).fill(NO_ROW);
    const mask = slots.length - 1;
    for (let row = 0; row < count; row++) {
      if (!this.#isRead(row)) continue;
      let slot = oids.readUInt32LE(row * OID_BYTES) & mask;
      while (slots[slot] !== NO_ROW) slot = (slot + 1) & mask;
      slots[slot] = row;
    }
    return slots;
  }

  #lookUp(slots: Int32Array, oid: Buffer): number {
    const { oids } = this.#table;
    const mask = slots.length - 1;
    for (let slot = oid.readUInt32LE(0) & mask; ; slot = (slot + 1) & mask) {
      const row = slots[slot]!;
      if (row === NO_ROW) return NO_ROW;
      if (oid.compare(oids, row * OID_BYTES, (row + 1) * OID_BYTES) === 0) return row;
    }
  }

  #make(row: number): Buffer {
    const content = this.#contents.make(row);
    if (content === null) throw new TypeError('expected a content, without any limit');
    return content;
  }
}
