/** What a fuzzed input came to: ours, git's, and whether the two may differ. */
import { AgentError } from '../../agent/errors.ts';

export const ACCEPTED = 'accepted';
/** Longer than this is a hang, unless the process itself was kept waiting for a processor. */
const LONGEST_MS = 5_000;
const STARVED_MS = 60_000;

export interface Verdict {
  readonly how: string;
  readonly bytes: Buffer;
  /** `accepted`, an error code, or what no input may cause. */
  readonly ours: string;
  readonly accepted: boolean;
  /** A rule by which we refuse what git takes, or null where both agree. */
  readonly stricterBy: string | null;
  /** Said when the two must not differ and do; null else. */
  readonly disagreement: string | null;
}

export interface FuzzKind {
  readonly name: string;
  /** Share of all runs, in thousandths. */
  readonly share: number;
  readonly batch: number;
  /** Makes and judges the cases `first` to `first + count - 1` of a seed. */
  judge(seed: number, first: number, count: number): Promise<Verdict[]>;
}

/** @returns ACCEPTED or the code; a defect is given as `crash: …`, a hang as `hang`. */
export async function codeOf(work: () => unknown): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const startedMs = performance.now();
  const startedCpu = process.cpuUsage();
  const hang = new Promise<string>((resolve) => {
    const late = (): void => {
      const { user, system } = process.cpuUsage(startedCpu);
      const starved = (user + system) / 1000 < LONGEST_MS / 2;
      if (!starved || performance.now() - startedMs > STARVED_MS) resolve('hang');
      else timer = setTimeout(late, LONGEST_MS);
    };
    timer = setTimeout(late, LONGEST_MS);
  });
  const done = Promise.resolve()
    .then(work)
    .then(
      () => ACCEPTED,
      (error: unknown) => {
        if (error instanceof AgentError && error.code !== 'INTERNAL') return error.code;
        return `crash: ${String(error)}`;
      },
    );
  try {
    return await Promise.race([done, hang]);
  } finally {
    clearTimeout(timer);
  }
}

/** Compares; `stricterBy` names the documented rule that allows us to refuse what git takes. */
export function compare(
  { how, bytes }: Pick<Verdict, 'how' | 'bytes'>,
  ours: string,
  gitAccepts: boolean,
  stricterBy: string | null = null,
): Verdict {
  const accepted = ours === ACCEPTED;
  const defect = ours === 'hang' || ours.startsWith('crash');
  const differs = accepted !== gitAccepts;
  const excused = differs && !accepted && stricterBy !== null;
  const git = gitAccepts ? ACCEPTED : 'refused';
  return {
    how,
    bytes,
    ours,
    accepted,
    stricterBy: excused ? stricterBy : null,
    disagreement: defect || (differs && !excused) ? `ours: ${ours}, git: ${git}` : null,
  };
}
