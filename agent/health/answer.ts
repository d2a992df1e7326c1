/**
 * One HTTP answer, from values to bytes. In: a status, a type and a text; out: headers and body on
 * the wire. Every body passes through `redact` here, so that no route can leave it out.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Takes known secrets out of a text. */
export type Redact = (text: string) => string;

const COMMON_HEADERS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  // A page that embeds an answer as an image or script must not even get its bytes.
  'cross-origin-resource-policy': 'same-origin',
};

/** `https://user:secret@host` in a message of somebody else: the part before the `@`. */
const URL_USERINFO = /(?<=:\/\/)[^/\s"'@]*@/g;

export function jsonAnswer(status: number, value: unknown, type = 'application/json'): Answer {
  return { status, type, body: `${JSON.stringify(value)}\n` };
}

/** A refusal names its reason and ends the connection: what follows on it is not trusted. */
export function refusal(
  status: number,
  code: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  return {
    ...jsonAnswer(status, { error: { code, message } }),
    headers: { ...headers, connection: 'close' },
  };
}

/** Writes the answer; the body is left out for HEAD, its length is not. */
export function send(
  request: IncomingMessage,
  response: ServerResponse,
  answer: Answer,
  redact: Redact,
): void {
  const body = Buffer.from(redact(answer.body.replace(URL_USERINFO, '')));
  response.writeHead(answer.status, {
    ...COMMON_HEADERS,
    'content-type': answer.type,
    'content-length': body.length,
    ...answer.headers,
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}
