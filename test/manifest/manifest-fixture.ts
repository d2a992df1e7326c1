/** What the manifest's tests start from: one good entry, a context, and the faults of a bad one. */
import { InvalidManifestError } from '../../agent/manifest/faults.ts';
import type { Fault } from '../../agent/manifest/faults.ts';
import { parseManifest } from '../../agent/manifest/parse-manifest.ts';
import type { ManifestContext } from '../../agent/manifest/parse-manifest.ts';

export const CANARY = 'github_pat_11CANARY0_doNotShowThisInAnyMessage';

export const CONTEXT: ManifestContext = {
  mountRoot: '/app',
  home: '/home/agent',
  runDir: '/srv/mount-agent',
  allowHttp: false,
};

export function entry(change: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    type: 'github_repository',
    url: 'https://github.com/acme/web',
    authorization_token: CANARY,
    ...change,
  };
}

export function textOf(...resources: unknown[]): string {
  return JSON.stringify({ session_id: 'sess_1', resources });
}

export function faultsOf(text: Buffer | string, context = CONTEXT): readonly Fault[] {
  try {
    parseManifest(text, context);
  } catch (error) {
    if (error instanceof InvalidManifestError) return error.faults;
    throw error;
  }
  return [];
}
