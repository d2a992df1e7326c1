import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { errnoOf } from '../agent/errors.ts';
import { LogPipe } from '../agent/log-pipe.ts';

let directory: string;
let reader: number;
let writer: number;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'log-pipe-'));
  const path = join(directory, 'pipe');
  execFileSync('mkfifo', [path]);
  reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  writer = openSync(path, constants.O_WRONLY);
});

afterEach(async () => {
  closeSync(writer);
  await rm(directory, { recursive: true });
});

function readAll(): string {
  const buffer = Buffer.alloc(1 << 20);
  let text = '';
  try {
    for (;;) {
      const size = readSync(reader, buffer);
      if (size === 0) return text;
      text += buffer.toString('utf8', 0, size);
    }
  } catch (error) {
    if (errnoOf(error) !== 'EAGAIN') throw error;
    return text;
  }
}

it('LogPipe keeps lines whole and in order, loses the newest when nobody reads, and says how many', async () => {
  const pipe = LogPipe.open(writer)!;
  const lines = 8000;
  for (let at = 0; at < lines; at++) pipe.write(`${String(at).padStart(99, '.')}\n`);
  let text = '';
  while (!text.includes('were lost')) {
    text += readAll();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const got = text.trimEnd().split('\n');
  const told = JSON.parse(got.pop() ?? '') as { lines: number };
  expect(got.map((line) => Number(line.replaceAll('.', '')))).toEqual(got.map((_, at) => at));
  expect(got.length + told.lines).toBe(lines);
  expect(got.length).toBeGreaterThan(2000);
  pipe.write('and on\n');
  expect(readAll()).toBe('and on\n');
  pipe.end();
  closeSync(reader);
});

it('LogPipe falls silent when its reader has gone, and ends at once', () => {
  const pipe = LogPipe.open(writer)!;
  closeSync(reader);
  pipe.write('nobody\n');
  pipe.write('hears\n');
  pipe.end();
  // A second pipe on it cannot be had: nobody reads.
  expect(LogPipe.open(writer)).toBeNull();
});

it('LogPipe is for pipes alone, and leaves the writes of others blocking', () => {
  const file = openSync(join(directory, 'file'), 'w');
  expect(LogPipe.open(file)).toBeNull();
  closeSync(file);
  const pipe = LogPipe.open(writer)!;
  const flags = execFileSync('grep', ['flags', `/proc/${process.pid}/fdinfo/${writer}`], {
    encoding: 'utf8',
  });
  expect(Number.parseInt(flags.split(/\s+/)[1] ?? '', 8) & constants.O_NONBLOCK).toBe(0);
  pipe.end();
  closeSync(reader);
});
