import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeRepository } from '../fixtures/cache.ts';
import { randomBlobs } from '../fixtures/memory-repositories.ts';
import { TOKENS, run } from '../host/host-fixture.ts';
import { PROGRAM, TestSession } from './session.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mount-agent-no-space-'));
  await makeRepository(randomBlobs('small', 3, 300_000), join(directory, 'small.git'));
  // Too large to be written while the pack is still coming.
  await makeRepository(randomBlobs('large', 2, 1_500_000), join(directory, 'large.git'));
});
afterAll(() => rm(directory, { recursive: true }));

/** Ends with what is left on the disk, one path a line. */
const ON_SMALL_DISK = `
mount -t tmpfs -o "size=$1" none "$0"; app=$0; shift
"$@" || echo "ended with $?"
find "$app" -mindepth 1`;

it.each([
  ['the pack', 'large', '1m', /MOUNT_NO_SPACE: storing the pack: ENOSPC/],
  ['files beside the pack', 'small', '1600k', /MOUNT_NO_SPACE: "d0\/blob\d\.bin": ENOSPC/],
  ['large files', 'large', '3500k', /MOUNT_NO_SPACE: "d0\/blob\d\.bin": object \w+: ENOSPC/],
])(
  'a disk too small for %s: the clone fails by name, and leaves nothing',
  async (_, name, size, says) => {
    await using session = await TestSession.open();
    const { host } = session.two;
    const tokens = [{ token: TOKENS.web, login: 'walter', permissions: 'read' as const }];
    const bareDir = join(directory, `${name}.git`);
    host.addRepository({ owner: 'acme', name, bareDir, tokens });
    await session.dropManifest([session.resource(name, TOKENS.web)]);
    const app = join(session.directory, 'app');
    const places = ['--run-dir', session.runDir, '--mount-root', app];
    const mount = ['mount', '--manifest', session.manifestPath, '--allow-http', ...places];
    const disk = ['--mount', '--map-root-user', 'sh', '-euc', ON_SMALL_DISK, app, size];
    const { stdout, stderr } = await run(
      'unshare',
      [...disk, process.execPath, PROGRAM, ...mount],
      { cwd: directory, env: session.environment },
    );
    expect(stdout + stderr).toMatch(says);
    expect(stdout + stderr).toContain('Free space on the disk of mount_path');
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('ended with 69');
  },
);
