/**
 * The answer to a request for a pack: a head, then three streams in one (gitprotocol-v2 "fetch",
 * gitprotocol-pack "Packfile Data"). Enters: chunks, cut anywhere. Leaves: the bytes of band 1, at once,
 * as parts of their chunk. Invariant: it ends well only with its flush; nothing of the pack is held, and
 * of the rest at most one packet.
 */
import { TransportError } from '../errors.ts';
import {
  LENGTH_DIGITS,
  lineOf,
  packetLength,
  throwIfRefusal,
  truncated,
  violation,
} from './pkt-line.ts';
import type { Special } from './pkt-line.ts';
import { maskControls } from './printable.ts';
import { assertOid } from './remote-refs.ts';

const WHAT = 'the answer to fetch';
const BAND = { pack: 1, progress: 2, fatal: 3 } as const;
const NOTHING = Buffer.alloc(0);

export class FetchAnswer {
  /** Commits whose parents the host lacks itself: lines of `.git/shallow`. */
  readonly shallow: string[] = [];
  readonly #version: 0 | 2;
  readonly #onPack: (bytes: Buffer) => void;
  #place: 'head' | 'shallow-info' | 'bands' | 'end' = 'head';
  /** Of the next length. */
  #digits = '';
  /** Bytes of the packet that are still to come. */
  #left = 0;
  /** The packet's, once its first byte has come. */
  #band: number | null = null;
  /** What has come of a packet that is read as a whole. */
  #held: Buffer[] = [];

  constructor(version: 0 | 2, onPack: (bytes: Buffer) => void) {
    this.#version = version;
    this.#onPack = onPack;
  }

  /**
   * @throws TRANSPORT_REMOTE with the host's words for band 3 or an ERR packet; TRANSPORT_PROTOCOL for
   * sections that were not asked for (packfile-uris among them), any other band, or bytes behind the flush.
   */
  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length;) {
      if (this.#place === 'end') throw violation(WHAT, 'the end, got more bytes');
      const length = this.#left === 0 ? LENGTH_DIGITS - this.#digits.length : this.#left;
      const part = chunk.subarray(at, at + length);
      if (this.#left === 0) this.#takeDigits(part);
      else this.#takePart(part);
      at += part.length;
    }
  }

  /** @throws TRANSPORT_TRUNCATED without the flush. */
  end(): void {
    if (this.#place !== 'end') throw truncated(WHAT);
  }

  #takeDigits(part: Buffer): void {
    this.#digits += part.toString('latin1');
    if (this.#digits.length < LENGTH_DIGITS) return;
    const length = packetLength(this.#digits, WHAT);
    this.#digits = '';
    if (typeof length === 'string') this.#takeSpecial(length);
    else if (length === 0) this.#takeEmpty();
    else this.#left = length;
  }

  #takeSpecial(special: Special): void {
    if (this.#place === 'bands' && special === 'flush') this.#place = 'end';
    else if (this.#place === 'bands') throw unexpectedBand(`a ${special} packet`);
    else if (this.#place === 'head') throw violation(WHAT, `a line, got a ${special} packet`);
    else if (special === 'delim') this.#place = 'head';
    else throw unexpectedLine('"shallow <oid>"', special);
  }

  #takeEmpty(): void {
    if (this.#place === 'bands') throw unexpectedBand('an empty packet');
    this.#takeHead(NOTHING);
  }

  #takePart(part: Buffer): void {
    this.#left -= part.length;
    if (this.#place === 'bands') {
      this.#takeBand(part);
      return;
    }
    const payload = this.#whole(part);
    if (payload !== null) this.#takeHead(payload);
  }

  #takeBand(part: Buffer): void {
    const isFirst = this.#band === null;
    const band = (this.#band ??= part.readUInt8());
    const content = isFirst ? part.subarray(1) : part;
    if (this.#left === 0) this.#band = null;
    if (band === BAND.pack) {
      // An empty one is a keepalive while the host counts objects.
      if (content.length > 0) this.#onPack(content);
    } else if (band === BAND.fatal) {
      const words = this.#whole(content);
      if (words !== null) throw givenUp(words);
    } else if (band !== BAND.progress) {
      // "ERR " would be band 0x45 here.
      throw unexpectedBand(`band ${band}`);
    }
  }

  #takeHead(payload: Buffer): void {
    throwIfRefusal(payload);
    const line = lineOf(payload);
    if (this.#version === 0) {
      if (line !== 'NAK') throw unexpectedLine('NAK', line);
      this.#place = 'bands';
    } else if (this.#place === 'shallow-info') {
      if (!line.startsWith('shallow ')) throw unexpectedLine('"shallow <oid>"', line);
      this.shallow.push(assertOid(line.slice('shallow '.length), 'shallow'));
    } else if (line === 'packfile') {
      this.#place = 'bands';
    } else if (line === 'shallow-info') {
      this.#place = 'shallow-info';
    } else {
      throw unexpectedLine('the section "packfile"', line);
    }
  }

  /** The packet that `part` belongs to; null until it has come. */
  #whole(part: Buffer): Buffer | null {
    if (this.#left > 0) {
      // A copy: the chunk may be used again.
      this.#held.push(Buffer.from(part));
      return null;
    }
    const whole = Buffer.concat([...this.#held, part]);
    this.#held = [];
    return whole;
  }
}

function givenUp(words: Buffer): TransportError {
  const said = maskControls(words.toString('utf8').trim());
  return new TransportError('TRANSPORT_REMOTE', `the host gave up: ${said}`);
}

function unexpectedLine(expected: string, got: string): TransportError {
  return violation(WHAT, `${expected}, got "${maskControls(got)}"`);
}

function unexpectedBand(got: string): TransportError {
  return violation('the pack stream', `band 1, 2 or 3, got ${got}`);
}
