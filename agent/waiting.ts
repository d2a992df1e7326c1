/** In the status table until there is a manifest: what has to come from outside before there are mounts. */
export interface Waiting {
  readonly what: 'manifest';
  /** A path, or `-` for standard input. */
  readonly where: string;
  /** ISO 8601: the daemon gives up at `until`. */
  readonly since: string;
  readonly until: string;
}

/** From now on, for so long. @param where a path, or `-`. */
export function waitingForManifest(where: string, timeoutMs: number): Waiting {
  const now = Date.now();
  const [since = '', until = ''] = [now, now + timeoutMs].map((at) => new Date(at).toISOString());
  return { what: 'manifest', where, since, until };
}
