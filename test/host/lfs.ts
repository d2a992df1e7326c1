/**
 * Git LFS as GitHub has it (git-lfs docs/api/batch.md): the batch API at the repository behind its
 * token, the objects on a storage host that wants the signature of the batch answer and no token.
 */
import { createHash, randomBytes } from 'node:crypto';
import { json, refusal } from './faults.ts';
import type { Reply } from './reply.ts';
import type { Permission } from './tokens.ts';

export const LFS_STORAGE_HOST = 'lfs.github.localhost';
const JSON_TYPE = { 'content-type': 'application/vnd.git-lfs+json' };

interface BatchRequest {
  readonly operation?: string;
  readonly objects?: readonly { readonly oid: string; readonly size: number }[];
}

export class LfsStore {
  /** By oid. */
  readonly objects = new Map<string, Buffer>();
  readonly #signature = randomBytes(8).toString('hex');

  /** @param path below `info/lfs`. */
  answer(path: string, permission: Permission, body: unknown): Reply {
    if (path === '/locks/verify') return json(200, { ours: [], theirs: [] }, JSON_TYPE);
    if (path !== '/objects/batch') return refusal(404, 'Not Found', 'rest');
    const { operation, objects = [] } = (body ?? {}) as BatchRequest;
    if (operation === 'upload' && permission !== 'write') {
      return refusal(403, 'Write access to repository not granted.', 'rest');
    }
    const answers = objects.map(({ oid, size }) => this.#actionsFor(operation, oid, size));
    return json(200, { transfer: 'basic', objects: answers }, JSON_TYPE);
  }

  /** A request to the storage host. */
  async store(
    method: string,
    path: string,
    signature: string | undefined,
    body: AsyncIterable<Buffer>,
  ): Promise<Reply> {
    const oid = path.slice(1);
    const plain = { 'content-type': 'application/octet-stream' };
    if (signature !== this.#signature) return refusal(403, 'Not signed', 'web');
    if (method === 'GET') {
      const content = this.objects.get(oid);
      if (content === undefined) return refusal(404, 'No such object', 'web');
      return { status: 200, headers: plain, body: content };
    }
    const chunks: Buffer[] = [];
    for await (const chunk of body) chunks.push(chunk);
    const content = Buffer.concat(chunks);
    if (createHash('sha256').update(content).digest('hex') !== oid) {
      return refusal(422, 'The content is not what its name says', 'web');
    }
    this.objects.set(oid, content);
    return { status: 200, headers: plain, body: '' };
  }

  #actionsFor(operation: string | undefined, oid: string, size: number): object {
    const isHere = this.objects.has(oid);
    if (operation === 'upload' ? isHere : !isHere) {
      const error = operation === 'upload' ? {} : { error: { code: 404, message: 'no object' } };
      return { oid, size, ...error };
    }
    const header = { 'x-signature': this.#signature };
    const action = { href: `http://${LFS_STORAGE_HOST}/${oid}`, header, expires_in: 600 };
    return { oid, size, authenticated: true, actions: { [operation ?? '']: action } };
  }
}
