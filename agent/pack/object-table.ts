/**
 * Objects that belong together, for a walk and for the pack that is made of them: oid in, its row out.
 * Flat columns and an open-addressed table, some 40 bytes an object: a whole history fits in memory.
 * Invariant: rows are numbered in the order in which they came, and none comes twice.
 */
import { OID_BYTES } from './entry-header.ts';

const FIRST_BITS = 10;

export class ObjectTable {
  #oids = Buffer.allocUnsafe(OID_BYTES << (FIRST_BITS - 1));
  #types = new Uint8Array(1 << (FIRST_BITS - 1));
  #sizes = new Float64Array(1 << (FIRST_BITS - 1));
  /** Row + 1; 0 where the slot is free. */
  #slots = new Uint32Array(1 << FIRST_BITS);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** @returns the new row, or -1 when the object is there already. */
  add(oid: string, type = 0, size = 0): number {
    if ((this.#count + 1) * 2 > this.#slots.length) this.#grow();
    const row = this.#count;
    // Written where it is going to stand: if it is there already, the place is used again.
    this.#oids.write(oid, row * OID_BYTES, OID_BYTES, 'hex');
    const slot = this.#slotOf(row);
    if (this.#slots[slot] !== 0) return -1;
    this.#slots[slot] = row + 1;
    this.#types[row] = type;
    this.#sizes[row] = size;
    this.#count++;
    return row;
  }

  has(oid: string): boolean {
    if ((this.#count + 1) * 2 > this.#slots.length) this.#grow();
    this.#oids.write(oid, this.#count * OID_BYTES, OID_BYTES, 'hex');
    return this.#slots[this.#slotOf(this.#count)] !== 0;
  }

  oidAt(row: number): string {
    return this.#oids.toString('hex', row * OID_BYTES, (row + 1) * OID_BYTES);
  }

  typeAt(row: number): number {
    return this.#types[row]!;
  }

  sizeAt(row: number): number {
    return this.#sizes[row]!;
  }

  /** Where the oid that stands at `row` is, or would be. */
  #slotOf(row: number): number {
    const oids = this.#oids;
    const start = row * OID_BYTES;
    const mask = this.#slots.length - 1;
    let slot = oids.readUInt32BE(start) & mask;
    for (let other = this.#slots[slot]!; other !== 0; other = this.#slots[slot]!) {
      const at = (other - 1) * OID_BYTES;
      if (oids.compare(oids, at, at + OID_BYTES, start, start + OID_BYTES) === 0) break;
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #grow(): void {
    const rows = this.#slots.length;
    const oids = Buffer.allocUnsafe(OID_BYTES * rows);
    this.#oids.copy(oids, 0, 0, this.#count * OID_BYTES);
    const types = new Uint8Array(rows);
    types.set(this.#types);
    const sizes = new Float64Array(rows);
    sizes.set(this.#sizes);
    [this.#oids, this.#types, this.#sizes] = [oids, types, sizes];
    this.#slots = new Uint32Array(2 * rows);
    for (let row = 0; row < this.#count; row++) this.#slots[this.#slotOf(row)] = row + 1;
  }
}
