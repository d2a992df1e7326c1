/**
 * The checkout of one tree as far as it gets while its pack arrives: the kernel plans what passes, and
 * writes it, in each thread (EarlyFiles). What the pack does not bring in time, or in a good order,
 * `complete` reads from the store: early or late, it is one plan.
 */
import { CheckoutKernel, type KernelHost } from '../pack/kernel-host.ts';
import type { BlobSource } from './blob-source.ts';
import { EarlyFiles } from './early-files.ts';
import { createNodeMemory, type NodeMemory, type NodeTable } from './node-table.ts';
import type { Pace } from './pace.ts';
import { TreePlanner, requireType } from './plan.ts';
import type { PlannedFiles } from './planned-files.ts';

/** Files and directories: a few small trees can name each other 10^10 times. */
const DEFAULT_LIMIT_ENTRIES = 5_000_000;

export class EarlyCheckout {
  readonly treeOid: string;
  /** Of this thread. */
  readonly files: EarlyFiles;
  /** For the threads of the same pack, which make EarlyFiles of it. */
  readonly memory: NodeMemory;
  readonly #planner: TreePlanner;
  #plan: PlannedFiles | null = null;

  /**
   * @param limitEntries most files and directories.
   * @param host what the pack arrives by; none where there is no pack on its way. Throws PACK_LIMIT.
   */
  constructor(
    worktree: string,
    treeOid: string,
    limitEntries = DEFAULT_LIMIT_ENTRIES,
    host: KernelHost = new CheckoutKernel(),
  ) {
    this.treeOid = treeOid;
    this.memory = createNodeMemory(worktree, limitEntries + 1, host);
    this.files = new EarlyFiles(this.memory, host);
    this.#planner = new TreePlanner(treeOid, this.memory, host, this.files);
  }

  get nodes(): NodeTable {
    return this.files.nodes;
  }

  get mtimeSec(): number {
    return this.memory.mtimeSec;
  }

  /** Whether all trees are known, or one is refused: `complete` says so. */
  get isPlanned(): boolean {
    return this.#planner.isComplete;
  }

  /** Files that nobody has begun yet. */
  get missingCount(): number {
    return this.#planner.fileCount;
  }

  /** Takes what is missing from the store, where everything is. */
  async complete(store: Pick<BlobSource, 'read'>, pace: Pace): Promise<PlannedFiles> {
    if (this.#plan !== null) return this.#plan;
    let next = this.#planner.nextWanted(0);
    for (; next !== undefined; next = this.#planner.nextWanted(next.node + 1)) {
      const object = store.read(next.oid);
      requireType(object, 'tree', next.oid, this.#planner.pathOf(next.node));
      this.#planner.add(next.node, next.oid, object.content);
      if (pace.due) await pace.turn();
    }
    this.#plan = this.#planner.finish((oid) => store.read(oid)?.type === 'tree');
    return this.#plan;
  }
}
