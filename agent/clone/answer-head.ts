/** Status and headers of an answer, as undici gives them: what the transport asks of them. */
import type { Dispatcher } from 'undici';

export function isRedirect({ statusCode }: Dispatcher.ResponseData): boolean {
  return [301, 302, 303, 307, 308].includes(statusCode);
}

/** The first of a header's values, or null. */
export function headerOf({ headers }: Dispatcher.ResponseData, name: string): string | null {
  const value = headers[name];
  return (Array.isArray(value) ? value[0] : value) ?? null;
}
