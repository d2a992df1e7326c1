/**
 * Which proxy stands before a URL, by the variables that curl and git obey. Enters: a URL and an
 * environment. Leaves: the proxy's URL or null. Lower case wins over upper case, as in curl.
 */
import { BlockList, isIP } from 'node:net';
import { TransportError } from '../errors.ts';
import type { CloneEnvironment } from './clone-job.ts';

const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'https:': '443', 'http:': '80' };

/** @throws TRANSPORT_PROXY when the variable holds no http or https URL. */
export function proxyFor(url: URL, environment: CloneEnvironment): URL | null {
  const own =
    url.protocol === 'https:'
      ? (environment.https_proxy ?? environment.HTTPS_PROXY)
      : (environment.http_proxy ?? environment.HTTP_PROXY);
  const value = own ?? environment.all_proxy ?? environment.ALL_PROXY;
  if (value === undefined) return null;
  if (isExempt(url, environment.no_proxy ?? environment.NO_PROXY ?? '')) return null;
  // "proxy.example:3128" is as common as the full URL.
  const text = value.includes('://') ? value : `http://${value}`;
  const proxy = URL.canParse(text) ? new URL(text) : null;
  if (proxy === null || !(proxy.protocol in DEFAULT_PORTS)) {
    // The value may hold a password, so it is not shown.
    throw new TransportError(
      'TRANSPORT_PROXY',
      `the proxy for ${url.protocol}//: expected an http:// or https:// URL in the environment`,
    );
  }
  return proxy;
}

/** NO_PROXY: `*`, hosts with their subdomains, addresses, networks; each with a port if wanted. */
function isExempt(url: URL, noProxy: string): boolean {
  const host = bareHost(url.hostname);
  const port = url.port === '' ? DEFAULT_PORTS[url.protocol] : url.port;
  return noProxy
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .some((entry) => {
      if (entry === '*') return true;
      if (entry.includes('/')) return isInNetwork(host, entry);
      const [, name = entry, entryPort] = /^(\[.*\]|[^:]*):(\d+)$/.exec(entry) ?? [];
      if (entryPort !== undefined && entryPort !== port) return false;
      const domain = bareHost(name.replace(/^\*?\./, ''));
      return host === domain || (host.endsWith(`.${domain}`) && isIP(host) === 0);
    });
}

function isInNetwork(host: string, entry: string): boolean {
  const [network = '', bits = ''] = entry.split('/');
  const family = isIP(host);
  if (family === 0 || isIP(network) !== family || !/^\d{1,3}$/.test(bits)) return false;
  if (Number(bits) > (family === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  const type = family === 4 ? 'ipv4' : 'ipv6';
  list.addSubnet(network, Number(bits), type);
  return list.check(host, type);
}

/** Lower case, without the brackets of an IPv6 address or a trailing dot. */
function bareHost(hostname: string): string {
  return hostname
    .toLowerCase()
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '');
}

/** `Proxy-Authorization` for the credentials in a proxy's URL, or null. */
export function proxyAuthorization(proxy: URL): string | null {
  if (proxy.username === '') return null;
  const credentials = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  return `Basic ${Buffer.from(credentials).toString('base64')}`;
}
