/** What the soak's users can be asked to do, and the answer; between users.ts and user.ts. */
import { STEPS } from '../work/steps.ts';

export type Work =
  | { readonly kind: 'step'; readonly base: string; readonly name: string; readonly pick: number }
  | { readonly kind: 'put away'; readonly base: string };

export interface WorkRequest {
  readonly id: number;
  readonly work: Work;
}

export interface WorkAnswer {
  readonly id: number;
  readonly error?: string;
}

export const SUBMODULE_STEP = 'submodule by path';
/** The remote is reached by http here, so these would do nothing. */
const POINTLESS = new Set(['push', 'submodule', 'fetch after somebody else pushed']);
export const STEP_NAMES = [
  ...Object.keys(STEPS).filter((name) => !POINTLESS.has(name)),
  SUBMODULE_STEP,
];
