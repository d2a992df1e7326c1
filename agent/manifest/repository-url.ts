/**
 * The url of a resource in, its normalised parts out, or every reason why it is refused.
 * The text is matched as it stands, never repaired: a URL parser that strips tabs, turns `\` into
 * `/` or decodes `%2e` would accept text that git and the host read differently. A reason never
 * quotes the text, because userinfo is where people put tokens.
 */
import { isIPv4, isIPv6 } from 'node:net';

export interface RepositoryUrl {
  /** `https://host/owner/name`: lower-case scheme and host, no default port, no `.git`. */
  readonly url: string;
  readonly protocol: 'https' | 'http';
  /** With the port when it is not the protocol's own; an IPv6 address in brackets. */
  readonly host: string;
  readonly owner: string;
  readonly name: string;
}

export interface Refusal {
  readonly reasons: readonly string[];
}

export interface RepositoryUrlContext {
  /** Permits plain http, and that for loopback hosts only. */
  readonly allowHttp: boolean;
}

const SHAPE = /^(?<scheme>[a-z][a-z0-9+.-]*):\/\/(?<authority>[^/]*)(?<path>\/.*)?$/i;
const SCP_FORM = /^[^/:]+:(?!:|\/\/)/;
const TEXT_LIMIT = 1024;
const HOST_LIMIT = 253;
/** Longer than any name GitHub gives, short enough for a file name. */
const NAME_LIMIT = 100;
const DEFAULT_PORT = { https: '443', http: '80' } as const;

/** Rules that hold for the text as a whole, each with what is said when it is broken. */
const TEXT_RULES: readonly (readonly [RegExp, string])[] = [
  [/^-/, 'must not begin with "-"'],
  [/[^!-~\u00a0-\u{10ffff}]/u, 'must not contain spaces or control characters'],
  [/[\u0080-\u{10ffff}]/u, 'must be ASCII; write the host of another script as xn--…'],
  [/%/, 'must not contain percent-encoding'],
  [/\\/, 'must not contain a backslash'],
  [/\?/, 'must not contain a query'],
  [/#/, 'must not contain a fragment'],
];

export function parseRepositoryUrl(
  text: string,
  context: RepositoryUrlContext,
): RepositoryUrl | Refusal {
  if (text.length > TEXT_LIMIT) return { reasons: [`must have at most ${TEXT_LIMIT} characters`] };
  const reasons = TEXT_RULES.filter(([pattern]) => pattern.test(text)).map(([, reason]) => reason);
  const parts = SHAPE.exec(text)?.groups;
  if (parts === undefined) {
    const scp = SCP_FORM.test(text) ? '; host:path is the ssh form' : '';
    return { reasons: [...reasons, `expected https://host/owner/name${scp}`] };
  }
  const protocol = parseProtocol(parts['scheme'] ?? '', reasons);
  const host = parseAuthority(parts['authority'] ?? '', protocol, reasons);
  const repository = parsePath(parts['path'] ?? '', reasons);
  if (protocol === 'http') checkPlainHttp(host, context, reasons);
  if (protocol === null || reasons.length > 0) return { reasons };
  const { owner, name } = repository;
  return { url: `${protocol}://${host}/${owner}/${name}`, protocol, host, owner, name };
}

function parseProtocol(scheme: string, reasons: string[]): 'https' | 'http' | null {
  const protocol = scheme.toLowerCase();
  if (protocol === 'https' || protocol === 'http') return protocol;
  reasons.push('must be an https URL');
  return null;
}

function parseAuthority(
  authority: string,
  protocol: 'https' | 'http' | null,
  reasons: string[],
): string {
  if (authority.includes('@')) {
    reasons.push('must not contain a user name or a password; use authorization_token');
    return '';
  }
  const match = /^(?<hostname>\[[^\]]*\]|[^:[\]]*)(?::(?<port>.*))?$/.exec(authority)?.groups;
  const hostname = (match?.['hostname'] ?? '').toLowerCase();
  const port = match?.['port'];
  if (!isHostname(hostname)) reasons.push('the host is not a host name or an address');
  if (port === undefined) return hostname;
  if (!/^[1-9]\d{0,4}$/.test(port) || Number(port) > 65_535) {
    reasons.push('the port is not a number from 1 to 65535');
  }
  return protocol !== null && port === DEFAULT_PORT[protocol] ? hostname : `${hostname}:${port}`;
}

/** Lower-case host as every other program will read it: `127.1`, `0x7f.0.0.1` and `a..b` are refused. */
function isHostname(hostname: string): boolean {
  if (hostname.startsWith('[')) {
    return isIPv6(hostname.slice(1, -1)) && canonicalHostname(hostname) === hostname;
  }
  if (hostname.length > HOST_LIMIT) return false;
  const labels = hostname.split('.');
  if (!labels.every((label) => /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(label))) return false;
  return canonicalHostname(hostname) === hostname;
}

/** What the WHATWG parser makes of the host (numbers become addresses), or null where it refuses. */
function canonicalHostname(hostname: string): string | null {
  const url = `https://${hostname}/`;
  return URL.canParse(url) ? new URL(url).hostname : null;
}

function parsePath(path: string, reasons: string[]): { owner: string; name: string } {
  const [owner = '', rawName = '', ...more] = path.slice(1).replace(/\/$/, '').split('/');
  const name = rawName.replace(/\.git$/, '');
  if (more.length > 0) reasons.push('must end after owner/name');
  else if (!isPathName(owner) || !isPathName(name)) {
    reasons.push('the path must be owner/name, of letters, digits, ".", "_" and "-"');
  }
  return { owner, name };
}

function isPathName(name: string): boolean {
  if (name.length > NAME_LIMIT || /^\.{1,2}$/.test(name) || /\.git$/i.test(name)) return false;
  return /^[A-Za-z0-9._][A-Za-z0-9._-]*$/.test(name);
}

function checkPlainHttp(host: string, context: RepositoryUrlContext, reasons: string[]): void {
  const hostname = host.replace(/:\d+$/, '');
  const loopback =
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    (hostname.startsWith('127.') && isIPv4(hostname));
  if (!context.allowHttp) reasons.push('must be an https URL (plain http needs --allow-http)');
  else if (!loopback) reasons.push('plain http is only for loopback hosts');
}
