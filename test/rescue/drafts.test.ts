import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { draftName, sweepDirectoryDrafts, sweepDrafts } from '../../agent/rescue/drafts.ts';

const RESCUE = 'web-0123456789ab-20260102T030405Z.rescue.tar.gz';
let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'drafts-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

function put(name: string, ageMs = 0): string {
  writeFileSync(join(directory, name), 'half of it');
  const at = new Date(Date.now() - ageMs);
  utimesSync(join(directory, name), at, at);
  return name;
}

/** The draft of a process with another number. */
const draftOf = (pid: number, started?: string): string => {
  const [, realm = '', own = ''] = /\.([0-9a-f]{8})-\d+-(\d+)\./.exec(draftName(RESCUE)) ?? [];
  return `.${RESCUE}.${realm}-${pid}-${started ?? own}.0123456789ab`;
};

test('the draft of a process that has ended goes, at once; a living one keeps its own', async () => {
  const child = spawn(process.execPath, ['-e', ''], { stdio: 'ignore' });
  await once(child, 'close');
  const dead = put(draftOf(child.pid!));
  const reused = put(draftOf(process.pid, '1'));
  const mine = put(draftName(RESCUE));
  expect(sweepDrafts(directory).sort()).toEqual([dead, reused].sort());
  expect(readdirSync(directory)).toEqual([mine]);
});

test('of a process that cannot be asked, what is a day old goes, and nothing that is no draft', () => {
  const strange = (n: number): string => `.${RESCUE}.deadbeef-${n}-5.0123456789ab`;
  const old = put(strange(1), 25 * 3_600_000);
  put(strange(2), 3_600_000);
  put(RESCUE, 99 * 3_600_000);
  put(`.${RESCUE}.swp`, 99 * 3_600_000);
  put('.notes.tar.gz.deadbeef-1-5.0123456789ab', 99 * 3_600_000);
  symlinkSync('/etc/hostname', join(directory, strange(3)));
  expect(sweepDrafts(directory)).toEqual([old]);
  expect(readdirSync(directory)).toHaveLength(5);
});

test('a directory that a killed restore has left goes, one of that name alone', async () => {
  const child = spawn(process.execPath, ['-e', ''], { stdio: 'ignore' });
  await once(child, 'close');
  const [dead, mine, other] = ['web', 'web', 'docs'].map((name, n) => {
    const draft = draftName(name);
    const named = n === 1 ? draft : draft.replace(`-${process.pid}-`, `-${child.pid!}-`);
    mkdirSync(join(directory, named, 'below'), { recursive: true });
    return named;
  });
  put(draftOf(child.pid!));
  expect(sweepDirectoryDrafts(directory, 'web')).toEqual([dead]);
  expect(readdirSync(directory)).toEqual(expect.arrayContaining([mine, other]));
  expect(readdirSync(directory)).toHaveLength(3);
});
