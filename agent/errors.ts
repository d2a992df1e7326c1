/**
 * The one table of what can go wrong. Every failure that leaves a module is an AgentError whose
 * code stands here; docs/errors.md lists the same codes (test/errors.test.ts holds them together).
 * Retry reads `transient`, exit codes read `exit`; nothing branches on a message.
 */

/** sysexits(3): the exit codes of the contract. */
export const EXIT = {
  ok: 0,
  atRisk: 3,
  usage: 64,
  data: 65,
  unavailable: 69,
  internal: 70,
  permission: 77,
} as const;

interface ErrorKind {
  readonly exit: number;
  /** True when the same attempt may succeed later without anybody changing anything. */
  readonly transient: boolean;
  /** What the reader can do, as an imperative sentence. */
  readonly remedy: string;
}

function fatal(exit: number, remedy: string): ErrorKind {
  return { exit, transient: false, remedy };
}
function passing(remedy: string): ErrorKind {
  return { exit: EXIT.unavailable, transient: true, remedy };
}

const BROKEN_PACK =
  'The host sent a damaged pack. Run "git fsck --full" on the host\'s copy; if it is clean, report this.';
const NOT_GIT =
  'Check that the URL names a Git repository and that no login page or proxy answers.';

export const ERROR_TABLE = {
  USAGE_INVALID: fatal(EXIT.usage, 'Run "mount-agent --help" and correct the command line.'),
  INTERNAL: fatal(EXIT.internal, 'This is a defect of mount-agent. Report it with the log.'),
  ABORTED: fatal(EXIT.unavailable, 'The work was stopped on request; start it again.'),

  MANIFEST_MISSING: fatal(
    EXIT.data,
    'Have the orchestrator write the manifest, or pass --manifest and --manifest-timeout.',
  ),
  MANIFEST_UNREADABLE: fatal(
    EXIT.permission,
    'Make the manifest readable for the user that runs mount-agent.',
  ),
  MANIFEST_TOO_LARGE: fatal(EXIT.data, 'Keep the manifest under its size limit.'),
  MANIFEST_INVALID: fatal(
    EXIT.data,
    'Correct the fields named in the message; docs/manifest.schema.json describes them.',
  ),
  MANIFEST_IMMUTABLE: fatal(
    EXIT.data,
    'Start a new session: a running one can only change tokens, not url or mount_path.',
  ),

  MOUNT_PATH_OCCUPIED: fatal(
    EXIT.unavailable,
    'Move what is there away, or choose another mount_path. mount-agent deletes nothing that it did not create.',
  ),
  MOUNT_PATH_FORBIDDEN: fatal(
    EXIT.unavailable,
    'Choose a mount_path whose parents are real directories outside the system and of other mounts.',
  ),
  MOUNT_PATH_IS_MOUNT_POINT: fatal(
    EXIT.unavailable,
    'Mount the volume one level higher, so that the clone can be put in place by a rename.',
  ),
  MOUNT_PERMISSION: fatal(
    EXIT.permission,
    'Make the parent of mount_path writable for the user that runs mount-agent.',
  ),
  MOUNT_NO_SPACE: fatal(
    EXIT.unavailable,
    'Free space on the disk of mount_path, or give the container a larger one.',
  ),
  MOUNT_IO: passing('Check the disk of mount_path; the kernel log names the fault.'),
  MOUNT_INCOMPLETE: fatal(
    EXIT.unavailable,
    'The clone in place lost its Git directory. Save what you need from it and remove it.',
  ),

  TRANSPORT_UNREACHABLE: passing(
    'Check that the host is up, that its name resolves, and that the network allow-list has it.',
  ),
  TRANSPORT_TIMEOUT: passing('Check the network path and the proxy; the transfer stalled.'),
  TRANSPORT_TRUNCATED: passing(
    'The connection ended early. It is tried again; if it persists, check the proxy in between.',
  ),
  TRANSPORT_SERVER_ERROR: passing('The host had a fault of its own; see its status page.'),
  TRANSPORT_RATE_LIMITED: passing('The host limits requests; wait until the time in the message.'),
  TRANSPORT_UNAUTHORIZED: fatal(
    EXIT.unavailable,
    'The token is expired, revoked or mistyped. Rotate it: put a fresh one in the manifest.',
  ),
  TRANSPORT_FORBIDDEN: fatal(
    EXIT.unavailable,
    'Give the token "Contents: Read" on this repository (classic token: the repo scope).',
  ),
  TRANSPORT_SSO_REQUIRED: fatal(
    EXIT.unavailable,
    'Authorise the token for the organisation at the URL in the message, then rotate or retry.',
  ),
  TRANSPORT_NOT_FOUND: fatal(
    EXIT.unavailable,
    'The repository is missing or the token has no access to it: check the URL, and that the token lists this repository with "Contents: Read".',
  ),
  TRANSPORT_REDIRECT_REFUSED: fatal(
    EXIT.unavailable,
    'The host redirected elsewhere. Put the final URL in the manifest if you trust it.',
  ),
  TRANSPORT_PROXY: fatal(
    EXIT.unavailable,
    'The proxy refused. Check HTTPS_PROXY, its credentials, its allow-list, and NO_PROXY.',
  ),
  TRANSPORT_TLS: fatal(
    EXIT.unavailable,
    "The certificate was not accepted. Give your own CA with NODE_EXTRA_CA_CERTS, or renew the host's certificate.",
  ),
  TRANSPORT_PROTOCOL: fatal(EXIT.unavailable, NOT_GIT),
  TRANSPORT_REMOTE: fatal(EXIT.unavailable, 'The host refused with the words in the message.'),

  REFS_INVALID: fatal(
    EXIT.unavailable,
    'A ref of the repository has a name that Git forbids; rename it on the host.',
  ),
  REFS_UNSUPPORTED_OBJECT_FORMAT: fatal(
    EXIT.unavailable,
    'SHA-256 repositories are not supported yet.',
  ),
  CHECKOUT_REF_MISSING: fatal(
    EXIT.unavailable,
    'Correct "checkout" in the manifest: the repository has no such branch or commit.',
  ),

  PACK_SIGNATURE: fatal(EXIT.unavailable, BROKEN_PACK),
  PACK_VERSION: fatal(EXIT.unavailable, BROKEN_PACK),
  PACK_TRUNCATED: passing(
    'The pack ended early. It is tried again; if it persists, check the proxy in between.',
  ),
  PACK_TRAILING_BYTES: fatal(EXIT.unavailable, BROKEN_PACK),
  PACK_CHECKSUM: passing('The pack was damaged on its way. It is tried again.'),
  PACK_ENTRY_TYPE: fatal(EXIT.unavailable, BROKEN_PACK),
  PACK_ENTRY_SIZE: fatal(EXIT.unavailable, BROKEN_PACK),
  PACK_ENTRY_INFLATE: fatal(EXIT.unavailable, BROKEN_PACK),
  PACK_DELTA_OFFSET: fatal(EXIT.unavailable, BROKEN_PACK),
  PACK_DELTA_BASE_MISSING: fatal(EXIT.unavailable, BROKEN_PACK),
  PACK_DELTA_INVALID: fatal(EXIT.unavailable, BROKEN_PACK),
  PACK_COLLISION: fatal(
    EXIT.unavailable,
    'Two different objects have one SHA-1. Treat the repository as hostile.',
  ),
  PACK_LIMIT: fatal(
    EXIT.unavailable,
    'The repository is over a limit of mount-agent; the message names it.',
  ),
  OBJECT_MISSING: fatal(EXIT.unavailable, BROKEN_PACK),
  OBJECT_INVALID: fatal(EXIT.unavailable, BROKEN_PACK),

  TREE_INVALID: fatal(EXIT.unavailable, BROKEN_PACK),
  TREE_PATH_REFUSED: fatal(
    EXIT.unavailable,
    'A tree of the repository has a path that Git forbids; remove it on the host.',
  ),
  INDEX_INVALID: fatal(
    EXIT.unavailable,
    'Run "git status" in the mount: Git says whether its index is damaged.',
  ),

  CLONE_WORKER_DIED: passing(
    'The clone process ended without a word; memory may be short. See the kernel log.',
  ),

  RESCUE_INVALID: fatal(
    EXIT.data,
    'The file is no whole rescue. Take an earlier one, or the upload of this one again.',
  ),
  RESCUE_SOURCE_MISSING: fatal(
    EXIT.unavailable,
    'Name a directory that is a mount, or the work in it, as mount-agent left it.',
  ),
  RESCUE_WRITE_FAILED: fatal(
    EXIT.unavailable,
    'Give --out a directory that can be written to and that has room.',
  ),
  RESCUE_UNSUPPORTED: fatal(
    EXIT.data,
    'A newer mount-agent wrote the file: use that one, or git and tar as docs/rescue.md tells.',
  ),
  RESCUE_PATH_REFUSED: fatal(
    EXIT.data,
    'Do not trust this file, mount-agent writes no such one; take out what you need with tar, into an empty directory.',
  ),
  RESCUE_OTHER_REPOSITORY: fatal(
    EXIT.data,
    'Restore it into the clone of the repository that it was taken from.',
  ),
  RESCUE_TARGET_INVALID: fatal(
    EXIT.unavailable,
    'Mount the repository first, or restore beside it with --into DIR.',
  ),
  RESCUE_TARGET_HAS_WORK: fatal(
    EXIT.unavailable,
    'Restore beside it with --into DIR; nothing in the clone was changed.',
  ),
  RESCUE_UNFINISHED: fatal(
    EXIT.unavailable,
    'Run the restore again with the file that the message names: it goes on where it was.',
  ),
  RESCUE_OBJECTS_MISSING: fatal(
    EXIT.unavailable,
    'The remote no longer has what the work builds on. Restore with --into DIR: it takes out what the rescue itself holds.',
  ),
  RESCUE_NO_DIRECTORY: fatal(
    EXIT.unavailable,
    'Give the daemon a --rescue-dir, or run "mount-agent rescue --out DIR".',
  ),
  RESCUE_WORKER_DIED: passing(
    'The rescue process ended without a word; memory may be short. See the kernel log.',
  ),

  DAEMON_UNREACHABLE: fatal(
    EXIT.unavailable,
    'Start "mount-agent run", or pass the --run-dir that it was started with.',
  ),
  RUN_DIR_UNUSABLE: fatal(
    EXIT.permission,
    'Give --run-dir a directory that belongs to the user that runs mount-agent.',
  ),
  LISTEN_FAILED: fatal(
    EXIT.unavailable,
    'Choose another --listen address: this one is in use or not permitted.',
  ),
  STATUS_TOKEN_UNREADABLE: fatal(
    EXIT.permission,
    'Give --status-token-file a readable file with one token of at least 16 characters.',
  ),
  WARNING_KEY_UNREADABLE: fatal(
    EXIT.permission,
    'Give --warn-key-file a readable file with one key of at least 16 characters.',
  ),
  WARNING_UNDELIVERED: fatal(
    EXIT.unavailable,
    'Check --on-warn or --warn-url and what receives it; docs/warnings.md says what it is told.',
  ),
  OWNER_NOT_PERMITTED: fatal(
    EXIT.permission,
    'Run mount-agent as root, which can give files away, or as the owner itself without --owner.',
  ),
  COMMAND_NOT_FOUND: fatal(127, 'Check the command after "--" and PATH.'),
  COMMAND_NOT_EXECUTABLE: fatal(126, 'Make the command after "--" executable.'),
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERROR_TABLE;

/** JSON-safe facts, free of secrets: offsets, sizes, field names, paths. */
export type ErrorData = Readonly<Record<string, string | number | boolean | null>>;

export interface ErrorOptions {
  readonly cause?: unknown;
  readonly data?: ErrorData;
  /** Replaces the table's remedy where a better one is known (the URL to authorise a token at). */
  readonly remedy?: string;
  /** Earliest time of a useful next attempt, milliseconds since the epoch (Retry-After). */
  readonly retryAtMs?: number;
}

/** A failure with a stable code. The message says what was expected and what came; never a token. */
export class AgentError extends Error {
  readonly code: ErrorCode;
  readonly transient: boolean;
  readonly remedy: string;
  readonly exit: number;
  readonly data: ErrorData;
  readonly retryAtMs: number | null;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    const kind: ErrorKind = ERROR_TABLE[code];
    this.name = new.target.name;
    this.code = code;
    this.transient = kind.transient;
    this.remedy = options.remedy ?? kind.remedy;
    this.exit = kind.exit;
    this.data = options.data ?? {};
    this.retryAtMs = options.retryAtMs ?? null;
  }

  /** What crosses a process border (clone worker → daemon) and what a log line shows. */
  toJSON(): SerialisedError {
    const { code, message, remedy, data, retryAtMs } = this;
    return { code, message, remedy, data, retryAtMs };
  }

  static fromJSON(json: SerialisedError): AgentError {
    const { code, message, remedy, data, retryAtMs } = json;
    return new AgentError(code, message, {
      remedy,
      data,
      ...(retryAtMs === null ? {} : { retryAtMs }),
    });
  }
}

export interface SerialisedError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly remedy: string;
  readonly data: ErrorData;
  readonly retryAtMs: number | null;
}

export class ManifestError extends AgentError {}
export class MountError extends AgentError {}
export class TransportError extends AgentError {}
export class PackError extends AgentError {}
export class CheckoutError extends AgentError {}

/** Any thrown value as an AgentError; what is not one already is INTERNAL with its cause kept. */
export function toAgentError(error: unknown): AgentError {
  if (error instanceof AgentError) return error;
  // When an end fails after the work has failed, `using` throws both; the work's failure counts.
  if (error instanceof Error && error.name === 'SuppressedError' && 'suppressed' in error) {
    return toAgentError(error.suppressed);
  }
  const message = error instanceof Error ? error.message : String(error);
  return new AgentError('INTERNAL', message, { cause: error });
}

/** The errno name of a Node system error (`ENOENT`), or undefined. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
