/**
 * Where a repository is: the URL of the job, and where the host says it has moved to. Invariant: a
 * URL that leaves here has the scheme, host and port that the token is meant for, and no userinfo.
 */
import { ManifestError, TransportError } from '../errors.ts';
import { maskControls } from './printable.ts';

export const SERVICE = 'git-upload-pack';
export const INFO_REFS = `/info/refs?service=${SERVICE}`;

/** @throws MANIFEST_INVALID for what a manifest would not have let through. */
export function checkedUrl(text: string, allowHttp: boolean): URL {
  const url = new URL(text);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && allowHttp)) {
    throw new ManifestError(
      'MANIFEST_INVALID',
      `url: expected https://, got ${url.protocol}// (plain http needs --allow-http)`,
    );
  }
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new ManifestError(
      'MANIFEST_INVALID',
      'url: expected no user, password, query or fragment',
    );
  }
  url.pathname = url.pathname.replace(/\/+$/, '');
  return url;
}

/**
 * As git does it: what stands before the part that was asked for is the repository's new place.
 * @throws TRANSPORT_REDIRECT_REFUSED for another origin, or a path that is no repository's.
 */
export function redirectedBase(from: URL, location: string): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : null;
  const anonymous = to !== null && to.username === '' && to.password === '';
  if (to === null || !anonymous || to.origin !== from.origin || !to.href.endsWith(INFO_REFS)) {
    const shown = to === null ? 'nowhere' : maskControls(to.origin + to.pathname);
    throw new TransportError(
      'TRANSPORT_REDIRECT_REFUSED',
      `${from.host} redirected to ${shown}: expected the same scheme, host and port and a path that ends in ${INFO_REFS}`,
    );
  }
  return new URL(to.href.slice(0, -INFO_REFS.length));
}
