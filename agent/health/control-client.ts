/**
 * Asks the running daemon something through `agent.sock`. In: a run directory, a method, a path;
 * out: the JSON of its answer. An AgentError of the daemon is thrown here as the same AgentError;
 * no daemon, or none that answers in time, is DAEMON_UNREACHABLE.
 */
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { AgentError, ERROR_TABLE, errnoOf } from '../errors.ts';
import type { SerialisedError } from '../errors.ts';
import { reasonOf } from '../lifetime.ts';
import type { StatusSnapshot } from '../status.ts';
import { controlPath } from './control-path.ts';

export interface ControlOptions {
  /** For the whole exchange. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

const TIMEOUT_MS = 10_000;

/** A mount's status takes a few kB; an answer beyond this does not come from the daemon. */
const LONGEST_ANSWER_BYTES = 64 * 1024 * 1024;

export async function requestControl(
  runDir: string,
  method: 'GET' | 'POST',
  path: string,
  { timeoutMs = TIMEOUT_MS, signal }: ControlOptions = {},
): Promise<unknown> {
  const socketPath = controlPath(runDir);
  const timeout = AbortSignal.timeout(timeoutMs);
  const both = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  try {
    both.throwIfAborted();
    const response = await open(socketPath, method, path, both);
    const text = await readText(response);
    return answerOf(response.statusCode ?? 0, parse(text));
  } catch (error) {
    if (signal?.aborted === true) throw reasonOf(signal);
    if (timeout.aborted) {
      throw unreachable(socketPath, `no answer within ${timeoutMs} ms`, error);
    }
    const errno = errnoOf(error);
    if (errno === undefined || error instanceof AgentError) throw error;
    throw unreachable(socketPath, errno, error);
  }
}

/** `GET /status`. */
export async function fetchStatus(
  runDir: string,
  options: ControlOptions = {},
): Promise<StatusSnapshot> {
  // Trust: only a daemon of the same owner, or root, can have put the socket there.
  return (await requestControl(runDir, 'GET', '/status', options)) as StatusSnapshot;
}

function open(
  socketPath: string,
  method: string,
  path: string,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, method, path, signal, agent: false });
    outgoing.once('response', resolve);
    outgoing.once('error', reject);
    outgoing.end();
  });
}

async function readText(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > LONGEST_ANSWER_BYTES) {
      throw new AgentError(
        'INTERNAL',
        `expected an answer of at most ${LONGEST_ANSWER_BYTES} bytes from the daemon`,
      );
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new AgentError('INTERNAL', 'expected JSON from the daemon', { cause: error });
  }
}

function answerOf(status: number, body: unknown): unknown {
  if (status === 200) return body;
  const { error } = (body ?? {}) as { error?: Partial<SerialisedError> };
  const { code, message = `the daemon answered ${status}`, remedy, data, retryAtMs } = error ?? {};
  if (code === undefined || !Object.hasOwn(ERROR_TABLE, code)) {
    throw new AgentError('INTERNAL', message, { data: { status } });
  }
  throw new AgentError(code, message, {
    ...(remedy === undefined ? {} : { remedy }),
    ...(data === undefined ? {} : { data }),
    ...(retryAtMs === undefined || retryAtMs === null ? {} : { retryAtMs }),
  });
}

function unreachable(path: string, why: string, cause: unknown): AgentError {
  const message = `no daemon answers at ${path}: ${why}`;
  if (why !== 'EACCES') return new AgentError('DAEMON_UNREACHABLE', message, { cause });
  return new AgentError('DAEMON_UNREACHABLE', message, {
    cause,
    remedy: 'Run this as the owner of the run directory, or as root.',
  });
}
