/**
 * The data path, top to bottom; read this first. manifest → Resource[] → one clone per resource at
 * its mount path → a ledger of the work at risk in it, with the tokens wired, the endpoint serving
 * and the command running. Each piece is opened here and closed here, in reverse order.
 */
import type { Config } from './cli.ts';
import type { CloneProcesses } from './clone/clone-processes.ts';
import { Defects } from './defects.ts';
import { withReaper } from './entrypoint/reaper.ts';
import { superviseCommand } from './entrypoint/supervise.ts';
import { serveControl } from './health/control-server.ts';
import { serveHealth } from './health/health-server.ts';
import { createMetrics } from './health/metrics.ts';
import { StatusFile } from './health/status-file.ts';
import type { Host } from './host.ts';
import { reasonOf } from './lifetime.ts';
import { watchManifest } from './manifest/watch-manifest.ts';
import { MountsUnderWay } from './mounts-under-way.ts';
import { readStatusToken, readWarningKey } from './operator-secrets.ts';
import { Rescues } from './rescues.ts';
import { Session } from './session.ts';
import { SignalRouter } from './signal-router.ts';
import { Stopped } from './stopped.ts';
import { TokenWatch } from './token-watch.ts';
import { VERSION } from './version.ts';
import { WorkAtRisk } from './work-at-risk.ts';

/** From the command's SIGTERM to its SIGKILL; what is left of 10 s is for the last ledger. */
const COMMAND_GRACE_MS = 7000;

/** `mount-agent run`. @returns the command's exit code, or 128+n of the signal that ended it. */
export async function run(config: Config, host: Host, clones: CloneProcesses): Promise<number> {
  const session = await Session.open(config, host, clones, 'info');
  using signals = new SignalRouter(session);
  using defects = new Defects(session, signals);
  try {
    return defects.exitCode(await serve(session, clones, signals));
  } catch (error) {
    if (error instanceof Stopped) return defects.exitCode(error.exit);
    session.log.fatal({ err: error }, 'cannot go on');
    throw error;
  }
}

async function serve(
  session: Session,
  clones: CloneProcesses,
  signals: SignalRouter,
): Promise<number> {
  const { config, host, status, log, redact } = session;
  const { runDir, listen } = config;
  const owner = host.owner ?? undefined;

  // The platform's probes are answered from here on, while everything else is still to come.
  using metrics = createMetrics({
    ...{ status, version: VERSION, nodeVersion: host.nodeVersion },
    warningsSent: () => session.warningsSent.all(),
  });
  const statusToken = await session.readSecret(config.statusTokenFile, readStatusToken);
  const warningKey = await session.readSecret(config.warnKeyFile, readWarningKey);
  await using health = await serveHealth({ listen, status, statusToken, metrics, redact, log });
  await using control = await serveControl({ runDir, status, redact, log, owner });
  await using _statusFile = await StatusFile.open({ runDir, status, redact, log, owner });
  log.info({ version: VERSION, listen: health.addresses }, 'serving');

  await session.begin();
  await using rescues = new Rescues(session);
  await using work = new WorkAtRisk(session, warningKey, rescues);
  await using tokens = new TokenWatch(session);
  await using mounts = new MountsUnderWay(session, (resource) => {
    tokens.watch(resource);
    return work.watch(resource);
  });

  const rotate = async (): Promise<void> => {
    const rotated = await session.rotate();
    mounts.restartFailed();
    tokens.lookNow();
    void tokens.learnUsers(rotated);
  };
  signals.onHangup = rotate;
  using _actions = control.admit({
    rotate,
    rescue: () => rescues.rescueAll(),
    activity: () => {
      work.touch();
    },
  });
  using _manifestWatch = watchForRotation(session, rotate);

  // What the first round did not need, nobody will for long.
  void mounts.start(session.resources).then(() => {
    return clones.endIdle();
  });
  const users = tokens.learnUsers(session.resources);
  await mounts.until(config.wait);
  if (config.command.length === 0) return await untilStopped(session.signal);
  await session.wired;
  await users;
  // A command that starts after the signal would be told by nobody.
  session.signal.throwIfAborted();
  const env = session.commandEnvironment;
  const argv = withReaper(config.command, { path: env['PATH'] ?? '', pid: host.pid, log });
  const { onCrash } = config;
  const context = { command: argv, env, log, graceMs: COMMAND_GRACE_MS, onCrash };
  await using command = superviseCommand(context);
  signals.command = command;
  return await command.exitCode;
}

/** A replaced manifest is a rotation; one that is refused is logged, and everything goes on. */
function watchForRotation(session: Session, rotate: () => Promise<void>): Disposable | null {
  const { config, log, manifestVersion: readVersion } = session;
  if (config.manifest === '-') return null;
  const onChange = (): void => {
    rotate().catch((error: unknown) => {
      log.error({ err: error }, 'new manifest refused; the old one stays in force');
    });
  };
  return watchManifest({ path: config.manifest, readVersion, onChange });
}

function untilStopped(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const stop = (): void => {
      reject(reasonOf(signal));
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}
