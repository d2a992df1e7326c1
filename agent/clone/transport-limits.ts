/** How long the transport waits for what. Waiting for a slow disk of our own never counts. */

export interface TransportLimits {
  /** Until a connection, TLS included, stands. */
  readonly connectTimeoutMs: number;
  /** Between a request and the head of its answer. */
  readonly headersTimeoutMs: number;
  /** Without a single byte. */
  readonly idleTimeoutMs: number;
  /** For the list of refs as a whole, redirects included. */
  readonly discoveryTimeoutMs: number;
  /** Until the first byte of the pack: the host counts and compresses before it sends one. */
  readonly firstPackByteMs: number;
  /** Each `leastPackBytes` of the pack may take this long; keepalives are no bytes of the pack. */
  readonly leastPackBytes: number;
  readonly leastPackBytesWithinMs: number;
  /** For the pack as a whole, however fast it comes. */
  readonly packTimeoutMs: number;
  /** Bytes of the list of refs. */
  readonly refsBytes: number;
}

export const TRANSPORT_LIMITS: TransportLimits = {
  connectTimeoutMs: 30_000,
  headersTimeoutMs: 120_000,
  idleTimeoutMs: 60_000,
  discoveryTimeoutMs: 300_000,
  firstPackByteMs: 900_000,
  leastPackBytes: 60_000,
  leastPackBytesWithinMs: 60_000,
  packTimeoutMs: 6 * 3_600_000,
  refsBytes: 512 * 2 ** 20,
};
