/**
 * In: the session's mounts. Out: the table that the gh launcher reads, and for hosts where gh takes
 * no token from GH_TOKEN, gh's own two configuration files (gh help environment). The table has no
 * secret in it; hosts.yml has one.
 */
import { originOf } from './session-mount.ts';
import type { SessionMount } from './session-mount.ts';

/** The only hosts for which every version of gh uses GH_TOKEN. */
export function usesGhToken(host: string): boolean {
  return host === 'github.com' || host === 'github.localhost';
}

/**
 * Tab-separated lines `kind, key, host, rest`, in which no field is empty:
 * `repository` with owner/name in lower case, `directory` with a path, `default` with `-`, and
 * `only` with `-` when the session has one token and one host, so that there is nothing to choose.
 */
export function ghTable(
  mounts: readonly SessionMount[],
  defaults: readonly SessionMount[],
): string {
  const rows = [
    ...mounts.map((mount) => row('repository', mount, repositoryOf(mount))),
    ...mounts.flatMap((mount) => mount.directories.map((path) => row('directory', mount, path))),
    ...defaults.map((mount) => row('default', mount, '-')),
    ...onlyMount(mounts, defaults).map((mount) => row('only', mount, '-')),
  ];
  return rows.join('');
}

function onlyMount(
  mounts: readonly SessionMount[],
  defaults: readonly SessionMount[],
): readonly SessionMount[] {
  return new Set(mounts.map(({ resource }) => originOf(resource))).size === 1 ? defaults : [];
}

function repositoryOf({ resource }: SessionMount): string {
  return `${resource.owner}/${resource.name}`.toLowerCase();
}

function row(kind: string, mount: SessionMount, rest: string): string {
  if (/[\t\n\0]/.test(rest)) throw new TypeError('gh table: control character in a field');
  return `${[kind, mount.key, mount.resource.host, rest].join('\t')}\n`;
}

/** Without a version newer gh tries to migrate the file, for which it asks the host who the user is. */
export const GH_CONFIG_YML = 'version: "1"\ngit_protocol: https\nprompt: disabled\n';

export function ghHostsYml({ resource }: SessionMount): string {
  // A JSON string is a YAML string.
  return [
    `${JSON.stringify(resource.host)}:`,
    `    oauth_token: ${JSON.stringify(resource.token.reveal())}`,
    '    user: x-access-token',
    '    git_protocol: https',
    '',
  ].join('\n');
}
