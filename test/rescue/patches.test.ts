import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { capture } from '../../agent/rescue/capture.ts';
import { Random } from '../fuzz/random.ts';
import { runGit } from '../work/scratch-repository.ts';

let base = '';
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'rescue-patches-'));
});
afterEach(() => {
  rmSync(base, { recursive: true, force: true });
});

const NAMES = [
  'plain.txt',
  'with space.txt',
  'qu"ote.txt',
  'caf\xe9.txt',
  'caf\xc3\xa9.txt',
  'tab\tname',
  'back\\slash',
  'dir',
];
const CONTENTS = (random: Random): Buffer[] => [
  Buffer.from(''),
  Buffer.from('one\ntwo\nthree\n'),
  Buffer.from('no newline at the end'),
  Buffer.from('crlf\r\nlines\r\n'),
  Buffer.from('mixed\r\nends\nand a lone \r in it\n'),
  Buffer.from([0, 1, 2, 255, random.below(256), 0]),
  Buffer.from(
    Array.from(
      { length: 60 },
      (_, n) => `line ${n === random.below(60) ? random.below(9) : n}\n`,
    ).join(''),
  ),
  Buffer.from('From here\n--- a\n+++ b\n@@ -1 +1 @@\n-- \n'),
  Buffer.from('latin \xe9 bytes\n', 'latin1'),
];

/** Changes some files of the worktree, in every way that a patch has to tell. */
function change(worktree: string, random: Random): void {
  for (let n = 0; n < 4; n++) {
    const name = NAMES[random.below(NAMES.length)] ?? '';
    const isDirectory = name === 'dir';
    const place = Buffer.from(`${worktree}/${name}`, 'latin1');
    const kind = random.below(6);
    rmSync(place, { recursive: true, force: true });
    if (kind === 0) continue;
    if (kind === 1 && !isDirectory) {
      symlinkSync(`target${random.below(3)}`, place);
      continue;
    }
    const contents = CONTENTS(random);
    writeFileSync(place, contents[random.below(contents.length)] ?? '');
    chmodSync(place, kind === 2 ? 0o755 : 0o644);
  }
}

async function unpacked(mount: string): Promise<string> {
  const out = mkdtempSync(join(base, 'out-'));
  const { file } = await capture({
    mount,
    url: 'https://git.example/acme/web',
    sessionId: null,
    mountPath: mount,
    out,
    includeIgnored: false,
    selfContained: true,
    signal: new AbortController().signal,
  });
  execFileSync('tar', ['-xzf', file, '-C', out]);
  return join(out, 'repositories/0');
}

test.each(Array.from({ length: 6 }, (_, seed) => seed + 1))(
  'git am and git apply take the patches and make the same trees (seed %i)',
  async (seed) => {
    const random = new Random(seed);
    const source = join(base, 'source');
    runGit(base, ['init', '-q', '-b', 'main', source]);
    const subjects = [
      'fix: a thing',
      'Größe ändern, damit es eine lange Zeile gibt, die umbrochen wird',
      'two\nlines\n\nand a body\n\n',
    ];
    for (const subject of subjects) {
      change(source, random);
      writeFileSync(join(source, 'counter'), `${subject}\n`);
      runGit(source, ['add', '-A']);
      runGit(source, ['commit', '-qm', subject]);
    }
    change(source, random);
    for (const name of readdirSync(source)) if (name === 'counter') unlinkSync(join(source, name));
    const saved = await unpacked(source);
    const target = join(base, 'target');
    runGit(base, ['init', '-q', '-b', 'main', target]);
    const patches = readdirSync(join(saved, 'patches')).sort();
    expect(patches).toHaveLength(subjects.length);
    runGit(target, ['am', '-q', ...patches.map((name) => join(saved, 'patches', name))]);
    const treesOf = (at: string): string =>
      runGit(at, ['log', '--format=%T %an %ae %at %s']).toString();
    expect(treesOf(target)).toBe(treesOf(source));
    runGit(target, ['apply', '--index', join(saved, 'changes.diff')]);
    // What git never heard of is among the files, not in the diff.
    runGit(source, ['add', '-u']);
    expect(runGit(target, ['write-tree']).toString()).toBe(
      runGit(source, ['write-tree']).toString(),
    );
  },
);
