/**
 * `npm run bench:rescue`: a worktree with 1 GB of changes and a small one, rescued by mount-agent and by
 * what a careful person would script (`git bundle --all`, `git stash -u`, `tar`). A table: time, memory of
 * the process tree, size, and whether the mount was written to. `--small` leaves the large one out, which
 * is taken once, time and memory in one run. TMPDIR says on which disk.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROGRAM } from '../end-to-end/session.ts';
import { CLEAN_GIT_ENVIRONMENT } from '../fixtures/cache.ts';
import { measure } from './measure.ts';

const GIGABYTE = 1e9;
const RUNS = Number(process.env['RUNS'] ?? '3');
const SIZES = process.argv.includes('--small') ? ['small'] : ['small', 'large'];

/** All but the objects that are already packed; gone afterwards: the stash has taken the changes. */
const BY_HAND = `
cd "$MOUNT"
git bundle create -q "$OUT/all.bundle" --all
git stash push -q -u
git bundle create -q "$OUT/stash.bundle" stash
tar -czf "$OUT/rest.tar.gz" -C "$MOUNT" .git/logs .git/index
git stash pop -q --index
`;

const env: Record<string, string> = {
  ...(CLEAN_GIT_ENVIRONMENT as Record<string, string>),
  PATH: process.env['PATH'] ?? '',
  GIT_AUTHOR_NAME: 'A',
  GIT_AUTHOR_EMAIL: 'a@example.com',
  GIT_COMMITTER_NAME: 'A',
  GIT_COMMITTER_EMAIL: 'a@example.com',
};

const base = mkdtempSync(join(tmpdir(), 'bench-rescue-'));
try {
  console.log('| changes | by | time | memory | file | writes to the mount |');
  console.log('|---|---|---|---|---|---|');
  for (const size of SIZES) await compare(size);
} finally {
  rmSync(base, { recursive: true, force: true });
}

async function compare(size: string): Promise<void> {
  const origin = makeOrigin(join(base, `${size}-origin`));
  const mount = join(base, size);
  git(base, 'clone', '-q', origin, mount);
  git(mount, 'remote', 'set-url', 'origin', 'https://git.example/acme/web');
  change(mount, size === 'small' ? 100_000 : GIGABYTE);
  const rows: [name: string, argv: string[]][] = [
    [
      'mount-agent rescue',
      [process.execPath, PROGRAM, 'rescue', '--out', join(base, 'out'), mount],
    ],
    ['bundle + stash + tar', ['sh', '-eu', '-c', BY_HAND]],
  ];
  for (const [name, argv] of rows) {
    const times: number[] = [];
    let [bytes, peak] = [0, 0];
    let writes = 'no';
    for (let run = 0; run <= (size === 'small' ? RUNS : 0); run++) {
      const out = join(base, 'out');
      rmSync(out, { recursive: true, force: true });
      mkdirSync(out, { recursive: true });
      const work = { argv, cwd: base, env: { ...env, MOUNT: mount, OUT: out } };
      const before = digest(mount);
      const measured = await measure(work, run === 0 ? 'memory' : 'time');
      if (run === 0) peak = measured.peakBytes ?? 0;
      if (run > 0 || size === 'large') times.push(measured.wallMs);
      if (digest(mount) !== before) writes = 'yes';
      bytes = readdirSync(out).reduce((sum, each) => sum + statSync(join(out, each)).size, 0);
    }
    times.sort((a, b) => a - b);
    const median = times[times.length >> 1] ?? 0;
    const figures = [
      `${(median / 1000).toFixed(2)} s`,
      `${(peak / 1e6).toFixed(0)} MB`,
      `${(bytes / 1e6).toFixed(1)} MB`,
    ];
    console.log(`| ${[size, name, ...figures, writes].join(' | ')} |`);
  }
  rmSync(mount, { recursive: true, force: true });
}

function makeOrigin(path: string): string {
  git(base, 'init', '-q', '-b', 'main', path);
  for (let n = 0; n < 500; n++) {
    mkdirSync(join(path, `dir${n % 20}`), { recursive: true });
    writeFileSync(join(path, `dir${n % 20}/file${n}.txt`), `file ${n}\n`.repeat(50));
  }
  git(path, 'add', '-A');
  git(path, 'commit', '-qm', 'one');
  return path;
}

/** A third each: committed, staged, untracked; half of it compresses. */
function change(mount: string, bytes: number): void {
  const noise = Buffer.alloc(2 ** 20);
  for (let at = 0; at < noise.length; at += 32) {
    createHash('sha256').update(String(at)).digest().copy(noise, at);
  }
  const files = bytes > 1e8 ? 60 : 6;
  for (let n = 0; n < files; n++) {
    const path = join(mount, `new${n}.bin`);
    for (let left = Math.floor(bytes / files); left > 0; left -= noise.length) {
      const piece = noise.subarray(0, Math.min(left, noise.length));
      piece.writeUInt32BE((n * 65_536 + left) % 2 ** 32, 0);
      appendFileSync(
        path,
        n % 2 === 0 ? piece : Buffer.from(piece.toString('hex').slice(0, piece.length)),
      );
    }
    if (n % 3 < 2) git(mount, 'add', `new${n}.bin`);
    if (n % 3 === 0) git(mount, 'commit', '-qm', `commit ${n}`);
  }
  writeFileSync(join(mount, 'dir1/file1.txt'), 'changed\n');
}

/** Names, sizes and times of all below: another one after a write. */
function digest(directory: string): string {
  const listed = execFileSync('find', [directory, '-printf', '%P %s %T@ %C@\n'], {
    maxBuffer: 2 ** 28,
  });
  return createHash('sha256').update(listed.toString().split('\n').sort().join('\n')).digest('hex');
}

function git(cwd: string, ...args: string[]): void {
  execFileSync('git', args, { cwd, env, stdio: 'pipe' });
}
