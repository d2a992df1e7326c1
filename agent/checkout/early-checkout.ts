/**
 * The checkout of one tree as far as it gets while its pack arrives: trees in as they pass, a plan
 * out, and for each thread the EarlyFiles that write what is planned. What the pack does not bring in
 * time, or in a good order, `complete` reads from the store: early or late, it is one plan.
 */
import type { BlobSource } from './blob-source.ts';
import { EarlyFiles } from './early-files.ts';
import type { Pace } from './pace.ts';
import { TreePlanner, requireType } from './plan.ts';
import type { Plan } from './plan.ts';
import { SharedFiles } from './shared-files.ts';

const DEFAULT_LIMIT_ENTRIES = 5_000_000;

export class EarlyCheckout {
  readonly treeOid: string;
  readonly files: SharedFiles;
  readonly #planner: TreePlanner;
  #plan: Plan | null = null;

  /** @param limitEntries most files and directories. */
  constructor(worktree: string, treeOid: string, limitEntries = DEFAULT_LIMIT_ENTRIES) {
    this.treeOid = treeOid;
    this.files = new SharedFiles(worktree);
    const limits = { limitEntries, worktreeBytes: Buffer.byteLength(worktree) + 1 };
    this.#planner = new TreePlanner(treeOid, limits, this.files);
  }

  get mtimeSec(): number {
    return this.files.memory.mtimeSec;
  }

  get isPlanned(): boolean {
    return this.#planner.nextWanted === undefined;
  }

  /** Takes a tree that passes, if it belongs to this checkout. Throws what TreePlanner throws. */
  takeTree(oid: string, content: Buffer): void {
    if (this.#planner.wants(oid)) this.#planner.add(oid, content);
  }

  /** Takes all that is there by now. */
  takeArrived(store: Pick<BlobSource, 'read'>): void {
    for (let again = true; again;) {
      again = false;
      for (const oid of this.#planner.wantedOids) {
        const object = store.read(oid);
        if (object?.type !== 'tree') continue;
        this.#planner.add(oid, object.content);
        again = true;
      }
    }
  }

  /** Takes what is missing from the store, where everything is. */
  async complete(store: Pick<BlobSource, 'read'>, pace: Pace): Promise<Plan> {
    if (this.#plan !== null) return this.#plan;
    let next = this.#planner.nextWanted;
    for (; next !== undefined; next = this.#planner.nextWanted) {
      const object = store.read(next.oid);
      requireType(object, 'tree', next.oid, next.path);
      this.#planner.add(next.oid, object.content);
      if (pace.due) await pace.turn();
    }
    this.#plan = this.#planner.finish((oid) => store.read(oid)?.type === 'tree');
    return this.#plan;
  }

  /** @param oids of the objects by row, for EarlyFiles. */
  filesHere(oids: Buffer): EarlyFiles {
    return new EarlyFiles(this.files.memory, oids);
  }
}
