/**
 * The table of commands and flags, with every default; names and meanings are the contract's.
 */
import type { Options } from 'yargs';

export type CommandName =
  'run' | 'mount' | 'check' | 'status' | 'rescue' | 'restore' | 'rotate' | 'healthcheck';

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

export const FLAGS = {
  manifest: {
    type: 'string',
    default: '/run/mount-agent/manifest.json',
    describe: 'Resource manifest; "-" is standard input',
  },
  'manifest-timeout': {
    type: 'string',
    default: '60s',
    describe: 'How long to wait for the manifest to be dropped',
  },
  'mount-root': {
    type: 'string',
    default: '/app',
    describe: 'Where repositories without a mount_path go',
  },
  'run-dir': {
    type: 'string',
    default: '/run/mount-agent',
    describe: 'Directory of the daemon: socket, status, git configuration, credentials',
  },
  listen: {
    type: 'string',
    array: true,
    default: ['127.0.0.1:8484'],
    describe: 'Health endpoint, host:port; port 0 picks one; repeatable',
  },
  jobs: { type: 'number', default: 4, describe: 'Clones at once' },
  owner: {
    type: 'string',
    describe: 'Who owns the clones, USER[:GROUP]; whoever runs this unless told',
  },
  'git-user': {
    type: 'string',
    describe:
      'Who commits, "Name <email>"; the manifest\'s, else the user of the token, unless told',
  },
  wait: {
    choices: ['all', 'any', 'none'],
    default: 'all',
    describe: 'Which mounts must be ready before the command starts',
  },
  'on-crash': {
    choices: ['end', 'go-on'],
    default: 'end',
    describe: 'What becomes of the command when the daemon itself fails',
  },
  'reclaim-after': {
    type: 'string',
    default: '24h',
    describe: 'Inactivity after which the platform reclaims the disk',
  },
  'warn-before': {
    type: 'string',
    default: '4h,1h,15m',
    describe: 'When to warn about work at risk, before the reclaim',
  },
  'on-warn': {
    type: 'string',
    describe: 'Program that is started with each warning as JSON on its standard input',
  },
  'warn-url': {
    type: 'string',
    describe: 'https URL that each warning is posted to as JSON',
  },
  'warn-key-file': {
    type: 'string',
    describe: 'File with the key that signs what is posted to --warn-url',
  },
  'retry-for': {
    type: 'string',
    default: '10m',
    describe: 'How long a passing failure of a clone is tried again',
  },
  'allow-http': {
    type: 'boolean',
    default: false,
    describe: 'Accept plain http URLs, for loopback hosts only',
  },
  'status-token-file': {
    type: 'string',
    describe: 'File with the token that /status wants from other machines',
  },
  'log-level': { choices: LOG_LEVELS, describe: 'Least level that is logged' },
  'log-format': {
    choices: ['json', 'pretty'],
    describe: 'Form of the log; pretty on a terminal, json elsewhere',
  },
  'rescue-dir': {
    type: 'string',
    describe:
      'Directory that outlives the disk: rescues of work at risk go there, and come from there',
  },
  'rescue-timeout': {
    type: 'string',
    default: '30s',
    describe: 'How long a rescue may take when the session ends',
  },
  restore: {
    choices: ['announce', 'auto'],
    default: 'announce',
    describe: 'What happens to a rescue in --rescue-dir when a clone is made again',
  },
  into: {
    type: 'string',
    describe: 'Restore into this new directory, beside the clone, which stays as it is',
  },
  hooks: { type: 'boolean', default: false, describe: 'Restore hooks as well: git runs them' },
  config: {
    type: 'boolean',
    default: false,
    describe: 'Restore all of the configuration, with what makes git run programs',
  },
  'outside-worktrees': {
    type: 'boolean',
    default: false,
    describe: 'Put linked worktrees that stood outside the mount back where they were',
  },
  out: { type: 'string', describe: 'Directory for the files; the current one unless told' },
  'include-ignored': {
    type: 'boolean',
    default: false,
    describe: 'Take files that .gitignore names as well',
  },
  'self-contained': {
    type: 'boolean',
    default: false,
    describe: 'Take the whole history, as if there were no remote',
  },
  verify: { type: 'string', describe: 'Check this rescue file and do nothing else' },
  json: { type: 'boolean', default: false, describe: 'Print the status as JSON' },
  watch: { type: 'boolean', default: false, describe: 'Keep the status on the screen' },
} as const satisfies Record<string, Options>;

export type Flag = keyof typeof FLAGS;

const LOG_FLAGS: readonly Flag[] = ['log-level', 'log-format'];
const MANIFEST_FLAGS: readonly Flag[] = [
  'manifest',
  'manifest-timeout',
  'mount-root',
  'run-dir',
  'allow-http',
];
const MOUNT_FLAGS: readonly Flag[] = [
  ...MANIFEST_FLAGS,
  'jobs',
  'owner',
  'git-user',
  'retry-for',
  'rescue-dir',
  'restore',
  ...LOG_FLAGS,
];

export const COMMANDS: Readonly<
  Record<CommandName, { describe: string; usage: string; flags: readonly Flag[] }>
> = {
  run: {
    usage: 'run [-- CMD ARG...]',
    describe: 'Mount the repositories, keep watching and serving; run CMD once they are ready',
    flags: [
      ...MOUNT_FLAGS,
      'listen',
      'status-token-file',
      'wait',
      'on-crash',
      'reclaim-after',
      'warn-before',
      'rescue-timeout',
      'on-warn',
      'warn-url',
      'warn-key-file',
    ],
  },
  mount: {
    usage: 'mount',
    describe: 'Mount everything in the manifest and end: 0 all mounted, 69 some failed',
    flags: MOUNT_FLAGS,
  },
  check: {
    usage: 'check',
    describe: 'Validate the manifest offline and print it normalised, tokens left out',
    flags: MANIFEST_FLAGS,
  },
  status: {
    usage: 'status',
    describe: 'Show what the running daemon knows: 0, 3 work at risk, 69 no daemon',
    flags: ['run-dir', 'json', 'watch'],
  },
  rescue: {
    usage: 'rescue [mount..]',
    describe:
      'Write everything at risk into one file per mount: 0, 65 bad file (--verify), 69 some failed',
    flags: ['out', 'include-ignored', 'self-contained', 'verify', 'run-dir', 'json'],
  },
  restore: {
    usage: 'restore <file> [mount]',
    describe:
      'Put the work of a rescue file back into a fresh clone: 0, 65 bad file, 69 not possible',
    flags: ['into', 'hooks', 'config', 'outside-worktrees', 'run-dir', 'json'],
  },
  rotate: {
    usage: 'rotate',
    describe: 'Tell the daemon to read the manifest again and use its tokens',
    flags: ['run-dir'],
  },
  healthcheck: {
    usage: 'healthcheck',
    describe: 'For container probes: 0 when the daemon is healthy, else 1',
    flags: ['run-dir'],
  },
};
