/** The documents that are generated from the code, by path; write-docs.ts writes, tests compare. */
import { format } from 'prettier';
import { ERROR_TABLE } from '../../agent/errors.ts';
import type { ErrorCode } from '../../agent/errors.ts';
import { manifestJsonSchema } from '../../agent/manifest/schema.ts';
import { logDocument } from './log-document.ts';
import { manPage } from './man-page.ts';

export const DOCS = new URL('../../docs/', import.meta.url);

export const documents: Readonly<Record<string, () => string | Promise<string>>> = {
  'errors.md': errorsDocument,
  'log-messages.md': logDocument,
  'mount-agent.1': manPage,
  'manifest.schema.json': () =>
    format(JSON.stringify(manifestJsonSchema()), { parser: 'json', printWidth: 100 }),
};

type ErrorKind = (typeof ERROR_TABLE)[ErrorCode];

function errorsDocument(): string {
  const kindsOf = new Map<string, [string, ErrorKind][]>();
  for (const [code, kind] of Object.entries(ERROR_TABLE)) {
    const area = code.split('_')[0] ?? code;
    kindsOf.set(area, [...(kindsOf.get(area) ?? []), [code, kind]]);
  }
  const sections = [...kindsOf].map(([area, kinds]) => {
    const rows = kinds.map(
      ([code, { exit, transient, remedy }]) =>
        `| \`${code}\` | ${exit} | ${transient ? 'yes' : 'no'} | ${remedy.replaceAll('|', '\\|')} |`,
    );
    return [`## ${area}`, '', '| code | exit | retried | remedy |', '|---|---|---|---|', ...rows];
  });
  return `# Errors

Every failure that mount-agent reports has one of these codes: in the log (\`err.code\`), in \`/status\`
(\`mounts[].error.code\`) and on standard error. Codes are stable; messages are not. The message says what
was expected and what came, the remedy what to do.

- **exit**: the exit code when the failure ends the command. The failure of one mount does not end \`run\`;
  \`mount\` ends with 69 when any mount failed.
- **retried**: whether the same attempt may succeed later with nothing changed; such a failure is tried
  again, with growing pauses, for as long as \`--retry-for\` says.

${sections.map((lines) => lines.join('\n')).join('\n\n')}
`;
}
