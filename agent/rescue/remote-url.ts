/** URLs of remotes: what may be written down of one, whether two mean the same, whether it is here. */

const WITH_SCHEME = /^([a-z][a-z0-9+.-]*):\/\/(?:[^/@]*@)?(.*)$/i;
const SCP_FORM = /^(?:[^/@:]+@)?([^/:]+):(?!\/\/)(.+)$/;

/** Without user and password: that is where people put tokens. */
export function withoutUserinfo(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/]*@/i, '$1');
}

/** Two of the same repository are equal, as far as their text tells. */
export function normalUrl(url: string): string {
  const bare = withoutUserinfo(url)
    .replace(/\/+$/, '')
    .replace(/\.git$/, '')
    .replace(/\/+$/, '');
  const [, scheme = '', rest = ''] = WITH_SCHEME.exec(bare) ?? [];
  if (scheme === '') return bare;
  const [host = '', ...path] = rest.split('/');
  const port = scheme.toLowerCase() === 'https' ? /:443$/ : /:80$/;
  return `${scheme.toLowerCase()}://${[host.toLowerCase().replace(port, ''), ...path].join('/')}`;
}

/** On another machine; a path and `file://` are of this one. */
export function isElsewhere(url: string): boolean {
  const scheme = WITH_SCHEME.exec(url)?.[1]?.toLowerCase();
  if (scheme !== undefined) return scheme !== 'file';
  return !/^[./~]/.test(url) && SCP_FORM.test(url);
}
