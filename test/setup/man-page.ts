/** docs/mount-agent.1 from the tables of commands and flags: man(7), escaped as groff_char(7) wants it. */
import type { Options } from 'yargs';
import { COMMANDS, FLAGS } from '../../agent/flags.ts';
import type { Flag } from '../../agent/flags.ts';
import { VERSION } from '../../agent/version.ts';

const FILES: readonly (readonly [string, string])[] = [
  ['/run/mount-agent/manifest.json', 'the manifest, as the orchestrator drops it'],
  ['RUN_DIR/env', 'GH_TOKEN of the session, to be sourced by a shell'],
  ['RUN_DIR/gitconfig', 'what git needs, to be included from the system configuration'],
  ['RUN_DIR/status.json', 'the same as /status of the endpoint'],
  ['RUN_DIR/AT_RISK.md', 'there while work is at risk near its deadline'],
  ['RUN_DIR/activity', 'to be touched: counts as activity'],
  ['RUN_DIR/agent.sock', 'the control socket of the running daemon'],
];

const EXIT_CODES: readonly (readonly [string, string])[] = [
  ['0', 'all is well'],
  ['1', 'healthcheck: the daemon is not healthy'],
  ['3', 'status: there is work at risk'],
  ['64', 'the command line cannot be understood'],
  ['65', 'the manifest, or another file that was given, has a fault'],
  ['69', 'something is not available: a mount failed, or there is no daemon'],
  ['70', 'a defect of mount-agent'],
  ['77', 'a permission is missing'],
  ['126, 127', 'the command after -- cannot be executed, is not there'],
  ['128+n', 'ended by signal n'],
];

export function manPage(): string {
  return `${[
    `.TH MOUNT\\-AGENT 1 "" "mount\\-agent ${VERSION}" "User Commands"`,
    ...section('NAME', ['mount\\-agent \\- Git repositories for the container of an AI agent']),
    ...section('SYNOPSIS', synopsis()),
    ...section('DESCRIPTION', [
      text(
        'Reads a resource manifest, makes a full clone of every repository in it at its mount path, wires the token of each for git and gh, serves a health endpoint, and watches the clones for work that would be lost when the disk is reclaimed.',
      ),
    ]),
    ...section('COMMANDS', Object.values(COMMANDS).flatMap(commandLines)),
    ...section('OPTIONS', [
      text(
        'Every flag has an environment twin: --mount-root is MOUNT_AGENT_MOUNT_ROOT. The command line wins. Unknown flags are errors. A duration is a number with ms, s, m, h or d.',
      ),
      ...(Object.keys(FLAGS) as Flag[]).flatMap(flagLines),
      ...item(
        '\\fB\\-\\-help\\fR, \\fB\\-\\-version\\fR',
        'Show what there is, or the version, and end.',
      ),
    ]),
    ...section('SIGNALS', [
      text(
        'SIGHUP has the daemon read the manifest again. SIGTERM goes to the command and ends the daemon within 10 seconds; other signals go to the command, or end the daemon when there is none.',
      ),
    ]),
    ...section('ENVIRONMENT', [
      ...item(
        '\\fBHTTPS_PROXY, HTTP_PROXY, NO_PROXY\\fR',
        'The proxy for clones and questions to hosts.',
      ),
      ...item(
        '\\fBNODE_EXTRA_CA_CERTS, SSL_CERT_FILE\\fR',
        'Certificates to trust beside those of the system.',
      ),
      ...item('\\fBNO_COLOR\\fR', 'With any value: no colour, on a terminal either.'),
    ]),
    ...section('FILES', pairs(FILES)),
    ...section('EXIT STATUS', pairs(EXIT_CODES)),
    ...section('EXAMPLES', [
      ...item(text('mount-agent check --manifest manifest.json'), 'Is the manifest right?'),
      ...item(text('mount-agent run -- your-agent'), 'Start your-agent when every mount is ready.'),
      ...item(text('mount-agent status --watch'), 'What is mounted, and what would be lost?'),
      ...item(
        text('source <(mount-agent completion)'),
        'Completion for bash; with SHELL=zsh in front of mount-agent, for zsh.',
      ),
    ]),
    ...section('SEE ALSO', [text('git(1), gh(1); docs/operations.md and docs/errors.md.')]),
  ].join('\n')}\n`;
}

function synopsis(): string[] {
  return Object.values(COMMANDS).flatMap(({ usage }) => [
    `\\fBmount\\-agent\\fR ${text(usage)}`,
    '.br',
  ]);
}

function commandLines({
  usage,
  describe,
  flags,
}: (typeof COMMANDS)[keyof typeof COMMANDS]): string[] {
  const names = flags.map((flag) => `\\-\\-${text(flag)}`).join(', ');
  return [...item(`\\fB${text(usage)}\\fR`, `${describe}.`), '.br', `Flags: ${names}.`];
}

function flagLines(flag: Flag): string[] {
  const options: Options = FLAGS[flag];
  const values = options.choices?.map(String).join('|');
  const argument =
    options.type === 'boolean' ? '' : ` \\fI${text(values ?? argumentOf(options))}\\fR`;
  const given: unknown = options.default;
  const shown = Array.isArray(given) ? given.map(String).join() : given;
  const isSaid = typeof shown === 'string' || typeof shown === 'number';
  const usual = isSaid ? ` Default: ${shown}.` : '';
  return item(`\\fB\\-\\-${text(flag)}\\fR${argument}`, `${options.describe ?? ''}.${usual}`);
}

function argumentOf({ type }: Options): string {
  return type === 'number' ? 'N' : 'VALUE';
}

function section(title: string, lines: readonly string[]): string[] {
  return [`.SH ${title}`, ...lines];
}

function pairs(rows: readonly (readonly [string, string])[]): string[] {
  return rows.flatMap(([term, words]) => item(`\\fB${text(term)}\\fR`, `${words}.`));
}

function item(term: string, words: string): string[] {
  return ['.TP', term, text(words)];
}

/** A dash that is typed is \-; a line must not begin with a dot. */
function text(plain: string): string {
  return plain.replaceAll('\\', '\\e').replaceAll('-', '\\-').replace(/^\./, '\\&.');
}
