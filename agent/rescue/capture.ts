/**
 * A mount in; one file with everything in it that would be lost with the disk out (docs/rescue.md).
 * Reads only: no lock, no refresh, no ref, nothing run. What changes while it is taken is taken again,
 * a few times, and then said. Whatever ends it early leaves no file that passes for a rescue.
 */
import { existsSync, realpathSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { AgentError, PackError } from '../errors.ts';
import { toBytePath } from '../repository/byte-path.ts';
import { Pace } from '../repository/pace.ts';
import type { RemoteTags } from '../repository/remote-tags.ts';
import { isDirectory, statOrUndefined } from '../repository/repository.ts';
import { Archive, asWriteError } from './archive.ts';
import { CapturePass } from './capture-pass.ts';
import type { PassResult } from './capture-pass.ts';
import { describeCounts } from './counts.ts';
import type { RescueCounts } from './format.ts';
import { missingIn } from './gaps.ts';
import { sweepDrafts } from './drafts.ts';
import { RESCUE_EXTENSION, rescueFileName } from './shelf.ts';

export interface CaptureContext {
  /** Absolute: the directory to read. */
  readonly mount: string;
  readonly url: string;
  readonly sessionId: string | null;
  /** As the manifest of the session names it. */
  readonly mountPath: string;
  /** The directory for the file. */
  readonly out: string;
  readonly home?: string;
  readonly includeIgnored: boolean;
  /** The whole history, as if there were no remote. */
  readonly selfContained: boolean;
  readonly clonedTags?: RemoteTags;
  /** What the remote shows now: full ref name → oid. Its failure is no failure of the rescue. */
  readonly lsRemote?: (signal: AbortSignal) => Promise<ReadonlyMap<string, string>>;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: CaptureProgress) => void;
}

export interface CaptureProgress {
  readonly phase: 'looking' | 'writing';
  readonly doneBytes: number;
  /** 0 while it is not known. */
  readonly totalBytes: number;
}

export interface CaptureOutcome {
  readonly file: string;
  readonly sizeBytes: number;
  readonly createdAt: string;
  /** Whether the remote itself was asked what it has. */
  readonly confirmed: boolean;
  readonly unsettled: readonly string[];
  readonly leftOut: readonly string[];
  /** In words: what was lost before the rescue. */
  readonly missing: readonly string[];
  readonly counts: RescueCounts;
  /** In words: "3 commits", "1 stash" … */
  readonly risksCovered: readonly string[];
}

/** Looks at the whole, while refs and index go on changing. */
const PASSES = 3;
/** After so long the next pass would end no better. */
const SETTLE_MS = 30_000;
/** Objects that turn out to be unreadable are left out one by one. */
const BROKEN_LIMIT = 50;
const LS_REMOTE_MS = 5_000;

/** Throws RESCUE_SOURCE_MISSING, RESCUE_WRITE_FAILED; the signal's reason. */
export async function capture(context: CaptureContext): Promise<CaptureOutcome> {
  const { signal, mount, out } = context;
  signal.throwIfAborted();
  if (!isDirectory(toBytePath(mount))) {
    throw new AgentError('RESCUE_SOURCE_MISSING', `${mount}: there is no such directory`);
  }
  requireOutside(out, mount);
  await makeDirectory(out);
  sweepDrafts(out);
  const createdAt = new Date();
  const shown = context.selfContained ? null : await askRemote(context);
  const broken = new Set<string>();
  for (let pass = 1; ; pass++) {
    const isLast = pass >= PASSES || Date.now() - createdAt.getTime() > SETTLE_MS;
    await using archive = await Archive.create({
      directory: out,
      name: fileName(context, createdAt),
      signal,
    });
    try {
      const taking = new CapturePass(context, {
        archive,
        createdAt: createdAt.toISOString(),
        shown,
        broken,
        isLast,
        pace: new Pace(signal),
      });
      const taken = await taking.run();
      if (taken === 'again') continue;
      return outcomeOf(taken, createdAt);
    } catch (error) {
      if (!isBrokenObject(error, broken)) throw error;
      pass--;
    }
  }
}

/** A rescue inside of what it rescues would change it, and be in the next one. */
function requireOutside(out: string, mount: string): void {
  const [inner, outer] = [realPath(out), realPath(mount)];
  if (inner !== outer && !inner.startsWith(`${outer}/`)) return;
  const message = `${out} lies in the mount ${mount}: expected a directory outside of it`;
  throw new AgentError('RESCUE_WRITE_FAILED', message);
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw asWriteError(error, path);
  }
}

function realPath(path: string): string {
  const parent = dirname(path);
  const real = statOrUndefined(() => realpathSync(path));
  return real ?? (parent === path ? path : join(realPath(parent), basename(path)));
}

function outcomeOf({ file, sizeBytes, manifest }: PassResult, createdAt: Date): CaptureOutcome {
  const { rescue, unsettled, left_out: leftOut } = manifest;
  return {
    file,
    sizeBytes,
    createdAt: createdAt.toISOString(),
    confirmed: rescue.remote === 'confirmed',
    unsettled,
    leftOut,
    missing: missingIn(manifest),
    counts: rescue.counts,
    risksCovered: describeCounts(rescue.counts, rescue.operation),
  };
}

async function askRemote({
  lsRemote,
  signal,
}: CaptureContext): Promise<ReadonlyMap<string, string> | null> {
  if (lsRemote === undefined) return null;
  const timeout = AbortSignal.timeout(LS_REMOTE_MS);
  try {
    return await lsRemote(AbortSignal.any([signal, timeout]));
  } catch (error) {
    signal.throwIfAborted();
    // "confirmed: false" says so; a host that is down must not keep work from being saved.
    if (error instanceof AgentError || timeout.aborted) return null;
    throw error;
  }
}

/** An object that cannot be read, or that a gc took away: the next pass goes without it. */
function isBrokenObject(error: unknown, broken: Set<string>): boolean {
  if (!(error instanceof PackError)) return false;
  const { oid } = error.data;
  if (typeof oid !== 'string' || broken.has(oid) || broken.size >= BROKEN_LIMIT) return false;
  broken.add(oid);
  return true;
}

/** A second one of the same second has a number. */
function fileName({ mountPath, out }: CaptureContext, createdAt: Date): string {
  const name = rescueFileName(mountPath, createdAt);
  for (let n = 1; ; n++) {
    const free = n === 1 ? name : name.replace(RESCUE_EXTENSION, `-${n}${RESCUE_EXTENSION}`);
    if (!existsSync(join(out, free))) return free;
  }
}
