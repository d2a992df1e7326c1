/**
 * Who commits in a mount. In: what the host's API says of the token's user (`GET /user`); out: a
 * name and an email address for git, or null where the answer has none that can be used. The
 * address is the one that GitHub gives each user for commits, so that nobody's own is published.
 */
import type { AskHost } from '../clone/host-request.ts';
import { isPlainText } from '../plain-text.ts';
import type { GitUser, Resource } from '../resource.ts';

const LOGIN_LIMIT = 105;

/** Where a host has its API: github.com and *.ghe.com on a host beside it, others below a path. */
export function apiUrlOf({ protocol, host }: Pick<Resource, 'protocol' | 'host'>): string {
  const hasApiHost = ['github.com', 'github.localhost'].includes(host) || host.endsWith('.ghe.com');
  return hasApiHost ? `${protocol}://api.${host}` : `${protocol}://${host}/api/v3`;
}

/** @throws TransportError as askHost() does. */
export async function askGitUser(resource: Resource, ask: AskHost): Promise<GitUser | null> {
  const url = `${apiUrlOf(resource)}/user`;
  const answer = { contentType: 'application/json', wantsBody: true };
  const body = await ask({ url, token: resource.token, as: 'api', ...answer });
  return gitUserOf(body, resource.host);
}

export function gitUserOf(body: string, host: string): GitUser | null {
  const { login, id, name } = parseObject(body);
  if (typeof login !== 'string' || !isLogin(login)) return null;
  if (typeof id !== 'number' || !Number.isSafeInteger(id) || id <= 0) return null;
  const hostname = host.replace(/:\d+$/, '');
  const given = typeof name === 'string' ? cleanName(name) : '';
  return {
    name: given === '' ? login : given,
    email: `${id}+${login}@users.noreply.${hostname}`,
  };
}

/** "octocat", and "some-app[bot]" for an app's user. */
function isLogin(login: string): boolean {
  // As {1,100} the first one would be compiled a hundred times over, which takes 2 ms.
  return login.length <= LOGIN_LIMIT && /^[A-Za-z0-9_-]+(\[bot\])?$/.test(login);
}

/** Without what git would drop or trip over in a name, see strbuf_addstr_without_crud() in ident.c. */
function cleanName(name: string): string {
  const visible = isPlainText(name) ? name : name.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '');
  return visible.replaceAll(/[<>]/g, '').trim().slice(0, 200);
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch (error) {
    // A login page answers in HTML.
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}
