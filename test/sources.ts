/** The agent's own source files, for the tests that look at them. */
import { readFileSync, readdirSync } from 'node:fs';

const ROOT = new URL('../', import.meta.url);

/** Text of each `agent/**` TypeScript file by its path from the top. */
export function readSources(): ReadonlyMap<string, string> {
  const names = readdirSync(new URL('agent/', ROOT), { recursive: true, encoding: 'utf8' });
  const paths = names.filter((name) => name.endsWith('.ts')).map((name) => `agent/${name}`);
  return new Map(paths.sort().map((path) => [path, readFileSync(new URL(path, ROOT), 'utf8')]));
}
