/**
 * A rescue file and its plan in; out: everything of it in the stage, the packs through the same checks
 * as a clone's. Each member is hashed again on its way, because the file may have changed since it was
 * verified. Memory: one piece of one member, and the lists of deleted paths.
 */
import { createHash } from 'node:crypto';
import { MAX_PATH_BYTES } from '../checkout/path-safety.ts';
import { AgentError } from '../errors.ts';
import { ingestPack } from '../pack/ingest.ts';
import { PACK_LIMITS } from '../pack/limits.ts';
import { packSource } from '../pack/pack-source.ts';
import { displayPath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';
import { readBundle } from './bundle-reader.ts';
import type { MemberRecord } from './format.ts';
import { readMembers } from './members.ts';
import type { Member } from './members.ts';
import type { RepositoryPlan } from './repository-places.ts';
import type { RestorePlan, Sink } from './restore-plan.ts';
import type { Stage } from './stage.ts';

const LIST_LIMIT_BYTES = 256 * 2 ** 20;

/** What is not a file in the stage, by repository. */
export interface StagedContents {
  readonly prerequisites: Map<number, readonly string[]>;
  /** As the worktree has them: with a slash at the end for all below. */
  readonly deleted: Map<number, readonly BytePath[]>;
  /** Permissions of files of HEAD that the rescue does not carry. */
  readonly modes: Map<number, ReadonlyMap<BytePath, number>>;
  /** Configuration files by repository and name. */
  readonly configs: Map<number, Map<BytePath, Buffer>>;
}

export interface StageContext {
  readonly file: string;
  readonly plan: RestorePlan;
  readonly stage: Stage;
  readonly signal: AbortSignal;
  readonly onMember?: ((bytes: number) => void) | undefined;
}

/** @throws RESCUE_INVALID, PackError, errors of the disk; the signal's reason. */
export async function stageMembers(context: StageContext): Promise<StagedContents> {
  const staging = new Staging(context);
  await readMembers(context.file, context.signal, (member) => staging.take(member));
  return staging.contents;
}

class Staging {
  readonly contents: StagedContents = {
    prerequisites: new Map(),
    deleted: new Map(),
    modes: new Map(),
    configs: new Map(),
  };
  readonly #context: StageContext;
  readonly #repositories: ReadonlyMap<number, RepositoryPlan>;

  constructor(context: StageContext) {
    this.#context = context;
    const { repositories } = context.plan;
    this.#repositories = new Map(repositories.map((plan) => [plan.record.number, plan]));
  }

  async take({ name, content, skip }: Member): Promise<void> {
    const { plan, onMember } = this.#context;
    const sink = plan.sinks.get(name);
    const member = plan.members.get(name);
    if (sink === undefined || member === undefined) {
      skip();
      return;
    }
    const hash = createHash('sha256');
    await this.#drain(sink, member, hashed(content, hash));
    if (hash.digest('hex') !== member.sha256) {
      throw new AgentError('RESCUE_INVALID', `${name} has changed since it was verified`);
    }
    onMember?.(member.size);
  }

  async #drain(sink: Sink, member: MemberRecord, pieces: AsyncIterable<Buffer>): Promise<void> {
    const { stage, signal } = this.#context;
    const { contents } = this;
    const repository = this.#repository(sink.repository);
    switch (sink.to) {
      case 'worktree':
      case 'gitdir': {
        const inGitdir = sink.to === 'gitdir';
        const { tree, path } = inGitdir
          ? stage.inGitdir(repository, sink.path)
          : stage.inWorktree(repository, sink.path);
        using file = tree.file(path, sink.mode);
        for await (const piece of pieces) file.write(piece);
        file.finish();
        return;
      }
      case 'link': {
        const { tree, path } = stage.inWorktree(repository, sink.path);
        const target = await collect(pieces, MAX_PATH_BYTES);
        if (target.includes(0)) {
          throw new AgentError('RESCUE_INVALID', `${displayPath(path)}: a link with a NUL in it`);
        }
        tree.link(path, target);
        return;
      }
      case 'directory': {
        const { tree, path } = stage.inWorktree(repository, sink.path);
        tree.directory(path);
        await collect(pieces, 0);
        return;
      }
      case 'bundle': {
        const packDir = stage.packDirectory(sink.repository);
        const pack = readBundle(pieces, (oids) => {
          contents.prerequisites.set(sink.repository, oids);
        });
        await ingestPack(packSource(pack), { packDir, limits: PACK_LIMITS, signal });
        return;
      }
      case 'deleted': {
        const list = (await collect(pieces, LIST_LIMIT_BYTES)).toString('latin1');
        contents.deleted.set(sink.repository, list.split('\0').filter(Boolean));
        return;
      }
      case 'modes': {
        const list = (await collect(pieces, LIST_LIMIT_BYTES)).toString('latin1');
        const pairs = list.matchAll(/([0-7]{1,3})\0([^\0]+)\0/g);
        const modes = Array.from(pairs, ([, mode = '', path = '']) => [path, parseInt(mode, 8)]);
        contents.modes.set(sink.repository, new Map(modes as [BytePath, number][]));
        return;
      }
      case 'config': {
        const configs = contents.configs.get(sink.repository) ?? new Map<BytePath, Buffer>();
        configs.set(sink.path, await collect(pieces, member.size));
        contents.configs.set(sink.repository, configs);
      }
    }
  }

  #repository(number: number): RepositoryPlan {
    const found = this.#repositories.get(number);
    if (found === undefined) throw new TypeError(`no repository ${number}`);
    return found;
  }
}

async function* hashed(
  source: AsyncIterable<Buffer>,
  hash: ReturnType<typeof createHash>,
): AsyncGenerator<Buffer> {
  for await (const piece of source) {
    hash.update(piece);
    yield piece;
  }
}

async function collect(pieces: AsyncIterable<Buffer>, limitBytes: number): Promise<Buffer> {
  const kept: Buffer[] = [];
  let length = 0;
  for await (const piece of pieces) {
    length += piece.length;
    if (length > limitBytes) {
      throw new AgentError('RESCUE_INVALID', `a member is larger than ${limitBytes} bytes`);
    }
    kept.push(piece);
  }
  return Buffer.concat(kept);
}
