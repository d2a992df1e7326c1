/**
 * The shape of a rescue file: names of its members, `rescue.json` at its start and `manifest.json` at
 * its end, as docs/rescue.md tells it. Text in; the checked record out, or RESCUE_INVALID and
 * RESCUE_UNSUPPORTED. What a record says is a claim until verify.ts has held it against the bytes.
 */
import * as z from 'zod/mini';
import { AgentError } from '../errors.ts';
import { displayPath, isUtf8, toBytePath } from '../repository/byte-path.ts';
import type { BytePath } from '../repository/byte-path.ts';

// Read once a process: zod would compile a parser for it, which takes longer than it saves.
z.config({ jitless: true });

export const FORMAT = 'mount-agent-rescue';
export const FORMAT_VERSION = 1;

/** Members with a fixed name; the rest lies below `repositories/<number>/`. */
export const MEMBER = {
  header: 'rescue.json',
  readme: 'README.txt',
  manifest: 'manifest.json',
} as const;

/** The first member; it is read before anything is trusted. */
export const HEADER_LIMIT_BYTES = 64 * 1024;
/** Some 500,000 members. */
export const MANIFEST_LIMIT_BYTES = 128 * 2 ** 20;

/**
 * What a member is, and so what a restore does with it: `config` and `hook` only when it is asked to,
 * `readme`, `patch`, `apart` and `superseded` never.
 */
const MEMBER_KINDS = [
  'header',
  'readme',
  /** git bundle, version 2: commits and all other objects of a repository. */
  'bundle',
  /** Paths, each with a NUL behind it, that HEAD or the index has and the worktree has not; one that
   * ends in a slash stands for all below it. */
  'deleted',
  /** Permissions of files that a checkout writes, where they are not those that it gives: octal, NUL,
   * path, NUL. */
  'modes',
  /** A file of the Git directory, byte for byte; `path` counts from there. */
  'git',
  'config',
  'hook',
  /** Of the worktree: a file's bytes, a symlink's target, and nothing for an empty directory. */
  'file',
  'symlink',
  'directory',
  /** For people: `git am`, `git apply`. */
  'patch',
  /** A file whose name some file system takes for `.git`: kept, put back by nobody. */
  'apart',
  /** Changed while it was copied: a later member with the same kind of path has it whole. */
  'superseded',
] as const;

const HEX_OID = /^[0-9a-f]{40}$/;
const count = z.number().check(z.int(), z.nonnegative());
const oid = z.string().check(z.regex(HEX_OID));
const text = z.string().check(z.maxLength(65_536));
/** A path is `path` where its bytes are UTF-8, else `path_base64`. */
const pathFields = { path: z.optional(text), path_base64: z.optional(text) };

const Head = z.object({ ref: z.nullable(text), oid: z.nullable(oid) });

const Counts = z.object({
  repositories: count,
  /** Commits in the bundles, those of stashes and reflogs among them. */
  commits: count,
  objects: count,
  stashes: count,
  /** Files that HEAD or the index has and that differ; untracked ones; ones that are gone. */
  changed_files: count,
  untracked_files: count,
  deleted_files: count,
  conflicted_files: count,
  /** Of the worktree's files. */
  file_bytes: count,
});

/** `confirmed`: the remote was asked now; `believed`: by remote-tracking refs; `none`: nothing was. */
const Remote = z.enum(['confirmed', 'believed', 'none']);

const Header = z.object({
  format: z.literal(FORMAT),
  version: z.literal(FORMAT_VERSION),
  /** Without userinfo. */
  url: text,
  mount_path: text,
  session_id: z.nullable(text),
  created_at: z.string().check(z.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/)),
  /** Version of the mount-agent that wrote it. */
  agent_version: text,
  head: Head,
  operation: z.nullable(text),
  remote: Remote,
  include_ignored: z.boolean(),
  self_contained: z.boolean(),
  counts: Counts,
});

const RepositoryRecord = z.object({
  number: count,
  /** `linked`: a worktree of `git worktree add`. */
  kind: z.enum(['mount', 'submodule', 'nested', 'linked']),
  /** Of the worktree: relative to the mount (empty: the mount itself), absolute outside of it. */
  ...pathFields,
  /** False for a submodule's repository that is not checked out: then it has no path. */
  has_worktree: z.boolean(),
  /** Of the Git directory, in the same way. */
  gitdir: z.optional(text),
  gitdir_base64: z.optional(text),
  /** The repository whose objects and refs it uses (of a linked worktree); null: its own. */
  shares_with: z.nullable(count),
  /** Its `origin`, without userinfo. */
  url: z.nullable(text),
  head: Head,
  operation: z.nullable(text),
  remote: Remote,
  /** Commits that are not in the file and that it builds on. */
  prerequisites: z.array(oid),
  /** The member with its objects; null when none had to be put in, or when it shares another's. */
  bundle: z.nullable(text),
  /** Objects that were named somewhere and could not be found: they were lost before the rescue. */
  missing: z.array(oid),
});

const MemberRecord = z.object({
  name: text,
  kind: z.enum(MEMBER_KINDS),
  /** Absent for members of the file as a whole. */
  repository: z.optional(count),
  /** Of the worktree, or of the Git directory for `git`, `config` and `hook`. */
  ...pathFields,
  /** Permission bits, octal: "644". */
  mode: z.optional(z.string().check(z.regex(/^[0-7]{1,4}$/))),
  size: count,
  sha256: z.string().check(z.regex(/^[0-9a-f]{64}$/)),
});

const Manifest = z.object({
  format: z.literal(FORMAT),
  version: z.literal(FORMAT_VERSION),
  /** As in the first member; where they differ, this one counts. */
  rescue: Header,
  /** What went on changing while it was taken, in words; empty: all is of one moment. */
  unsettled: z.array(text),
  /** What could not be taken, in words. */
  left_out: z.array(text),
  repositories: z.array(RepositoryRecord),
  /** All but the manifest itself, in the archive's order. */
  members: z.array(MemberRecord),
});

export type RescueHeader = z.infer<typeof Header>;
export type RescueCounts = z.infer<typeof Counts>;
export type RescueManifest = z.infer<typeof Manifest>;
export type RepositoryRecord = z.infer<typeof RepositoryRecord>;
export type MemberRecord = z.infer<typeof MemberRecord>;
export type MemberKind = (typeof MEMBER_KINDS)[number];
export type RemoteTrust = z.infer<typeof Remote>;

/** @throws RESCUE_INVALID, RESCUE_UNSUPPORTED. */
export function parseHeader(bytes: Buffer): RescueHeader {
  return parseAs(Header, bytes, MEMBER.header);
}

/** @throws RESCUE_INVALID, RESCUE_UNSUPPORTED. */
export function parseManifest(bytes: Buffer): RescueManifest {
  return parseAs(Manifest, bytes, MEMBER.manifest);
}

function parseAs<T>(schema: z.ZodMiniType<T>, bytes: Buffer, member: string): T {
  const value = parseJson(bytes, member);
  const { format, version } = (value ?? {}) as { format?: unknown; version?: unknown };
  if (format === FORMAT && typeof version === 'number' && version > FORMAT_VERSION) {
    const message = `expected format version ${FORMAT_VERSION}, got ${version}`;
    throw new AgentError('RESCUE_UNSUPPORTED', message, { data: { version } });
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue === undefined ? '' : `/${issue.path.map(String).join('/')}`;
  throw new AgentError(
    'RESCUE_INVALID',
    `${member}${where}: ${issue?.message ?? 'not as expected'}`,
  );
}

function parseJson(bytes: Buffer, member: string): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new AgentError('RESCUE_INVALID', `${member} is no JSON`, { cause: error });
  }
}

/** The fields that say a path in a record. */
export function pathAs(path: BytePath): { path: string } | { path_base64: string } {
  return isUtf8(path)
    ? { path: displayPath(path) }
    : { path_base64: Buffer.from(path, 'latin1').toString('base64') };
}

/** The bytes of a record's path. @throws RESCUE_INVALID when it has none, or two. */
export function pathOf(record: {
  readonly path?: string | undefined;
  readonly path_base64?: string | undefined;
}): BytePath {
  const { path, path_base64: base64 } = record;
  if ((path === undefined) === (base64 === undefined)) {
    throw new AgentError('RESCUE_INVALID', 'expected "path" or "path_base64", one of the two');
  }
  return path === undefined
    ? Buffer.from(base64 ?? '', 'base64').toString('latin1')
    : toBytePath(path);
}

/** The same for the place of a repository's Git directory. */
export function gitdirOf({ gitdir, gitdir_base64 }: RepositoryRecord): BytePath {
  return pathOf({ path: gitdir, path_base64: gitdir_base64 });
}

/** `manifest.json`, with one member a line: `grep` finds what `jq` would. */
export function writeManifest(manifest: RescueManifest): Buffer {
  const { members, ...rest } = manifest;
  const head = JSON.stringify(rest, null, 1).replace(/\n\}$/, '');
  const lines = members.map((member) => `  ${JSON.stringify(member)}`);
  return Buffer.from(`${head},\n "members": [\n${lines.join(',\n')}\n ]\n}\n`);
}
