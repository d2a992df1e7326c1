/**
 * Writes a config file in Git's syntax (git-config, "Syntax"). Enters: sections with their values as
 * byte strings. Leaves: bytes that `git config --list` reads back as exactly these values.
 */

export interface ConfigSection {
  readonly name: string;
  readonly subsection: string | null;
  readonly values: readonly (readonly [key: string, value: string])[];
}

export function gitConfig(sections: readonly ConfigSection[]): Buffer {
  return Buffer.from(sections.map(section).join(''), 'latin1');
}

function section({ name, subsection, values }: ConfigSection): string {
  const heading = subsection === null ? name : `${name} "${escapeSubsection(subsection)}"`;
  const lines = values.map(([key, value]) => `\t${key} = ${quote(value)}\n`);
  return `[${heading}]\n${lines.join('')}`;
}

function escapeSubsection(subsection: string): string {
  if (/[\n\0]/.test(subsection)) throw new RangeError('a subsection has no line feed and no NUL');
  return subsection.replace(/["\\]/g, '\\$&');
}

/** Quoted only where the bare value would be read differently, so that the file looks like git's. */
function quote(value: string): string {
  if (value.includes('\0')) throw new RangeError('a config value has no NUL');
  const escaped = value.replace(/["\\]/g, '\\$&').replaceAll('\n', '\\n').replaceAll('\t', '\\t');
  return /^\s|\s$|[;#\r]/.test(value) ? `"${escaped}"` : escaped;
}
