/**
 * A git-config(1) file in; the same without what lets somebody in out: credentials, headers, tokens,
 * users and passwords in URLs. Line by line: all other bytes stay as they are.
 */

const SECTION = /^\s*\[\s*([A-Za-z0-9.-]+)(?:\s+"[^\n]*")?\s*\]/;
const SECRET_KEY =
  /^\s*(?:extraheader|cookiefile|sslkey\w*|\w*(?:token|password|passwd|secret|authorization)\w*)\s*(?:=|$)/i;
const TOKEN =
  /(?:gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}|bearer\s+\S{16,}|basic\s+[A-Za-z0-9+/]{16,}=*)/i;

/** `latin1` in and out, so that no byte changes. */
export function withoutSecrets(config: string): string {
  const kept: string[] = [];
  let isCredential = false;
  let isDropped = false;
  let continues = false;
  for (const line of config.split('\n')) {
    if (!continues) {
      const section = SECTION.exec(line);
      if (section !== null) isCredential = section[1]?.toLowerCase().split('.')[0] === 'credential';
      const rest = section === null ? line : line.slice(section[0].length);
      isDropped = isCredential || SECRET_KEY.test(rest) || TOKEN.test(line);
    } else if (TOKEN.test(line)) {
      isDropped = true;
    }
    continues = line.endsWith('\\');
    if (!isDropped) kept.push(withoutUserinfos(line));
  }
  return kept.join('\n');
}

/** `https://user:password@host/` wherever one stands. */
export function withoutUserinfos(text: string): string {
  return text.replace(/([a-z][a-z0-9+.-]*:\/\/)[^/\s"'@]+@/gi, '$1');
}
