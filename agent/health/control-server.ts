/**
 * `agent.sock` in the run directory: the CLI's commands reach the running daemon through it. In:
 * HTTP over a Unix socket that only its owner and root can open; out: JSON, an AgentError with its
 * code, message and remedy. A stale socket is replaced; one that answers is left alone.
 */
import { chmod, chown, lstat, unlink } from 'node:fs/promises';
import { connect } from 'node:net';
import { AgentError, EXIT, errnoOf, toAgentError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { RescueNote } from '../rescue-note.ts';
import type { StatusTable } from '../status.ts';
import { jsonAnswer, refusal } from './answer.ts';
import type { Answer, Redact } from './answer.ts';
import { controlPath } from './control-path.ts';
import { HTTP_LIMITS, HttpListener } from './http-listener.ts';
import type { Owner } from '../host.ts';

export type { Owner };

/** What can be asked for while the session is at work. */
export interface ControlActions {
  /** Reads the manifest again; an AgentError of it goes back to the caller. */
  readonly rotate: () => Promise<void>;
  /** Writes a rescue of each mount with work at risk; an AgentError of it goes back as well. */
  readonly rescue: () => Promise<readonly RescueNote[]>;
  /** Counts as activity of the session. */
  readonly activity: () => void | Promise<void>;
}

export interface ControlContext {
  readonly runDir: string;
  readonly status: StatusTable;
  readonly redact: Redact;
  readonly log: Log;
  /** Who may connect besides root; whoever runs the daemon unless told. */
  readonly owner?: Owner | undefined;
}

export interface ControlServer extends AsyncDisposable {
  readonly path: string;
  /** Takes requests other than for the status from now on, until it is disposed of. */
  admit(actions: ControlActions): Disposable;
}

type Route = () => Answer | Promise<Answer>;

/** @throws AgentError LISTEN_FAILED (another daemon answers there), RUN_DIR_UNUSABLE. */
export async function serveControl(context: ControlContext): Promise<ControlServer> {
  const path = controlPath(context.runDir);
  await clearStale(path);
  let actions: ControlActions | null = null;
  const routes = controlRoutes(context.status, () => actions ?? notAtWork(context.status));
  const listener = new HttpListener({
    // A rotation may take longer than a quiet socket is kept elsewhere.
    limits: { ...HTTP_LIMITS, idleTimeoutMs: 0 },
    redact: context.redact,
    log: context.log,
    respond: ({ method = '', url = '' }) => answerRoute(routes, method, url),
  });
  try {
    await listener.listen({ path });
    // Until here the directory's 0700 keeps others out.
    await chmod(path, 0o600);
    if (context.owner !== undefined) await chown(path, context.owner.uid, context.owner.gid);
  } catch (error) {
    await listener[Symbol.asyncDispose]();
    throw listenError(path, error);
  }
  // Closing removes the socket file.
  return {
    path,
    admit: (admitted) => {
      actions = admitted;
      return { [Symbol.dispose]: () => void (actions = null) };
    },
    [Symbol.asyncDispose]: () => listener[Symbol.asyncDispose](),
  };
}

/** Before the manifest is there, and when the session ends. */
function notAtWork({ manifestRead }: StatusTable): never {
  const why = manifestRead ? 'it is ending' : 'it waits for its manifest';
  throw new AgentError('DAEMON_UNREACHABLE', `the daemon only tells its status now: ${why}`, {
    remedy: 'See "mount-agent status".',
  });
}

function controlRoutes(
  status: StatusTable,
  actions: () => ControlActions,
): ReadonlyMap<string, Route> {
  const done = (): Answer => jsonAnswer(200, { done: true });
  return new Map<string, Route>([
    ['GET /status', () => jsonAnswer(200, status.snapshot())],
    [
      'POST /activity',
      async () => {
        await actions().activity();
        return done();
      },
    ],
    ['POST /rescue', async () => jsonAnswer(200, { rescues: await actions().rescue() })],
    [
      'POST /rotate',
      async () => {
        await actions().rotate();
        return done();
      },
    ],
  ]);
}

async function answerRoute(
  routes: ReadonlyMap<string, Route>,
  method: string,
  path: string,
): Promise<Answer> {
  const route = routes.get(`${method} ${path}`);
  if (route === undefined) {
    const methods = [...routes.keys()].filter((key) => key.endsWith(` ${path}`));
    if (methods.length === 0) return refusal(404, 'NOT_FOUND', 'There is nothing at this path.');
    const allow = methods.map((key) => key.split(' ', 1)[0]).join(', ');
    return refusal(405, 'METHOD_REFUSED', `Expected ${allow}.`, { allow });
  }
  try {
    return await route();
  } catch (error) {
    if (!(error instanceof AgentError) || error.code === 'INTERNAL') throw error;
    return jsonAnswer(httpStatusOf(error), { error: error.toJSON() });
  }
}

function httpStatusOf({ exit }: AgentError): number {
  if (exit === EXIT.data) return 422;
  return exit === EXIT.permission ? 403 : 409;
}

/** Removes a socket that nobody answers on: what a killed daemon left behind. */
async function clearStale(path: string): Promise<void> {
  const stats = await lstat(path).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return null;
    throw listenError(path, error);
  });
  if (stats === null) return;
  if (!stats.isSocket()) {
    throw new AgentError('RUN_DIR_UNUSABLE', `expected a socket or nothing at ${path}`, {
      remedy: 'Move that file away; mount-agent deletes nothing that it did not create.',
    });
  }
  if (await answers(path)) {
    throw new AgentError('LISTEN_FAILED', `another daemon answers at ${path}`, {
      remedy: 'Stop the other daemon, or give this one a --run-dir of its own.',
      data: { path },
    });
  }
  await unlink(path);
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error) => {
      const errno = errnoOf(error);
      if (errno === 'ECONNREFUSED' || errno === 'ENOENT') resolve(false);
      // A full backlog: somebody listens who has no time.
      else if (errno === 'EAGAIN') resolve(true);
      else reject(listenError(path, error));
    });
  });
}

function listenError(path: string, error: unknown): AgentError {
  const errno = errnoOf(error);
  if (errno === undefined || error instanceof AgentError) return toAgentError(error);
  const code = errno === 'EADDRINUSE' ? 'LISTEN_FAILED' : 'RUN_DIR_UNUSABLE';
  return new AgentError(code, `cannot listen on ${path}: ${errno}`, {
    cause: error,
    data: { path, errno },
  });
}
