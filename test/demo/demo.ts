/**
 * `npm run demo`: the main job for real, without network or accounts. Two private repositories on
 * a loopback GitHub, a manifest, `mount-agent run` with a shell script as its command, up to the
 * pull request. Ends with 0 when every step was seen to happen, with 1 and the step otherwise, and
 * leaves no file and no process behind.
 */
import { fileURLToPath } from 'node:url';
import type { StatusSnapshot } from '../../agent/status.ts';
import { NotSeen, checkOutcome, remainsOf } from './check.ts';
import { Daemon } from './daemon.ts';
import { Narrator, bar } from './narrator.ts';
import { ScriptReader } from './script-reader.ts';
import { NAMES, REPOSITORIES, Stage, ensureGh, freePort } from './stage.ts';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const SCRIPT = fileURLToPath(new URL('session-script.sh', import.meta.url));
const BYTES_PER_SECOND = 400_000;
const CLONE_TIMEOUT_MS = 60_000;
const SCRIPT_TIMEOUT_MS = 120_000;
/** Who commits: the image of a session sets this, or the agent does. */
const IDENTITY = {
  GIT_AUTHOR_NAME: 'Demo Agent',
  GIT_AUTHOR_EMAIL: 'agent@demo.example',
  GIT_COMMITTER_NAME: 'Demo Agent',
  GIT_COMMITTER_EMAIL: 'agent@demo.example',
} as const;

const narrator = new Narrator(process.stdout);

async function main(): Promise<number> {
  narrator.title('mount-agent: from a manifest to a pull request, on this machine alone');
  const stage = await Stage.open();
  try {
    await play(stage);
  } catch (error) {
    narrator.failed(error instanceof NotSeen ? error.message : `failed: ${String(error)}`);
    if (!(error instanceof NotSeen)) console.error(error);
    return 1;
  } finally {
    await stage[Symbol.asyncDispose]();
  }
  const remains = await remainsOf(stage.directory);
  if (remains.length > 0) {
    narrator.failed(`left behind: ${remains.join(', ')}`);
    return 1;
  }
  narrator.seen('no file and no process is left behind');
  narrator.title('Done.');
  return 0;
}

async function play(stage: Stage): Promise<void> {
  narrator.step('A loopback GitHub with two private repositories');
  for (const name of NAMES) {
    narrator.detail(`${stage.host.url('acme', name)}   token of ${REPOSITORIES[name].login}`);
  }
  const gh = await ensureGh();
  if (gh === null) narrator.skipped('gh is missing and could not be installed: no pull request');
  else narrator.seen(`real git and real gh (${gh}) will talk to it`);

  narrator.step('mount-agent run starts; the orchestrator drops the manifest');
  const port = await freePort();
  const script = new ScriptReader(stage.host, narrator);
  await using daemon = startDaemon(stage, port, gh !== null, (line) => {
    script.read(line);
  });
  try {
    await until(
      async () => (await daemon.probe('/livez')) === 200,
      daemon,
      '/livez never said 200',
    );
    const early = await daemon.probe('/readyz');
    if (early !== 503) throw new NotSeen(`/readyz said ${early} before there was a manifest`);
    narrator.seen('/livez 200, /readyz 503: alive, nothing mounted yet');
    stage.host.throttle(BYTES_PER_SECOND);
    await stage.dropManifest(manifestPath(stage));
    await watchCloning(daemon);
    script.release();
    stage.host.throttle(null);
    await finish(daemon, script);
    narrator.step('What really happened');
    for (const seen of await checkOutcome({
      stage,
      began: script.began,
      gh: gh !== null,
      log: daemon.log,
      manifest: manifestPath(stage),
    }))
      narrator.seen(seen);
  } catch (error) {
    for (const line of daemon.log.slice(-15)) narrator.detail(line);
    throw error;
  }
}

function manifestPath(stage: Stage): string {
  return stage.path('orchestrator', 'manifest.json');
}

function startDaemon(
  stage: Stage,
  port: number,
  gh: boolean,
  onLine: (line: string) => void,
): Daemon {
  const runDir = stage.path('run');
  const flags = [
    ...['--manifest', manifestPath(stage), '--mount-root', stage.path('app')],
    ...['--run-dir', runDir, '--listen', `127.0.0.1:${port}`, '--reclaim-after', '2h'],
    ...['--allow-http', '--log-format', 'json'],
  ];
  narrator.detail(`$ mount-agent run --reclaim-after 2h … -- sh session-script.sh`);
  const env = {
    PATH: process.env['PATH'] ?? '/usr/bin:/bin',
    LC_ALL: 'C.UTF-8',
    ...IDENTITY,
    ...stage.host.environment,
    HOME: stage.path('home'),
    DEMO_NODE: process.execPath,
    DEMO_MAIN: MAIN,
    DEMO_APP: stage.path('app'),
    DEMO_RUN_DIR: runDir,
    DEMO_OUT: stage.path('out'),
    DEMO_GH: gh ? 'yes' : 'no',
    GH_PROMPT_DISABLED: '1',
    GH_NO_UPDATE_NOTIFIER: '1',
  };
  const argv = [process.execPath, MAIN, 'run', ...flags, '--', 'sh', SCRIPT];
  return new Daemon({ argv, env, cwd: stage.directory, port, onLine });
}

/** Draws each mount's progress until /readyz turns 200; progress must have been seen on the way. */
async function watchCloning(daemon: Daemon): Promise<void> {
  narrator.step('Both repositories are cloned at once');
  const counts = new Set<number>();
  await until(
    async () => {
      const snapshot = await daemon.status();
      for (const { progress } of snapshot?.mounts ?? []) counts.add(progress.received_bytes);
      if (snapshot !== null && snapshot.mounts.length > 0) narrator.redraw(progressLine(snapshot));
      return (await daemon.probe('/readyz')) === 200;
    },
    daemon,
    '/readyz never turned 200',
    CLONE_TIMEOUT_MS,
  );
  if (counts.size < 4) throw new NotSeen(`progress was not seen: ${[...counts].join(', ')} bytes`);
  const snapshot = await daemon.status();
  if (snapshot !== null) narrator.redraw(progressLine(snapshot));
  narrator.seen(`/readyz turned 200, after ${counts.size} different byte counts in /status`);
}

function progressLine({ mounts }: StatusSnapshot): string {
  const parts = mounts.map(({ mount_path, phase, progress }) => {
    const { objects, total_objects: total, received_bytes: bytes } = progress;
    const name = mount_path.slice(mount_path.lastIndexOf('/') + 1);
    if (phase === 'ready')
      return `${name} ${bar(1)} ready, ${(bytes / 1e6).toFixed(1)} MB`.padEnd(46);
    const share = total === 0 ? 0 : objects / total;
    const counted = `${String(objects).padStart(4)}/${total} objects, ${(bytes / 1e6).toFixed(1)} MB`;
    return `${name} ${bar(share)} ${phase} ${counted}`.padEnd(46);
  });
  return parts.join('  ');
}

async function finish(daemon: Daemon, script: ScriptReader): Promise<void> {
  const late = AbortSignal.timeout(SCRIPT_TIMEOUT_MS);
  const timeout = new Promise<'late'>((resolve) => {
    late.addEventListener('abort', () => {
      resolve('late');
    });
  });
  const ended = await Promise.race([daemon.ended, timeout]);
  const during = `during "${script.current}"`;
  if (ended === 'late') throw new NotSeen(`the command did not end in time, ${during}`);
  if (ended !== 0) throw new NotSeen(`mount-agent run ended with ${ended}, ${during}`);
}

/** Polls until it is so; ends at once when the daemon ends first. */
async function until(
  isSo: () => Promise<boolean>,
  daemon: Daemon,
  otherwise: string,
  timeoutMs = 20_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await isSo())) {
    if (!daemon.running) throw new NotSeen(`mount-agent run ended early: ${otherwise}`);
    if (Date.now() > deadline) throw new NotSeen(otherwise);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

process.exitCode = await main();
