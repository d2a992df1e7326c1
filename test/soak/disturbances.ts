/**
 * What happens to the daemon and its host while people work: faults of the host, rotations, manifests
 * that cannot be read, ends and new starts. Each is one function of the soak's parts and its chance.
 */
import type { Fault, FaultMatch } from '../host/faults.ts';
import type { Random } from '../fuzz/random.ts';
import { readFileSync } from 'node:fs';
import { AgentError, errnoOf } from '../../agent/errors.ts';
import { requestControl } from '../../agent/health/control-client.ts';
import { listRescues } from '../../agent/rescue/shelf.ts';
import { FLAGS, pause } from './daemon.ts';
import type { SoakRepository } from './stage.ts';
import type { Soak } from './soak-run.ts';

/** A rotation that nobody noticed by then was missed. */
const NOTICED_WITHIN_MS = 30_000;
/** Then the daemon gives up on itself, half a second before the platform would. */
const ENDS_WITHIN_MS = 9_400;
/** Comes on top where there is a --rescue-dir. */
const RESCUES_WITHIN_MS = FLAGS.rescueTimeoutSeconds * 1000;

export type Disturbance = (soak: Soak, random: Random) => Promise<void> | void;

const RECEIVE: FaultMatch = { service: 'git-receive-pack' };
const UPLOAD: FaultMatch = { service: 'git-upload-pack' };
const EXCHANGE: FaultMatch = { ...UPLOAD, phase: 'exchange' };

/** Faults of a host that pass by themselves, and one that does not. */
export function randomFault(random: Random): readonly [FaultMatch, Fault, times: number] {
  const times = 1 + random.below(3);
  const either = random.chance(0.6) ? UPLOAD : RECEIVE;
  switch (random.below(8)) {
    case 0:
      return [either, { type: 'status', status: random.pick([500, 502, 503, 504]) }, times];
    case 1:
      return [EXCHANGE, { type: 'cut', afterBytes: random.below(30_000) }, times];
    case 2:
      return [EXCHANGE, { type: 'corrupt', atByte: 100 + random.below(2000) }, times];
    case 3:
      return [either, { type: 'rate-limited', retryAfterSeconds: 1 }, 1];
    case 4:
      return [UPLOAD, { type: 'html' }, 1];
    case 5:
      return [either, { type: 'unauthorized' }, 2];
    case 6:
      // A transfer that stands still is given up after a minute: once is enough.
      return random.chance(0.3)
        ? [EXCHANGE, { type: 'stall', afterBytes: random.below(2000) }, 1]
        : [either, { type: 'not-found' }, 1];
    default:
      return [{ service: 'rest' }, { type: 'status', status: 503 }, times];
  }
}

function faultOfTheHost(soak: Soak, random: Random): void {
  const [match, fault, times] = randomFault(random);
  soak.stage.fault(random.pick(soak.stage.repositories), match, fault, { times });
}

async function rotate(soak: Soak, random: Random): Promise<void> {
  const { stage, daemon } = soak;
  const repository = random.pick(stage.repositories);
  const old = repository.tokens.at(-1) ?? '';
  const expired = random.chance(0.3);
  if (expired) repository.isTroubled = true;
  if (expired) stage.host.revokeToken(old);
  stage.renewToken(repository);
  stage.dropManifest();
  // Else it is noticed by itself.
  const how = random.below(4);
  if (how === 0) daemon.signal('SIGHUP');
  if (how === 1) await daemon.call('rotate');
  await noticed(soak, repository);
  // A push that began before still has the old one in its hands.
  repository.isTroubled = true;
  if (!expired) stage.host.revokeToken(old);
}

async function noticed(soak: Soak, repository: SoakRepository): Promise<void> {
  const { stage, daemon } = soak;
  const token = repository.tokens.at(-1) ?? '';
  const { gaps } = stage;
  const deadline = gaps.now() + NOTICED_WITHIN_MS;
  while (readOrNull(stage.tokenFile(repository)) !== `${token}\n`) {
    if (!daemon.isUp) return;
    if (gaps.now() > deadline) {
      soak.violation('rotation', `${repository.name}: not in force after ${NOTICED_WITHIN_MS} ms`);
      return;
    }
    await pause(50);
  }
}

async function badManifest(soak: Soak, random: Random): Promise<void> {
  const { stage } = soak;
  const whole = stage.manifest();
  const bad = random.pick([
    whole.slice(0, random.below(whole.length)),
    whole.replace('"url"', '"ulr"'),
    whole.replaceAll('/work"', '/work2"'),
    '',
  ]);
  stage.dropManifest(bad);
  await pause(500 + random.below(1500));
  stage.dropManifest();
}

/** While people work. */
async function restart(soak: Soak, random: Random): Promise<void> {
  await soak.restart(random.chance(0.5) ? 'SIGTERM' : 'SIGKILL');
}

export async function endByTerm(soak: Soak): Promise<void> {
  const { gaps } = soak.stage;
  const [began, gapsBefore] = [gaps.now(), gaps.count];
  soak.gauges.ending();
  soak.daemon.signal('SIGTERM');
  const late = pause(180_000).then(() => null);
  const ended = await Promise.race([soak.daemon.ended, late]);
  const tookMs = gaps.now() - began;
  const mayTakeMs = ENDS_WITHIN_MS + (soak.daemon.shelf === 'none' ? 0 : RESCUES_WITHIN_MS);
  // The daemon's own clock went on: it may have given up on what had no time.
  if (gaps.count !== gapsBefore) {
    await soak.daemon.kill();
    return;
  }
  if (ended === null) {
    soak.violation('I8', 'did not end within 180 s of SIGTERM');
    await soak.daemon.kill();
  } else if (ended !== 143) soak.violation('I8', `ended with ${ended} after SIGTERM, not with 143`);
  else if (tookMs > mayTakeMs) {
    const log = soak.daemon.lastRecords.join('\n  ');
    soak.violation('I8', `took ${tookMs.toFixed(0)} ms to end; the log ends with\n  ${log}`);
  }
  if (soak.daemon.shelf === 'none') soak.endsMs.push(tookMs);
  else soak.savingEndsMs.push(tookMs);
}

/** While people work: what is saved then is of more than one moment, but it is whole. */
async function rescueOnRequest(soak: Soak, random: Random): Promise<void> {
  const { stage, daemon } = soak;
  const gapsBefore = stage.gaps.count;
  try {
    await requestControl(stage.runDir, 'POST', '/rescue', { timeoutMs: 120_000 });
  } catch (error) {
    const code = error instanceof AgentError ? error.code : 'INTERNAL';
    const isExpected = daemon.shelf === 'none' && code === 'RESCUE_NO_DIRECTORY';
    // The time limit of the question runs on in a gap.
    const isLate = stage.gaps.count > gapsBefore && code === 'DAEMON_UNREACHABLE';
    if (!isExpected && !isLate)
      soak.violation('I6', `rescue on request: ${code}: ${String(error)}`);
    return;
  }
  const [newest] = await listRescues(stage.shelf, random.pick(stage.repositories));
  if (newest === undefined) return;
  const verdict = await daemon.call('rescue', '--verify', newest.file);
  if (verdict !== 0) soak.violation('I6', `${newest.file} is not whole: ended with ${verdict}`);
  else soak.rescuesVerified += 1;
}

/** For a daemon that goes on, and for one that is started anew now and then. */
export const GOING_ON: readonly Disturbance[] = [
  faultOfTheHost,
  faultOfTheHost,
  faultOfTheHost,
  rotate,
  rotate,
  badManifest,
  rescueOnRequest,
];
export const ENDING: readonly Disturbance[] = [...GOING_ON, restart, restart];

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
}
