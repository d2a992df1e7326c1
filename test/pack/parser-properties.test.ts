import fc from 'fast-check';
import { expect, it } from 'vitest';
import { CheckoutError, PackError } from '../../agent/errors.ts';
import { parseTree } from '../../agent/checkout/tree.ts';
import { DeltaFault, DeltaHeader, applyDelta } from '../../agent/pack/delta.ts';
import { EntryHeader } from '../../agent/pack/entry-header.ts';

const RUNS = { numRuns: 2_000, seed: 20_261 };
const bytes = (maxLength: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
/** Bytes that look like instructions more often than noise does. */
const instructions = fc
  .array(
    fc.oneof(
      fc.tuple(fc.integer({ min: 0x90, max: 0x9f }), bytes(4)),
      fc.uint8Array({ minLength: 1, maxLength: 20 }).map((text) => [text.length, text] as const),
      fc.tuple(fc.integer({ min: 0, max: 255 }), bytes(3)),
    ),
    { maxLength: 8 },
  )
  .map((parts) => Buffer.concat(parts.map(([op, rest]) => Buffer.from([op, ...rest]))));

it('an entry header of any bytes is a header within them, needs more, or is refused', () => {
  fc.assert(
    fc.property(bytes(40), fc.nat(1_000_000), (input, offset) => {
      const header = new EntryHeader();
      try {
        if (!header.parse(input, 0, input.length, offset)) return;
      } catch (error) {
        expect(error).toBeInstanceOf(PackError);
        return;
      }
      expect(header.length).toBeLessThanOrEqual(input.length);
      expect([1, 2, 3, 4, 6, 7]).toContain(header.type);
      expect(Number.isSafeInteger(header.size)).toBe(true);
      if (header.type !== 6) return;
      expect(header.baseDistance).toBeGreaterThan(0);
      expect(header.baseDistance).toBeLessThanOrEqual(offset);
    }),
    RUNS,
  );
});

it('a delta of any bytes fills its result exactly or is refused, and touches nothing beside it', () => {
  const GUARD = 64;
  fc.assert(
    fc.property(bytes(60), instructions, fc.nat(200), fc.boolean(), (base, ops, size, isOne) => {
      // In one buffer, as the content ring has them, or in three.
      const one = Buffer.alloc(GUARD * 4 + base.length + ops.length + size, 0xaa);
      const baseAt = GUARD;
      const opsAt = baseAt + base.length + GUARD;
      const resultAt = opsAt + ops.length + GUARD;
      base.copy(one, baseAt);
      ops.copy(one, opsAt);
      const result = isOne ? one : Buffer.from(one);
      const before = Buffer.from(result);
      const run = (): void => {
        const end = opsAt + ops.length;
        applyDelta(one, baseAt, base.length, one, opsAt, end, result, resultAt, size);
      };
      try {
        run();
      } catch (error) {
        expect(error).toBeInstanceOf(DeltaFault);
      }
      const beside = (buffer: Buffer): Buffer[] => [
        buffer.subarray(0, resultAt),
        buffer.subarray(resultAt + size),
      ];
      expect(beside(result)).toEqual(beside(before));
    }),
    RUNS,
  );
});

it('the head of a delta of any bytes ends within it or is refused', () => {
  fc.assert(
    fc.property(bytes(24), (input) => {
      const header = new DeltaHeader();
      try {
        header.parse(input, 0, input.length);
      } catch (error) {
        expect(error).toBeInstanceOf(DeltaFault);
        return;
      }
      expect(header.position).toBeLessThanOrEqual(input.length);
      expect(Number.isSafeInteger(header.resultSize)).toBe(true);
    }),
    RUNS,
  );
});

it('a tree of any bytes is its entries, which make it up again, or TREE_INVALID', () => {
  const name = fc.uint8Array({ minLength: 1, maxLength: 6, min: 1 });
  const entry = fc
    .tuple(fc.constantFrom('100644', '40000', '120000', '160000', '8'), name, bytes(20))
    .map(([mode, text, oid]) =>
      Buffer.concat([Buffer.from(`${mode} `), text, Buffer.from([0]), oid]),
    );
  const tree = fc.oneof(
    bytes(80),
    fc.array(entry, { maxLength: 4 }).map((all) => Buffer.concat(all)),
  );
  fc.assert(
    fc.property(tree, (content) => {
      try {
        const again = parseTree(content).map(({ mode, name: text, oid }) => [mode, text, oid]);
        const size = again.reduce((sum, [, text]) => sum + (text as Buffer).length + 22, 0);
        expect(content.length).toBeGreaterThanOrEqual(size);
      } catch (error) {
        expect(error).toBeInstanceOf(CheckoutError);
        expect(error).toMatchObject({ code: 'TREE_INVALID' });
      }
    }),
    RUNS,
  );
});
