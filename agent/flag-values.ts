/**
 * The text of a flag → its value, or USAGE_INVALID that names the flag, what was expected and what
 * came. Flags never carry secrets, so the value may be shown.
 */
import { AgentError } from './errors.ts';
import type { GitUser } from './resource.ts';

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5 };

/** `90s`, `1.5h`, `500ms`, `2d`; a number alone is seconds. */
export function parseDuration(flag: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text.trim());
  if (match === null) throw usage(flag, text, 'a duration such as 90s, 15m or 24h');
  const ms = Number(match[1]) * (UNIT_MS[match[2] ?? 's'] ?? 1e3);
  if (ms > 366 * 864e5) throw usage(flag, text, 'at most 366d');
  return ms;
}

/** `127.0.0.1:8484`, `[::1]:8484`, `localhost:0`, `:8484` (every address). */
export function parseListen(text: string): ListenAddress {
  const match = /^(?:\[([0-9a-fA-F:.%]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) throw usage('--listen', text, 'host:port');
  const host = match[1] ?? match[2] ?? '';
  return { host: host === '' ? '::' : host, port };
}

export function parseJobs(jobs: number): number {
  if (!Number.isSafeInteger(jobs) || jobs < 1 || jobs > 64) {
    throw usage('--jobs', String(jobs), 'a whole number from 1 to 64');
  }
  return jobs;
}

/** `Ada Lovelace <ada@example.com>`, as git itself writes it. */
export function parseGitUser(text: string | null): GitUser | null {
  if (text === null) return null;
  const [, name, email] = /^\s*([^<>\p{C}]*[^<>\p{C}\s])\s*<([^<>\s\p{C}]+)>\s*$/u.exec(text) ?? [];
  if (name === undefined || email === undefined) {
    throw usage('--git-user', text, '"Name <email>"');
  }
  return { name, email };
}

export function absolute(flag: string, path: string): string {
  if (!path.startsWith('/')) throw usage(flag, path, 'an absolute path');
  return path;
}

export function usage(flag: string, got: string, expected: string): AgentError {
  return new AgentError('USAGE_INVALID', `${flag}: expected ${expected}, got "${got}"`);
}
