import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { findJsonFaults, isJson } from '../../agent/manifest/json-text.ts';

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

it('isJson() accepts exactly what JSON.parse accepts, whole, cut short or damaged', () => {
  const damaged = fc
    .tuple(fc.json(), fc.nat(), fc.constantFrom('', ',', '"', '\\', '}', '\t', '0', '-', '\u0001'))
    .map(([text, at, extra]) => {
      const cut = at % (text.length + 1);
      return text.slice(0, cut) + extra + text.slice(cut + (at % 3));
    });
  const scraps = fc.string({
    unit: fc.constantFrom(...Array.from('{}[]",:\\ue0-1.+ \n\ttrunfalsE')),
  });
  fc.assert(
    fc.property(fc.oneof(fc.json(), damaged, scraps), (text) => isJson(text) === parses(text)),
    { numRuns: 3000 },
  );
});

it('findJsonFaults() finds a repeated key at any depth, also when it is spelled with escapes', () => {
  expect(findJsonFaults('{"a":[{"b":1,"c":{"d":1,"\\u0064":2}}],"a":3}')).toEqual([
    { pointer: '/a/0/c/d', message: 'the key stands twice' },
    { pointer: '/a', message: 'the key stands twice' },
  ]);
  expect(findJsonFaults('[{"a":1},{"a":1}]')).toEqual([]);
});
