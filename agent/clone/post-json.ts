/**
 * One JSON text to a URL that the operator named (a webhook), by the same way as a clone: proxy and
 * certificates. Enters: URL, body, headers. Leaves: nothing after a 2xx, else an error
 * that names the host and never the path, which is often the secret of the receiver.
 */
import type { IncomingMessage } from 'node:http';
import { AgentError, TransportError, errnoOf } from '../errors.ts';
import { reasonOf } from '../lifetime.ts';
import { targetOf } from './host-request.ts';
import type { HostContext } from './host-request.ts';
import { errorOfNetwork, retryAt } from './transport-errors.ts';

export interface JsonMessage {
  readonly url: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** @throws TransportError (transient or not), WARNING_UNDELIVERED, the signal's reason. */
export async function postJson(message: JsonMessage, context: HostContext): Promise<void> {
  const timeout = AbortSignal.timeout(context.timeoutMs);
  const signal = AbortSignal.any([context.signal, timeout]);
  const url = new URL(message.url);
  try {
    const answer = await post(message, url, { ...context, signal });
    const { statusCode: status = 0, headers } = answer;
    // What else it says is of no use here, and is not waited for.
    answer.destroy();
    if (status < 200 || status > 299) throw refusedBy(url.host, status, headers);
  } catch (error) {
    if (context.signal.aborted) throw reasonOf(context.signal);
    if (timeout.aborted) {
      const words = `${url.host} did not answer within ${context.timeoutMs} ms`;
      throw new TransportError('TRANSPORT_TIMEOUT', words, { cause: error });
    }
    if (error instanceof AgentError || errnoOf(error) === undefined) throw error;
    throw errorOfNetwork(error, url.host, false);
  }
}

async function post(
  { body, headers }: JsonMessage,
  url: URL,
  context: HostContext,
): Promise<IncomingMessage> {
  const { signal } = context;
  const target = await targetOf(url, context);
  const client =
    target.protocol === 'https:' ? await import('node:https') : await import('node:http');
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const request = client.request({
      ...target,
      method: 'POST',
      agent: false,
      signal,
      headers: {
        ...headers,
        ...target.headers,
        host: url.host,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      },
    });
    request.once('response', (answer) => {
      // Whatever happens to the connection from here on: the status is there.
      answer.on('error', () => undefined);
      resolve(answer);
    });
    request.once('error', reject);
    request.end(body);
  });
}

function refusedBy(
  host: string,
  status: number,
  headers: Readonly<Record<string, string | string[] | undefined>>,
): AgentError {
  const message = `${host} answered ${status} to the warning`;
  const options = { data: { status }, ...retryAt({ status, headers, nowMs: Date.now() }) };
  if (status === 429) return new TransportError('TRANSPORT_RATE_LIMITED', message, options);
  if (status === 408 || status === 425 || status >= 500) {
    return new TransportError('TRANSPORT_SERVER_ERROR', message, options);
  }
  return new AgentError('WARNING_UNDELIVERED', message, options);
}
