/**
 * What a soak plays on: a loopback GitHub, so many repositories with a token each, and a manifest that
 * is dropped anew with each rotation. `repositories/rN` holds `origin.git`, `sub.git` and the mount
 * `work`, as the steps of test/work/ expect it; the last one stands on a small disk where that can be.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mountKey } from '../../agent/mount-key.ts';
import { CLEAN_GIT_ENVIRONMENT } from '../fixtures/cache.ts';
import { startHost } from '../host/host.ts';
import type { FaultHandle, Fault, FaultMatch, FaultOptions } from '../host/faults.ts';
import type { Host } from '../host/host.ts';
import { Gaps } from './gaps.ts';
import { createTemplate } from '../work/scratch-repository.ts';

const OWNER = 'acme';
const SMALL_DISK = 'size=48m';
/** Some repositories send more than one packet. */
const BULK_BYTES = 700_000;

export interface SoakRepository {
  readonly name: string;
  readonly base: string;
  readonly mountPath: string;
  readonly url: string;
  /** Every token that it ever had, the one in the manifest last. */
  readonly tokens: string[];
  /** True while a push or a fetch may fail for a reason that the soak has given. */
  isTroubled: boolean;
  readonly isOnSmallDisk: boolean;
}

export class SoakStage implements AsyncDisposable {
  readonly directory: string;
  readonly host: Host;
  readonly repositories: SoakRepository[] = [];
  readonly gaps = new Gaps();
  readonly #faults = new Set<FaultHandle>();
  #smallDisk: string | null = null;
  #rotations = 0;

  private constructor(host: Host) {
    this.host = host;
    // Short: a socket's path has 107 bytes.
    this.directory = mkdtempSync(join(tmpdir(), 'soak-'));
  }

  static async open(count: number): Promise<SoakStage> {
    const stage = new SoakStage(await startHost());
    for (const name of ['home', 'orchestrator']) mkdirSync(join(stage.directory, name));
    const template = createTemplate();
    for (let at = 0; at < count; at++) stage.#add(`r${at}`, template, at);
    rmSync(template, { recursive: true });
    stage.dropManifest();
    return stage;
  }

  get runDir(): string {
    return join(this.directory, 'run');
  }

  /** The daemon's --rescue-dir, on a disk that is never lost. */
  get shelf(): string {
    return join(this.directory, 'shelf');
  }

  get manifestPath(): string {
    return join(this.directory, 'orchestrator', 'manifest.json');
  }

  get tokens(): string[] {
    return this.repositories.flatMap(({ tokens }) => tokens);
  }

  tokenFile({ mountPath }: SoakRepository): string {
    return join(this.runDir, 'credentials', mountKey(mountPath));
  }

  /** For the daemon: nothing of this machine's configuration, everything through the host. */
  get environment(): Record<string, string> {
    return {
      ...CLEAN_GIT_ENVIRONMENT,
      GIT_CONFIG_NOSYSTEM: '',
      ...this.host.environment,
      HOME: join(this.directory, 'home'),
    };
  }

  /** For whoever works in a mount: as the daemon's command has it. */
  get userEnvironment(): Record<string, string> {
    return { ...this.environment, GIT_CONFIG_SYSTEM: join(this.runDir, 'system.gitconfig') };
  }

  /** A new token that the host takes; the manifest does not have it yet. */
  renewToken(repository: SoakRepository): string {
    this.#rotations += 1;
    const token = `github_pat_soak_${repository.name}_${this.#rotations}_0123456789abcdef`;
    const grant = { token, login: repository.name, permissions: 'write' } as const;
    this.host.grantToken(OWNER, repository.name, grant);
    repository.tokens.push(token);
    return token;
  }

  /** As an orchestrator does it: written aside, then renamed. */
  dropManifest(text = this.manifest()): void {
    writeFileSync(`${this.manifestPath}.new`, text, { mode: 0o600 });
    renameSync(`${this.manifestPath}.new`, this.manifestPath);
  }

  manifest(): string {
    const resources = this.repositories.map(({ url, mountPath, tokens }) => ({
      type: 'github_repository',
      url,
      mount_path: mountPath,
      authorization_token: tokens.at(-1),
    }));
    return JSON.stringify({ session_id: 'sess_soak', resources });
  }

  fault(repository: SoakRepository, match: FaultMatch, fault: Fault, options: FaultOptions): void {
    repository.isTroubled = true;
    this.#faults.add(this.host.fault({ ...match, name: repository.name }, fault, options));
  }

  /** @returns how many requests the faults have hit. */
  clearFaults(): number {
    let hits = 0;
    for (const fault of this.#faults) {
      hits += fault.hits;
      fault.remove();
    }
    this.#faults.clear();
    return hits;
  }

  /** Questions about refs or packs that the host was asked. */
  get fetches(): number {
    return this.host.requests.filter(({ service }) => service === 'git-upload-pack').length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.gaps[Symbol.dispose]();
    await this.host[Symbol.asyncDispose]();
    if (this.#smallDisk !== null) execFileSync('umount', ['--lazy', this.#smallDisk]);
    rmSync(this.directory, { recursive: true, force: true });
  }

  #add(name: string, template: string, at: number): void {
    const base = join(this.directory, 'repositories', name);
    mkdirSync(base, { recursive: true });
    const isOnSmallDisk = this.#smallDisk === null && at === 1 && mountSmallDisk(base);
    if (isOnSmallDisk) this.#smallDisk = base;
    for (const bare of ['origin.git', 'sub.git']) {
      cpSync(join(template, bare), join(base, bare), { recursive: true });
    }
    const bareDir = join(base, 'origin.git');
    if (at % 3 === 0) addBulk(bareDir);
    this.host.addRepository({ owner: OWNER, name, bareDir, tokens: [] });
    const url = this.host.url(OWNER, name);
    const mountPath = join(base, 'work');
    const repository = { name, base, mountPath, url, tokens: [], isTroubled: false, isOnSmallDisk };
    this.repositories.push(repository);
    this.renewToken(repository);
  }
}

/** Only root can. */
function mountSmallDisk(directory: string): boolean {
  if (process.getuid?.() !== 0) return false;
  execFileSync('mount', ['-t', 'tmpfs', '-o', SMALL_DISK, 'none', directory]);
  return true;
}

/** A branch with a file that does not compress. */
function addBulk(bareDir: string): void {
  const text = Buffer.alloc(BULK_BYTES);
  for (let at = 0, word = 1; at < BULK_BYTES; at++) {
    word = (Math.imul(word, 1_103_515_245) + 12_345) >>> 0;
    text[at] = word >>> 16;
  }
  const header =
    'commit refs/heads/bulk\ncommitter A <a@example.com> 1700000000 +0000\ndata 4\nbulk\n';
  const file = `M 100644 inline bulk.bin\ndata ${BULK_BYTES}\n`;
  const input = Buffer.concat([Buffer.from(header + file), text, Buffer.from('\n')]);
  const env = { ...CLEAN_GIT_ENVIRONMENT };
  execFileSync('git', [`--git-dir=${bareDir}`, 'fast-import', '--quiet'], { input, env });
}
