import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { ERROR_TABLE } from '../../agent/errors.ts';
import { diagnose, documentCommands } from './diagnose.ts';
import { FAULTS } from './faults.ts';

const text = readFileSync(new URL('../../docs/operations.md', import.meta.url), 'utf8');

/** One for each command of the document; npm run operator plants all of them. */
it.each(FAULTS.filter(({ name }) => ['bad token', 'manifest typo', 'port taken'].includes(name)))(
  'the three commands of docs/operations.md lead to the cause of: $name',
  async (fault) => {
    const { command, output } = await diagnose(fault);
    expect(command, output).not.toBeNull();
  },
);

it('docs/operations.md has three commands, and a figure for each fault that is planted', () => {
  expect(documentCommands()).toHaveLength(3);
  for (const { name, code } of FAULTS) expect(text).toContain(`| ${name} | \`${code}\` |`);
});

it('every code that docs/operations.md names is one', () => {
  const named = [...text.matchAll(/`([A-Z]+_[A-Z_]+)`/g)].map(([, code]) => code);
  const own = named.filter(
    (code) => !/^(MOUNT_AGENT_|RUN_DIR$|AT_RISK|NODE_|NO_|HTTPS?_|GH_)/.test(code!),
  );
  expect(own.filter((code) => !Object.hasOwn(ERROR_TABLE, code!))).toEqual([]);
});
