import { chmod, chown, lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { run } from '../host/host-fixture.ts';
import type { Ran } from '../host/host-fixture.ts';
import { PROGRAM, TestSession } from './session.ts';

const TIMEOUT_MS = 60_000;
/** Nobody in passwd(5). */
const [UID, GID] = [54_321, 54_322];
const AS_OWNER = [`--reuid=${UID}`, `--regid=${GID}`, '--clear-groups'];

const isRoot = process.getuid?.() === 0;

async function openForOthers(session: TestSession): Promise<void> {
  for (const path of [session.two.directory, session.directory, join(session.directory, 'app')]) {
    await chmod(path, 0o755);
  }
}

/** Paths at and below, links not followed, that belong to somebody else. */
async function strangersIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true });
  const strangers: string[] = [];
  for (const path of [directory, ...entries.map((name) => join(directory, name))]) {
    const { uid, gid } = await lstat(path);
    if (uid !== UID || gid !== GID) strangers.push(`${path} ${uid}:${gid}`);
  }
  return strangers;
}

it.runIf(isRoot)(
  'run as root with --owner: clones and run directory are the owner’s, git and gh work for both',
  async () => {
    await using session = await TestSession.open();
    await openForOthers(session);
    await session.dropManifest([
      { ...session.bothResources[0], mount_path: join(session.directory, 'app/new/parents/web') },
      session.bothResources[1] ?? {},
    ]);
    const web = join(session.directory, 'app/new/parents/web');
    const home = join(session.directory, 'home');
    await chown(home, UID, GID);
    const work = `
      set -e
      export HOME=${home}
      cd ${web}
      test "$(id -u):$(id -g):$(id -G)" = ${UID}:${GID}:${GID}
      git config user.name 'A U Thor' && git config user.email author@example.com
      git switch -q -c owner && echo x > owned.txt
      git add owned.txt && git commit -q -m 'By the owner' && git push -q -u origin HEAD
      gh pr create --fill
      cd ../../../api && git status --porcelain=v2 && git fetch -q && gh api user --jq .login
      touch "$MOUNT_AGENT_RUN_DIR/activity"`;
    const script = `
      set -e
      printf %s '${work.replaceAll("'", String.raw`'\''`)}' > ${session.directory}/work.sh
      setpriv ${AS_OWNER.join(' ')} sh ${session.directory}/work.sh
      git -C ${web} log -1 --format=%s
      git --no-optional-locks -C ${web} status --short`;
    const program = session.start('run', '--owner', `${UID}:${GID}`, '--', 'sh', '-c', script);
    const code = await program.exitCode;
    expect(`${code} ${program.stdout}`, program.stderr).toMatch(/^0 [^]*By the owner\n$/);
    expect(program.stdout).toContain('ada\n');
    expect(program.stderr).not.toContain('dubious');
    expect(session.two.host.pullRequests).toHaveLength(1);
    expect(await strangersIn(join(session.directory, 'app/new'))).toEqual([]);
    expect(await strangersIn(session.mountPath('api'))).toEqual([]);
    expect(await strangersIn(session.runDir)).toEqual([]);
    expect(await readdir(join(session.directory, 'app'))).toEqual(['api', 'new']);
  },
  TIMEOUT_MS,
);

it.runIf(isRoot)(
  'mount run by a user for itself needs no owner, and for somebody else ends with 77',
  async () => {
    await using session = await TestSession.open();
    await openForOthers(session);
    await session.dropManifest([session.bothResources[0] ?? {}]);
    for (const path of [
      session.directory,
      join(session.directory, 'app'),
      join(session.directory, 'home'),
      join(session.directory, 'orchestrator'),
      session.manifestPath,
    ]) {
      await chown(path, UID, GID);
    }
    const flags = ['--manifest', session.manifestPath, '--allow-http', '--run-dir', session.runDir];
    const mount = (...more: string[]): Promise<Ran> =>
      run(
        'setpriv',
        [
          ...[...AS_OWNER, process.execPath, PROGRAM, 'mount', ...flags],
          ...['--mount-root', join(session.directory, 'app'), ...more],
        ],
        { cwd: session.directory, env: session.environment },
      );
    const refused = await mount('--owner', 'root');
    expect(refused).toMatchObject({ code: 77 });
    expect(refused.stderr).toContain('OWNER_NOT_PERMITTED');
    expect(await mount('--owner', `${UID}`)).toMatchObject({ code: 0 });
    expect(await strangersIn(session.mountPath('web'))).toEqual([]);
    const env = {
      ...session.environment,
      GIT_CONFIG_SYSTEM: join(session.runDir, 'system.gitconfig'),
    };
    const status = await run(
      'setpriv',
      [...AS_OWNER, 'git', '-C', session.mountPath('web'), 'fetch'],
      { cwd: '/', env },
    );
    expect(status).toMatchObject({ code: 0, stderr: '' });
  },
  TIMEOUT_MS,
);
