/** The first member of a rescue: whose it is, of when, and what it holds. */
import { readOperation } from '../repository/operation.ts';
import { VERSION } from '../version.ts';
import type { CaptureContext } from './capture.ts';
import type { Certain } from './certain.ts';
import { countsOf } from './counts.ts';
import type { CountedPart } from './counts.ts';
import { FORMAT, FORMAT_VERSION } from './format.ts';
import type { RescueHeader } from './format.ts';
import { withoutUserinfo } from './remote-url.ts';

export function headerOf(
  { url, mountPath, sessionId, includeIgnored, selfContained }: CaptureContext,
  createdAt: string,
  parts: readonly (CountedPart & { readonly certain: Certain })[],
): RescueHeader {
  const own = parts[0];
  return {
    format: FORMAT,
    version: FORMAT_VERSION,
    url: withoutUserinfo(url),
    mount_path: mountPath,
    session_id: sessionId,
    created_at: createdAt,
    agent_version: VERSION,
    head: own?.surveyed.head ?? { ref: null, oid: null },
    operation: own === undefined ? null : readOperation(own.surveyed.repository.gitdir),
    remote: own?.certain.trust ?? 'none',
    include_ignored: includeIgnored,
    self_contained: selfContained,
    counts: countsOf(parts),
  };
}
