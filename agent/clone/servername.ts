/**
 * For TLS, and said to node:http as well, which would find it out itself, by a regular expression of IPv6 that
 * takes 5 ms to compile.
 * @param hostname with brackets, as a URL has it, or without.
 * @returns '' for an address (RFC 6066, 3: only names).
 */
export function servernameOf(hostname: string): string {
  return hostname.includes(':') || /^[\d.]+$/.test(hostname) ? '' : hostname;
}
