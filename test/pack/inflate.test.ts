/** Both engines behave alike: the private handle and the public API. */
import zlib from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { createInflater } from '../../agent/pack/inflate.ts';
import { HandleInflater } from '../../agent/pack/inflate-handle.ts';
import { PublicInflater } from '../../agent/pack/inflate-public.ts';
import { InflateFault, NEEDS_INPUT, type Inflater } from '../../agent/pack/inflater.ts';
import { noise } from './git-repository.ts';

const CONTENT = Buffer.concat([noise(70_000, 1), Buffer.alloc(90_000, 'text ')]);
const STREAM = zlib.deflateSync(CONTENT);
const BEHIND = Buffer.from('what comes after it');

it('createInflater() uses the handle of this version of Node', () => {
  expect(createInflater()).toBeInstanceOf(HandleInflater);
});

describe.each<[string, () => Inflater]>([
  ['HandleInflater', () => new HandleInflater()],
  ['PublicInflater', () => new PublicInflater()],
])('%s', (_name, create) => {
  function whole(stream: Buffer, size: number): { used: number; content: Buffer } {
    const output = Buffer.alloc(size + 8, 0xee);
    const inflater = create();
    const used = inflater.inflate(stream, 0, stream.length, output, 3, size);
    inflater.close();
    // Nothing outside of the place for content and one byte is touched.
    expect(output.subarray(0, 3).equals(Buffer.alloc(3, 0xee))).toBe(true);
    expect(output.subarray(size + 4).equals(Buffer.alloc(4, 0xee))).toBe(true);
    return { used, content: output.subarray(3, size + 3) };
  }

  function inPieces(
    stream: Buffer,
    size: number,
    pieceBytes: number,
  ): { used: number; content: Buffer } {
    const inflater = create();
    const pieces: Buffer[] = [];
    inflater.begin(size);
    let used = 0;
    for (let start = 0; start < stream.length && !inflater.ended; start += pieceBytes) {
      const end = Math.min(stream.length, start + pieceBytes);
      used += inflater.push(stream, start, end, (piece) => pieces.push(Buffer.from(piece)));
    }
    const { ended } = inflater;
    inflater.close();
    return { used: ended ? used : NEEDS_INPUT, content: Buffer.concat(pieces) };
  }

  function fault(work: () => unknown): string {
    try {
      work();
      return 'none';
    } catch (error) {
      if (error instanceof InflateFault) return error.kind;
      throw error;
    }
  }

  it.each([CONTENT, Buffer.alloc(0), Buffer.from('x')])('tells content and length', (content) => {
    const stream = zlib.deflateSync(content);
    const { used, content: got } = whole(Buffer.concat([stream, BEHIND]), content.length);
    expect(used).toBe(stream.length);
    expect(got.equals(content)).toBe(true);
    expect(whole(stream, content.length).used).toBe(stream.length);
  });

  it.each([4096, 65_537, Infinity])('does so in pieces of %d', (pieceBytes) => {
    const { used, content } = inPieces(Buffer.concat([STREAM, BEHIND]), CONTENT.length, pieceBytes);
    expect(used).toBe(STREAM.length);
    expect(content.equals(CONTENT)).toBe(true);
  });

  it('asks for more of a stream that is cut off', () => {
    expect(whole(STREAM.subarray(0, 1000), CONTENT.length).used).toBe(NEEDS_INPUT);
    expect(whole(STREAM.subarray(0, -1), CONTENT.length).used).toBe(NEEDS_INPUT);
    expect(whole(Buffer.alloc(0), 5).used).toBe(NEEDS_INPUT);
    expect(inPieces(STREAM.subarray(0, -1), CONTENT.length, Infinity).used).toBe(NEEDS_INPUT);
  });

  const bad = Buffer.from(STREAM);
  bad[bad.length - 1]! ^= 1;
  it.each<[string, Buffer, number, string]>([
    ['more content than declared', STREAM, CONTENT.length - 1, 'size'],
    ['less content than declared', STREAM, CONTENT.length + 1, 'size'],
    ['content where none is declared', STREAM, 0, 'size'],
    ['a bad Adler-32', bad, CONTENT.length, 'data'],
    ['no zlib header', BEHIND, 100, 'data'],
    [
      'a preset dictionary',
      zlib.deflateSync(CONTENT, { dictionary: CONTENT }),
      CONTENT.length,
      'data',
    ],
  ])('refuses %s', (_what, stream, size, kind) => {
    const followed = Buffer.concat([stream, BEHIND]);
    expect(fault(() => whole(followed, size))).toBe(kind);
    expect(fault(() => inPieces(followed, size, Infinity))).toBe(kind);
    expect(fault(() => inPieces(followed, size, 50_000))).toBe(kind);
  });

  it('works on after each kind of failure', () => {
    const inflater = create();
    const output = Buffer.alloc(CONTENT.length + 1);
    for (const stream of [bad, BEHIND, STREAM.subarray(0, 99)]) {
      fault(() => inflater.inflate(stream, 0, stream.length, output, 0, CONTENT.length));
      const used = inflater.inflate(STREAM, 0, STREAM.length, output, 0, CONTENT.length);
      expect(used).toBe(STREAM.length);
    }
    inflater.close();
  });

  it('makes at most one byte more than declared of a stream that would make a gigabyte', () => {
    const bomb = zlib.deflateSync(Buffer.alloc(2 ** 26));
    expect(fault(() => whole(bomb, 10))).toBe('size');
    let made = 0;
    const inflater = create();
    inflater.begin(100_000);
    const push = (): unknown =>
      inflater.push(bomb, 0, bomb.length, (piece) => {
        made += piece.length;
      });
    expect(fault(push)).toBe('size');
    expect(made).toBeLessThanOrEqual(100_001);
    inflater.close();
  });
});
