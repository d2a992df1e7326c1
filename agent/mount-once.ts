/**
 * `mount-agent mount`, for init containers and CI: mounts everything in the manifest, shows
 * progress, ends. Out: 0 when all are mounted, 69 when some failed; each failure in words.
 */
import type { Config } from './cli.ts';
import type { CloneProcesses } from './clone/clone-processes.ts';
import { EXIT } from './errors.ts';
import type { Host } from './host.ts';
import { Session, Stopped } from './session.ts';
import { showProgress } from './terminal/progress-display.ts';
import { TokenWatch } from './token-watch.ts';

export async function mountOnce(
  config: Config,
  host: Host,
  clones: CloneProcesses,
): Promise<number> {
  const { stdout, env } = host;
  // The display says on a terminal what the log would; a log level given by the user brings it back.
  const session = await Session.open(
    config,
    host,
    clones,
    stdout.isTTY === true ? 'silent' : 'warn',
  );
  const unsubscribe = host.onSignal((signal) => {
    if (signal === 'SIGINT' || signal === 'SIGTERM') session.stop(signal);
  });
  try {
    await session.begin();
    using _progress = showProgress(session.status, stdout, {
      colour: (env['NO_COLOR'] ?? '') === '',
    });
    await using tokens = new TokenWatch(session);
    const mounts = Promise.all(session.resources.map((resource) => session.mount(resource)));
    // Each has a slot; one that fails and is tried again has a process of its own.
    if (session.resources.length <= config.jobs) clones.expectNoMore();
    const users = tokens.learnUsers(session.resources);
    const results = await mounts;
    await users;
    return results.every(Boolean) ? EXIT.ok : EXIT.unavailable;
  } catch (error) {
    if (error instanceof Stopped) return error.exit;
    throw error;
  } finally {
    unsubscribe();
    await clones.endIdle();
  }
}
