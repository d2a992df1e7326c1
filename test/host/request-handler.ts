/**
 * One request in, one answer out: fault first, then access, then the service. Keeps the record of
 * who sent which token (by label) for what.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { faultReply, json, notFound, refusal, unauthorized } from './faults.ts';
import type { Fault, FaultRegistry, RequestFacts } from './faults.ts';
import type { GitBackend, GitRequest } from './git-backend.ts';
import { answerGraphql } from './graphql.ts';
import type { PullRequestRegistry } from './pull-requests.ts';
import { LFS_STORAGE_HOST, LfsStore } from './lfs.ts';
import { sendReply } from './reply.ts';
import type { Reply } from './reply.ts';
import type { HostedRepository, RepositoryRegistry } from './repositories.ts';
import { answerRest } from './rest.ts';
import { targetOf } from './routes.ts';
import type { Target } from './routes.ts';
import { presentedIn } from './tokens.ts';
import type { Permission, Presented, Scheme, TokenRegistry } from './tokens.ts';

export interface RecordedRequest extends RequestFacts {
  readonly at: Date;
  readonly scheme: Scheme | null;
  readonly userAgent: string | null;
  /** Of GraphQL: the repository that the variables name, and the operation's name. */
  owner: string | null;
  name: string | null;
  operation: string | null;
  /** null until the answer begins. */
  status: number | null;
  sentBytes: number;
  /** When the first byte of the body was sent; milliseconds since the epoch. */
  bodyBeganAtMs: number | null;
}

export interface HandlerContext {
  readonly backend: GitBackend;
  readonly tokens: TokenRegistry;
  readonly repositories: RepositoryRegistry;
  readonly pullRequests: PullRequestRegistry;
  readonly faults: FaultRegistry;
  readonly hostNames: ReadonlySet<string>;
}

export class RequestHandler {
  readonly requests: RecordedRequest[] = [];
  readonly unanswered: string[] = [];
  bytesPerSecond: number | null = null;
  uploadPack: { answer(request: GitRequest): Promise<Reply> };
  readonly #context: HandlerContext;
  readonly #lfs = new LfsStore();

  constructor(context: HandlerContext) {
    this.#context = context;
    this.uploadPack = context.backend;
  }

  /** Never rejects: a defect of the host is a 500 that says so. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const target = targetOf(request);
    if (target === null) {
      response.writeHead(400).end('not a URL\n');
      return;
    }
    const presented = presentedIn(request.headers.authorization);
    const record: RecordedRequest = {
      ...target,
      at: new Date(),
      token: this.#context.tokens.labelOf(presented),
      scheme: presented?.scheme ?? null,
      userAgent: request.headers['user-agent'] ?? null,
      operation: null,
      status: null,
      sentBytes: 0,
      bodyBeganAtMs: null,
    };
    this.requests.push(record);
    const fault = this.#context.faults.take(record);
    let reply: Reply;
    try {
      reply = await this.#answer(request, target, presented, record, fault);
    } catch (error) {
      const body = `the loopback host failed: ${String(error)}\n`;
      reply = { status: 500, headers: { 'content-type': 'text/plain' }, body };
    }
    record.status = reply.status;
    const damage =
      fault?.type === 'cut' || fault?.type === 'stall' || fault?.type === 'corrupt' ? fault : null;
    const shaping = { bytesPerSecond: this.bytesPerSecond, damage };
    try {
      await sendReply(response, reply, shaping, (bytes) => {
        record.bodyBeganAtMs ??= Date.now();
        record.sentBytes += bytes;
      });
    } catch (error) {
      // The answer has begun: all that is left is to make its end visible.
      response.destroy(error instanceof Error ? error : undefined);
    }
  }

  async #answer(
    request: IncomingMessage,
    target: Target,
    presented: Presented | null,
    record: RecordedRequest,
    fault: Fault | null,
  ): Promise<Reply> {
    if (!this.#serves(target.host, request)) {
      return refusal(403, `This proxy does not serve ${target.host}.`, 'web');
    }
    const instead = fault === null ? null : faultReply(fault, record);
    if (instead !== null) return instead;
    if (target.gitPath !== null) return this.#answerGit(request, target, presented);
    if (target.lfsPath !== undefined) return this.#answerLfs(request, target, presented);
    if (target.service === 'lfs-storage') {
      const signature = textOr(request.headers['x-signature'], undefined);
      return this.#lfs.store(target.method, target.path, signature, request);
    }
    if (target.service === 'web') return notFound('web');
    return this.#answerApi(request, target, presented, record);
  }

  #serves(host: string, request: IncomingMessage): boolean {
    const own = `127.0.0.1:${request.socket.localPort ?? 0}`;
    const names = [
      'github.localhost',
      'api.github.localhost',
      LFS_STORAGE_HOST,
      own,
      own.replace('127.0.0.1', 'localhost'),
    ];
    return names.includes(host) || this.#context.hostNames.has(host);
  }

  async #answerGit(
    request: IncomingMessage,
    target: Target,
    presented: Presented | null,
  ): Promise<Reply> {
    const { tokens, repositories } = this.#context;
    const { service } = target;
    const lookup = repositories.lookup(target.owner!, target.name!);
    const repository = lookup.found === 'nothing' ? null : lookup.repository;
    const identity = tokens.identify(presented);
    const anonymousRead = repository?.isPublic === true && service === 'git-upload-pack';
    if (identity === null && (presented !== null || !anonymousRead)) return unauthorized(service);
    const permission = this.#permission(presented, repository);
    if (repository === null || permission === null) return notFound(service);
    // Git keeps the old name for the exchange when the advertisement asked for credentials first.
    if (lookup.found === 'moved' && target.phase === 'advertisement') {
      const { owner, name } = repository;
      const location = `${target.origin}/${owner}/${name}.git${target.gitPath!}${target.search}`;
      return { status: 301, headers: { location }, body: '' };
    }
    if (service === 'git-receive-pack' && permission !== 'write') {
      return refusal(403, 'Write access to repository not granted.', service);
    }
    const { uploadPack } = this;
    const answering = service === 'git-upload-pack' ? uploadPack : this.#context.backend;
    return answering.answer({
      bareDir: repository.bareDir,
      method: target.method,
      path: target.gitPath!,
      search: target.search,
      headers: request.headers,
      body: request,
      login: identity?.login ?? null,
    });
  }

  async #answerLfs(
    request: IncomingMessage,
    target: Target,
    presented: Presented | null,
  ): Promise<Reply> {
    const { tokens, repositories } = this.#context;
    const lookup = repositories.lookup(target.owner!, target.name!);
    const repository = lookup.found === 'nothing' ? null : lookup.repository;
    if (tokens.identify(presented) === null) return unauthorized(target.service);
    const permission = this.#permission(presented, repository);
    if (permission === null) return notFound(target.service);
    return this.#lfs.answer(target.lfsPath ?? '', permission, await readJson(request));
  }

  async #answerApi(
    request: IncomingMessage,
    target: Target,
    presented: Presented | null,
    record: RecordedRequest,
  ): Promise<Reply> {
    const { repositories, pullRequests, tokens } = this.#context;
    const viewer = tokens.identify(presented);
    if (viewer === null) {
      return presented === null
        ? refusal(401, 'Requires authentication', target.service)
        : unauthorized(target.service);
    }
    const permissionOf = (repository: HostedRepository): Permission | null =>
      this.#permission(presented, repository);
    const body = await readJson(request);
    const headers: Record<string, string> = { 'x-github-request-id': `${this.requests.length}` };
    if (viewer.scopes !== null) headers['x-oauth-scopes'] = viewer.scopes;
    const context = { viewer, repositories, pullRequests, permissionOf };
    if (target.service === 'graphql') {
      const { query, variables } = (body ?? {}) as { query?: string; variables?: Variables };
      record.owner = textOr(variables?.['owner'], null);
      record.name = textOr(variables?.['name'] ?? variables?.['repo'], null);
      record.operation = /(?:query|mutation)\s+(\w+)/.exec(query ?? '')?.[1] ?? null;
      const answer = await answerGraphql(context, query ?? '', { ...variables });
      if (answer.data === undefined)
        this.unanswered.push(`graphql: ${JSON.stringify(answer.errors)}`);
      return json(200, answer, headers);
    }
    const path = target.path.replace(/^\/api\/v3(?=\/|$)/, '');
    const apiOrigin = target.origin + target.path.slice(0, target.path.length - path.length);
    const unanswered = (): void => {
      this.unanswered.push(`${target.method} ${target.path}`);
    };
    const search = new URLSearchParams(target.search);
    const asked = { method: target.method, path: path === '' ? '/' : path, search, body };
    const reply = await answerRest({ ...context, apiOrigin, unanswered }, asked);
    return { ...reply, headers: { ...headers, ...reply.headers } };
  }

  #permission(presented: Presented | null, repository: HostedRepository | null): Permission | null {
    if (repository === null) return null;
    const granted = this.#context.tokens.permissionOf(presented, repository.id);
    return granted ?? (repository.isPublic ? 'read' : null);
  }
}

type Variables = Readonly<Record<string, unknown>>;

function textOr<T>(value: unknown, otherwise: T): string | T {
  return typeof value === 'string' ? value : otherwise;
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  return text === '' ? null : (JSON.parse(text) as unknown);
}
