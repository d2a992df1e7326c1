/**
 * An answer of HTTP/1.1 (RFC 9112). Enters: its head as text, then its body as it comes. Leaves: status
 * and headers, and the content, whichever of the three ways it is framed in. Invariant: what the
 * standard does not allow is refused and not guessed at, and no length is believed before it has come.
 */
import { TransportError } from '../errors.ts';
import { maskControls } from './printable.ts';

export interface AnswerHead {
  readonly statusCode: number;
  /** The connection is of no use behind it. */
  readonly isLast: boolean;
  /** By name in lower case; the first of several. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface BodySink {
  /** Takes the next part, whose bytes are overwritten afterwards. */
  take(part: Buffer): void;
  /** Asked after each piece that the socket gave: null, or what to wait for before the next one. */
  backlog(): Promise<void> | null;
}

export interface PourOptions {
  /** ETIMEDOUT after this without a byte: only waiting counts, not what is done with what came. */
  readonly idleTimeoutMs: number;
  /** What is thrown for an error of the connection, or the reason of the request's signal. */
  readonly explain: (error: Error) => Error;
}

export interface Answer extends AnswerHead {
  /** Hands over the body; settles at its end. @throws what the sink throws; the reason of `stop`; see PourOptions. */
  pour(sink: BodySink, stop: AbortSignal, options: PourOptions): Promise<void>;
  /** The body is not wanted, and the connection of no use then. */
  destroy(): void;
}

/** Hands over the body of an answer, as Answer.pour(). */
export type Pour = (sink: BodySink, stop: AbortSignal) => Promise<void>;

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: |$)/;
const FIELD_NAME = /^[!#$%&'*+.^_`|~\w-]+$/;
const HEAD_END = '\r\n\r\n';
const HEAD_BYTES = 65_536;
/** Extensions of a chunk, or the trailers: nobody needs them. */
const LINE_BYTES = 16_384;

/** Puts a head together. */
export class HeadText {
  #text = '';

  /** Returns the head as soon as it is whole, and what came behind it. @throws TRANSPORT_PROTOCOL */
  push(bytes: Buffer): { readonly head: AnswerHead; readonly rest: Buffer } | null {
    this.#text += bytes.toString('latin1');
    for (;;) {
      const end = this.#text.indexOf(HEAD_END);
      const length = end === -1 ? this.#text.length : end;
      if (length > HEAD_BYTES) throw notHttp('a head without an end');
      // What is no HTTP may well have no such end.
      if (!'HTTP/1.'.startsWith(this.#text.slice(0, 7))) throw notHttp(this.#text);
      if (end === -1) return null;
      const head = parseHead(this.#text.slice(0, end));
      this.#text = this.#text.slice(end + HEAD_END.length);
      // One of 1xx comes before the answer.
      if (head.statusCode >= 200) return { head, rest: Buffer.from(this.#text, 'latin1') };
    }
  }
}

/** @throws TRANSPORT_PROTOCOL */
function parseHead(text: string): AnswerHead {
  const [statusLine = '', ...fields] = text.split('\r\n');
  const [, minor, status] = STATUS_LINE.exec(statusLine) ?? [];
  if (status === undefined) throw notHttp(statusLine);
  const headers = Object.create(null) as Record<string, string>;
  for (const line of fields) {
    const [key, value] = parseField(line);
    // Two lengths, or two ways to frame it, are refused below.
    const isFraming = key === 'content-length' || key === 'transfer-encoding';
    if (headers[key] === undefined) headers[key] = value;
    else if (isFraming) headers[key] += `, ${value}`;
  }
  const isLast = minor === '0' || /(^|[\s,])close($|[\s,])/i.test(headers['connection'] ?? '');
  return { statusCode: Number(status), isLast, headers };
}

/** The name in lower case, and the value. */
function parseField(line: string): [string, string] {
  const colon = line.indexOf(':');
  const name = line.slice(0, Math.max(colon, 0));
  if (!FIELD_NAME.test(name) || /[\0\r\n]/.test(line)) throw notHttp(line);
  return [name.toLowerCase(), line.slice(colon + 1).trim()];
}

export function isRedirect({ statusCode }: AnswerHead): boolean {
  return [301, 302, 303, 307, 308].includes(statusCode);
}

export function headerOf({ headers }: AnswerHead, name: string): string | null {
  return headers[name] ?? null;
}

/** RFC 9112 6.3. */
export class AnswerBody {
  readonly #onContent: (part: Buffer) => void;
  readonly #isChunked: boolean;
  /** Bytes of the content, or of a chunk, that are still to come. */
  #left = 0;
  #place: 'size' | 'content' | 'behind a chunk' | 'trailer' | 'end';
  #line = '';

  /** @throws TRANSPORT_PROTOCOL */
  constructor({ statusCode, headers }: AnswerHead, onContent: (part: Buffer) => void) {
    const { 'transfer-encoding': encoding, 'content-length': length } = headers;
    this.#onContent = onContent;
    this.#isChunked = encoding !== undefined;
    this.#place = this.#isChunked ? 'size' : 'content';
    if (encoding !== undefined) {
      if (encoding.toLowerCase() !== 'chunked' || length !== undefined) throw notHttp(encoding);
    } else {
      if (length !== undefined && !/^\d{1,15}$/.test(length)) throw notHttp(length);
      this.#left = statusCode === 204 || statusCode === 304 ? 0 : Number(length ?? Infinity);
      if (this.#left === 0) this.#place = 'end';
    }
  }

  get isComplete(): boolean {
    return this.#place === 'end';
  }

  /** Whether it may end where the connection does. */
  get isUnbounded(): boolean {
    return this.#left === Infinity;
  }

  /** Returns where in `bytes` the body ended, or their length. @throws TRANSPORT_PROTOCOL */
  push(bytes: Buffer): number {
    let at = 0;
    while (at < bytes.length && this.#place !== 'end') {
      if (this.#place === 'content') {
        const part = bytes.subarray(at, at + Math.min(this.#left, bytes.length));
        at += part.length;
        this.#left -= part.length;
        if (this.#left === 0) this.#place = this.#isChunked ? 'behind a chunk' : 'end';
        this.#onContent(part);
      } else {
        at = this.#takeLine(bytes, at);
      }
    }
    return at;
  }

  #takeLine(bytes: Buffer, at: number): number {
    const lineFeed = bytes.indexOf(0x0a, at);
    const end = lineFeed === -1 ? bytes.length : lineFeed + 1;
    this.#line += bytes.toString('latin1', at, end);
    if (this.#line.length > LINE_BYTES) throw notHttp('a line without an end');
    if (lineFeed === -1) return end;
    const line = this.#line;
    this.#line = '';
    if (!line.endsWith('\r\n')) throw notHttp(line);
    this.#takeWholeLine(line.slice(0, -2));
    return end;
  }

  #takeWholeLine(line: string): void {
    if (this.#place === 'size') {
      const [, size] = /^([0-9a-fA-F]{1,12})[ \t]*(?:;.*)?$/.exec(line) ?? [];
      if (size === undefined) throw notHttp(line);
      this.#left = parseInt(size, 16);
      this.#place = this.#left === 0 ? 'trailer' : 'content';
    } else if (this.#place === 'behind a chunk') {
      if (line !== '') throw notHttp(line);
      this.#place = 'size';
    } else if (line === '') {
      this.#place = 'end';
    } else {
      parseField(line);
    }
  }
}

export function notHttp(got: string): TransportError {
  const shown = maskControls(got.slice(0, 100));
  return new TransportError(
    'TRANSPORT_PROTOCOL',
    `the host: expected an answer of HTTP/1.1, got something else: "${shown}"`,
  );
}
