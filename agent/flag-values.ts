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

/** An absolute path, or a name that PATH finds: what lies in between depends on where one stands. */
export function parseProgram(flag: string, text: string | null): string | null {
  if (text === null || /^\/.|^[^/]+$/.test(text)) return text;
  throw usage(flag, text, 'an absolute path or the name of a program in PATH');
}

const LOOPBACK = /^(?:localhost|.+\.localhost|127(?:\.\d+){3}|\[::1\])$/;

/** Refused without showing it: the path of a webhook is often its secret. */
export function parseWarnUrl(text: string | null, allowHttp: boolean): string | null {
  if (text === null) return null;
  const refuse = (why: string): AgentError =>
    new AgentError('USAGE_INVALID', `--warn-url: expected an https URL; ${why}`);
  if (!URL.canParse(text)) throw refuse('this is no URL');
  const url = new URL(text);
  const isPlain = url.protocol === 'http:' && allowHttp && LOOPBACK.test(url.hostname);
  if (url.protocol !== 'https:' && !isPlain) {
    throw refuse('plain http needs --allow-http and a loopback host');
  }
  if (url.username !== '' || url.password !== '') {
    throw refuse('a user name or password in it is not used: sign with --warn-key-file');
  }
  url.hash = '';
  return url.href;
}

export function absolute(flag: string, path: string): string {
  if (!path.startsWith('/')) throw usage(flag, path, 'an absolute path');
  return path;
}

export function usage(flag: string, got: string, expected: string): AgentError {
  return new AgentError('USAGE_INVALID', `${flag}: expected ${expected}, got "${got}"`);
}
