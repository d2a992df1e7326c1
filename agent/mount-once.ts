/**
 * `mount-agent mount`, for init containers and CI: mounts everything in the manifest, shows
 * progress, ends. Out: 0 when all are mounted, 69 when some failed; each failure in words.
 */
import type { Config } from './cli.ts';
import { CloneHere } from './clone/clone-here.ts';
import { CloneProcesses } from './clone/clone-processes.ts';
import { AgentError, EXIT } from './errors.ts';
import type { Host } from './host.ts';
import { Session } from './session.ts';
import { Stopped } from './stopped.ts';
import { showProgress } from './terminal/progress-display.ts';
import { TokenWatch } from './token-watch.ts';

export async function mountOnce(config: Config, host: Host): Promise<number> {
  const { stdout, env, owner } = host;
  const clones = new CloneProcesses({ env, owner, isAhead: false }, config.jobs);
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
  const stopListening = host.onDefect((error) => {
    session.log.fatal({ err: error }, 'cannot go on');
    session.fail(new AgentError('INTERNAL', session.redact(String(error)), { cause: error }));
    return true;
  });
  try {
    await session.begin();
    const { resources } = session;
    // One that crashes takes no other along; and what is to belong to somebody is made by a process of theirs.
    if (resources.length === 1 && owner === null) clones.use(new CloneHere());
    using _progress = showProgress(session.status, stdout, {
      colour: (env['NO_COLOR'] ?? '') === '',
    });
    await using tokens = new TokenWatch(session);
    const mounts = Promise.allSettled(resources.map((resource) => session.mount(resource)));
    // Each has a slot; one that fails and is tried again has a process of its own.
    if (resources.length <= config.jobs) clones.expectNoMore();
    const users = tokens.learnUsers(resources);
    const ended = await mounts;
    // Nobody has waited for it where there is no mount.
    await session.wired;
    await users;
    session.signal.throwIfAborted();
    return ended.every(isMounted) ? EXIT.ok : EXIT.unavailable;
  } catch (error) {
    if (error instanceof Stopped) return error.exit;
    throw error;
  } finally {
    unsubscribe();
    stopListening();
    await clones.endIdle();
  }
}

function isMounted(end: PromiseSettledResult<boolean>): boolean {
  if (end.status === 'rejected') throw end.reason;
  return end.value;
}
