/**
 * The host as a process of its own: options as JSON in the first argument, calls as messages from
 * the parent, which host-process.ts sends. Ends with its parent.
 */
import { startHost } from './host.ts';
import type { Host, HostOptions } from './host.ts';

/** The methods of a host that can be called from another process, and their arguments. */
export type RemoteCall = {
  [Method in 'addRepository' | 'revokeToken' | 'throttle' | 'record' | 'replay']: {
    readonly method: Method;
    readonly args: Parameters<Host[Method]>;
  };
}[keyof Pick<Host, 'addRepository' | 'revokeToken' | 'throttle' | 'record' | 'replay'>];

export type RemoteRequest = RemoteCall | { readonly method: 'state'; readonly args: readonly [] };

/** What `state` gives back. */
export type RemoteState = Pick<Host, 'requests' | 'pullRequests' | 'unanswered'>;

const host = await startHost(JSON.parse(process.argv[2] ?? '{}') as HostOptions);
process.send?.({ port: host.port, environment: host.environment });
process.on('message', ({ id, call }: { id: number; call: RemoteRequest }) => {
  try {
    process.send?.({ id, result: answer(call) });
  } catch (error) {
    process.send?.({ id, error: String(error) });
  }
});
process.once('disconnect', () => {
  void host[Symbol.asyncDispose]();
});

function answer(call: RemoteRequest): RemoteState | null {
  if (call.method === 'state') {
    const { requests, pullRequests, unanswered } = host;
    return { requests, pullRequests, unanswered };
  }
  (host[call.method] as (...args: readonly unknown[]) => void)(...call.args);
  return null;
}
