import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { AgentError, ERROR_TABLE, EXIT, toAgentError } from '../agent/errors.ts';
import type { ErrorCode } from '../agent/errors.ts';
import { DOCS, documents } from './setup/documents.ts';
import { readSources } from './sources.ts';

const codes = Object.keys(ERROR_TABLE) as ErrorCode[];

it('docs/ says what the code says; "npm run docs" writes it anew', async () => {
  for (const [name, write] of Object.entries(documents)) {
    expect(readFileSync(new URL(name, DOCS), 'utf8'), name).toBe(await write());
  }
});

it('every code of the table is raised somewhere', () => {
  const text = [...readSources().values()].join('\n');
  expect(codes.filter((code) => !text.includes(`'${code}'`))).toEqual([]);
});

it('every code is AREA_CONDITION or one word, with an exit code of the contract and a remedy', () => {
  const exits: readonly number[] = [...Object.values(EXIT), 126, 127];
  for (const code of codes) {
    expect(code).toMatch(/^[A-Z]+(_[A-Z0-9]+)*$/);
    expect(exits).toContain(ERROR_TABLE[code].exit);
    expect(ERROR_TABLE[code].remedy).toMatch(/^[A-Z].*\.$/);
  }
});

it('of work that failed and an end that failed after it, the work is what is reported', () => {
  const work = (): void => {
    using _end = {
      [Symbol.dispose]: () => {
        throw new Error('cannot be removed');
      },
    };
    throw new AgentError('MOUNT_NO_SPACE', 'the disk is full');
  };
  try {
    work();
    expect.unreachable();
  } catch (error) {
    expect(error).not.toBeInstanceOf(AgentError);
    expect(toAgentError(error)).toMatchObject({ code: 'MOUNT_NO_SPACE' });
  }
});

it('an AgentError crosses a process border whole', () => {
  const error = new AgentError('TRANSPORT_RATE_LIMITED', 'wait', {
    data: { limit: 5 },
    remedy: 'Wait a minute.',
    retryAtMs: 1000,
  });
  const json = JSON.parse(JSON.stringify(error)) as ReturnType<AgentError['toJSON']>;
  const copy = AgentError.fromJSON(json);
  expect(copy.toJSON()).toEqual(error.toJSON());
  expect(copy).toMatchObject({ transient: true, exit: EXIT.unavailable });
});
