/**
 * A host that hangs up after so many bytes of what it has to say, and a clone from it. The bytes of
 * the three answers (advertisement, refs, pack) count as one stream.
 */
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { AgentError } from '../../agent/errors.ts';
import { makeJob, runClone } from '../clone/job.ts';
import { collect } from '../clone/streams.ts';

export interface Answers {
  readonly advertisement: Buffer;
  readonly refs: Buffer;
  readonly pack: Buffer;
}

/** `hang up`: the connection is lost. `end`: the answer is shorter, and says so. */
export type Manner = 'hang up' | 'end';

export class CuttingHost implements AsyncDisposable {
  readonly total: number;
  readonly #answers: Answers;
  readonly #server: Server;
  readonly #directory = mkdtempSync(join(tmpdir(), 'mount-agent-cuts-'));
  #clones = 0;

  private constructor(answers: Answers) {
    this.#answers = answers;
    this.total = answers.advertisement.length + answers.refs.length + answers.pack.length;
    this.#server = createServer((request, response) => {
      void collect(request).then((body) => {
        const { url = '', method } = request;
        const kind = method === 'GET' ? 'advertisement' : 'result';
        response.setHeader('content-type', `application/x-git-upload-pack-${kind}`);
        const isRefs = body.includes('command=ls-refs');
        this.#answer(url, method === 'GET' ? 'advertisement' : isRefs ? 'refs' : 'pack', response);
      });
    });
  }

  static async start(answers: Answers): Promise<CuttingHost> {
    const host = new CuttingHost(answers);
    host.#server.listen(0, '127.0.0.1');
    await once(host.#server, 'listening');
    return host;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** @returns what is wrong with the outcome of a clone that is cut after `bytes`, or null. */
  async violationAt(bytes: number, manner: Manner): Promise<string | null> {
    const worktree = join(this.#directory, String(this.#clones++));
    const { port } = this.#server.address() as AddressInfo;
    const cut = manner === 'end' ? `end-${bytes}` : `lost-${bytes}`;
    const job = makeJob(`http://127.0.0.1:${port}/acme/${cut}`, worktree);
    const error: unknown = await runClone(job).then(
      () => null,
      (reason: unknown) => reason,
    );
    const gitdir = readdirSync(join(worktree, '.git'), { recursive: true }).map(String);
    rmSync(worktree, { recursive: true, force: true });
    const where = `${manner} after ${bytes} of ${this.total}`;
    if (error === null) return `${where}: the clone succeeded`;
    if (!(error instanceof AgentError)) return `${where}: ${inspect(error)}`;
    if (error.code === 'INTERNAL') return `${where}: ${error.message}`;
    if (manner === 'hang up' && !error.transient)
      return `${where}: ${error.code} is not tried again`;
    // Files are written as they come; without an index nobody takes them for a checkout.
    if (gitdir.includes('index')) return `${where}: an index was written`;
    if (gitdir.some((name) => /tmp_(pack|idx)/.test(name))) return `${where}: a draft is left`;
    return null;
  }

  #answer(url: string, which: keyof Answers, response: ServerResponse): void {
    const [, manner = '', at = ''] = /\/(end|lost)-(\d+)\//.exec(url) ?? [];
    const { advertisement, refs } = this.#answers;
    const before = {
      advertisement: 0,
      refs: advertisement.length,
      pack: advertisement.length + refs.length,
    };
    const whole = this.#answers[which];
    const length = Math.max(0, Math.min(whole.length, Number(at) - before[which]));
    if (length === whole.length || manner === 'end') {
      response.end(whole.subarray(0, length));
      return;
    }
    response.setHeader('content-length', whole.length);
    response.write(whole.subarray(0, length), () => response.socket?.destroy());
  }
}

/** Asks at all these places, four at a time. */
export async function violationsAt(
  host: CuttingHost,
  places: readonly (readonly [number, Manner])[],
): Promise<string[]> {
  const left = [...places];
  const found: string[] = [];
  const lane = async (): Promise<void> => {
    for (let place = left.pop(); place !== undefined; place = left.pop()) {
      const violation = await host.violationAt(...place);
      if (violation !== null) found.push(violation);
    }
  };
  await Promise.all([lane(), lane(), lane(), lane()]);
  return found;
}
