/**
 * The part of GitHub's REST API that gh asks for: the root (scopes of the token), the user, a
 * repository, its README, and pull requests. Anything else is 404 and noted as unanswered.
 */
import { json, notFound, refusal } from './faults.ts';
import { Unprocessable } from './pull-requests.ts';
import type { PullRequest, PullRequestRegistry } from './pull-requests.ts';
import type { Reply } from './reply.ts';
import { defaultBranch, gitIn } from './repositories.ts';
import type { HostedRepository, RepositoryRegistry } from './repositories.ts';
import type { Identity, Permission } from './tokens.ts';

export interface RestContext {
  readonly viewer: Identity;
  readonly repositories: RepositoryRegistry;
  readonly pullRequests: PullRequestRegistry;
  readonly apiOrigin: string;
  permissionOf(repository: HostedRepository): Permission | null;
  /** Called for a path that this file knows nothing of. */
  unanswered(): void;
}

export interface RestRequest {
  readonly method: string;
  readonly path: string;
  readonly search: URLSearchParams;
  /** Parsed JSON of the body, or null. */
  readonly body: unknown;
}

export async function answerRest(context: RestContext, request: RestRequest): Promise<Reply> {
  const { path, method } = request;
  if (path === '/' && method === 'GET') {
    return json(200, { current_user_url: `${context.apiOrigin}/user` });
  }
  if (path === '/user' && method === 'GET') return json(200, userOf(context.viewer.login));
  const byName = /^\/repos\/([^/]+)\/([^/]+)(\/.*)?$/.exec(path);
  const byId = /^\/repositories\/(\d+)(\/.*)?$/.exec(path);
  if (byName === null && byId === null) {
    context.unanswered();
    return notFound('rest');
  }
  const rest = (byName === null ? byId?.[2] : byName[3]) ?? '';
  let repository: HostedRepository | undefined;
  if (byName !== null) {
    const lookup = context.repositories.lookup(byName[1]!, byName[2]!);
    if (lookup.found === 'moved') {
      const location = `${context.apiOrigin}/repositories/${lookup.repository.databaseId}${rest}`;
      return json(301, { message: 'Moved Permanently', url: location }, { location });
    }
    if (lookup.found === 'repository') repository = lookup.repository;
  } else {
    repository = context.repositories.byId(byId![1]!);
  }
  if (repository === undefined || context.permissionOf(repository) === null) {
    return notFound('rest');
  }
  return answerRepository(context, repository, request, rest);
}

async function answerRepository(
  context: RestContext,
  repository: HostedRepository,
  { method, search, body }: RestRequest,
  rest: string,
): Promise<Reply> {
  if (rest === '' && method === 'GET') return json(200, await repositoryOf(context, repository));
  if (rest === '/readme' && method === 'GET') return readme(repository);
  const pulls = context.pullRequests.of(repository);
  if (rest === '/pulls' && method === 'GET') {
    const head = search.get('head');
    const matching = pulls
      .filter((each) => head === null || `${repository.owner}:${each.headRefName}` === head)
      .map((each) => pullOf(repository, each));
    return json(200, matching);
  }
  if (rest === '/pulls' && method === 'POST') return createPull(context, repository, body);
  const number = /^\/pulls\/(\d+)$/.exec(rest)?.[1];
  if (number !== undefined && method === 'GET') {
    const found = pulls.find((each) => each.number === Number(number));
    return found === undefined ? notFound('rest') : json(200, pullOf(repository, found));
  }
  context.unanswered();
  return notFound('rest');
}

async function createPull(
  context: RestContext,
  repository: HostedRepository,
  body: unknown,
): Promise<Reply> {
  if (context.permissionOf(repository) !== 'write') {
    return refusal(403, 'Resource not accessible by personal access token', 'rest');
  }
  const input = (body ?? {}) as Record<string, unknown>;
  try {
    const pullRequest = await context.pullRequests.create(repository, {
      title: String(input['title']),
      body: typeof input['body'] === 'string' ? input['body'] : '',
      headRefName: String(input['head']),
      baseRefName: String(input['base']),
      isDraft: input['draft'] === true,
      author: context.viewer.login,
    });
    return json(201, pullOf(repository, pullRequest));
  } catch (error) {
    if (!(error instanceof Unprocessable)) throw error;
    const errors = [{ resource: 'PullRequest', code: 'custom', message: error.message }];
    return json(422, { message: 'Validation Failed', errors });
  }
}

function userOf(login: string): Record<string, unknown> {
  const url = `http://github.localhost/${login}`;
  return { login, id: 1, node_id: 'U_1', type: 'User', name: login, html_url: url };
}

async function repositoryOf(
  context: RestContext,
  repository: HostedRepository,
): Promise<Record<string, unknown>> {
  const { owner, name, isPublic, databaseId, id } = repository;
  const push = context.permissionOf(repository) === 'write';
  return {
    id: databaseId,
    node_id: id,
    name,
    full_name: `${owner}/${name}`,
    private: !isPublic,
    owner: userOf(owner),
    html_url: `http://github.localhost/${owner}/${name}`,
    clone_url: `http://github.localhost/${owner}/${name}.git`,
    default_branch: (await defaultBranch(repository.bareDir)).name,
    permissions: { admin: false, push, pull: true },
  };
}

async function readme(repository: HostedRepository): Promise<Reply> {
  const branch = await defaultBranch(repository.bareDir);
  if (branch.oid === null) return notFound('rest');
  const names = (await gitIn(repository.bareDir, 'ls-tree', '--name-only', branch.oid)).split('\n');
  const name = names.find((each) => /^readme(\.|$)/i.test(each));
  if (name === undefined) return notFound('rest');
  const content = await gitIn(repository.bareDir, 'show', `${branch.oid}:${name}`);
  const html_url = `http://github.localhost/${repository.owner}/${repository.name}/blob/${branch.name}/${name}`;
  const encoded = Buffer.from(`${content}\n`).toString('base64');
  return json(200, { name, path: name, encoding: 'base64', content: encoded, html_url });
}

function pullOf(repository: HostedRepository, each: PullRequest): Record<string, unknown> {
  const side = (ref: string): Record<string, unknown> => ({
    ref,
    label: `${repository.owner}:${ref}`,
    repo: { full_name: `${repository.owner}/${repository.name}` },
  });
  return {
    number: each.number,
    node_id: each.id,
    state: each.state.toLowerCase(),
    title: each.title,
    body: each.body,
    draft: each.isDraft,
    user: userOf(each.author),
    html_url: each.url,
    head: { ...side(each.headRefName), sha: each.headRefOid },
    base: side(each.baseRefName),
    created_at: each.createdAt,
  };
}
