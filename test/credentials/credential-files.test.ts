import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { lstatSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { mountKey } from '../../agent/mount-key.ts';
import type { Resource } from '../../agent/resource.ts';
import { Session, resourceOf } from './session.ts';

const WEB = 'github_pat_canary1Web';
const API = 'github_pat_canary2Api';
const GHE = 'ghp_canary3Enterprise';

let session: Session;
afterEach(() => {
  session.remove();
});

function resources(web = WEB, api = API, ghe = GHE): Resource[] {
  return [
    resourceOf({ url: 'https://github.com/acme/web', mountPath: '/app/web', token: web }),
    resourceOf({ url: 'https://github.com/acme/api', mountPath: '/app/api', token: api }),
    resourceOf({ url: 'https://ghe.example/acme/web', mountPath: '/app/ghe', token: ghe }),
  ];
}

const key = (name: string): string => mountKey(`/app/${name}`);
const inRun = (...names: readonly string[]): string => join(session.runDirectory, ...names);
const contentOf = (...names: readonly string[]): string => readFileSync(inRun(...names), 'utf8');

/** Every file in the run directory, by its path in it. */
function filesInRun(): string[] {
  return readdirSync(session.runDirectory, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(session.runDirectory.length + 1))
    .sort();
}

describe('write()', () => {
  it('makes exactly these files, for nobody but their owner', async () => {
    session = new Session();
    await session.files.write(resources());
    expect(filesInRun()).toEqual(
      [
        ...['web', 'api', 'ghe'].flatMap((name) => [
          `credentials/${key(name)}`,
          `credentials/${key(name)}.gitconfig`,
        ]),
        ...[
          'env',
          'gitconfig',
          'system.gitconfig',
          'credentials/gitconfig',
          'gh/known-tokens',
          'gh/table',
        ],
        ...[`gh/${key('ghe')}/config.yml`, `gh/${key('ghe')}/hosts.yml`],
      ].sort(),
    );
    for (const name of filesInRun()) expect(lstatSync(inRun(name)).mode & 0o7777).toBe(0o600);
    for (const name of ['.', 'credentials', 'gh', `gh/${key('ghe')}`]) {
      expect(lstatSync(inRun(name)).mode & 0o7777).toBe(0o700);
    }
  });

  it('announces each token before it stands in a file', async () => {
    session = new Session({
      onToken: (token) => {
        expect(() => filesInRun()).toThrow('ENOENT');
        session.announced.push(token.reveal());
      },
    });
    await session.files.write(resources());
    expect(session.announced).toEqual([WEB, API, GHE]);
  });

  it('removes what an earlier run left: half-written files and tokens of other mounts', async () => {
    session = new Session();
    await session.files.write(resources());
    const left = ['.new-0', 'credentials/.new-1', `gh/${key('ghe')}/.new-2`, 'gh/.new-3'];
    const strange = ['credentials/old-000', 'gh/old-000'];
    for (const name of [...left, ...strange]) writeFileSync(inRun(name), WEB);
    writeFileSync(inRun('status.json'), 'of another part of the daemon');
    const before = filesInRun().filter((name) => ![...left, ...strange].includes(name));
    await session.files.write(resources());
    expect(filesInRun()).toEqual(before);
    expect(before).toContain('status.json');
  });

  it('refuses a run directory, or a directory in it, that leads elsewhere', async () => {
    for (const name of ['', 'credentials', 'gh']) {
      session = new Session({}, null, ['at', 'run']);
      const elsewhere = session.directory('elsewhere');
      session.directory('at', ...(name === '' ? [] : ['run']));
      symlinkSync(elsewhere, inRun(name).replace(/\/$/, ''));
      await expect(session.files.write(resources())).rejects.toMatchObject({
        code: 'RUN_DIR_UNUSABLE',
      });
      expect(readdirSync(elsewhere)).toEqual([]);
      expect(session.announced).toHaveLength(3);
      session.remove();
    }
  });

  it('refuses a run directory that is a file', async () => {
    session = new Session();
    writeFileSync(session.runDirectory, '');
    await expect(session.files.write(resources())).rejects.toMatchObject({
      code: 'RUN_DIR_UNUSABLE',
      data: { path: session.runDirectory },
    });
  });

  it('replaces a file that somebody made a link, without following it', async () => {
    session = new Session();
    await session.files.write(resources());
    const target = join(session.root, 'target');
    writeFileSync(target, 'untouched');
    rmSync(inRun('env'));
    symlinkSync(target, inRun('env'));
    await session.files.write(resources());
    expect(readFileSync(target, 'utf8')).toBe('untouched');
    expect(lstatSync(inRun('env')).isFile()).toBe(true);
  });

  it.runIf(process.getuid?.() === 0)('gives everything to the owner of the clones', async () => {
    session = new Session({ owner: { uid: 4242, gid: 4343 } });
    await session.files.write(resources());
    for (const name of ['.', 'credentials', 'gh', ...filesInRun()]) {
      const { uid, gid } = lstatSync(inRun(name));
      expect([uid, gid]).toEqual([4242, 4343]);
    }
  });
});

describe('rotate()', () => {
  it('leaves the earlier token in no file, but its digest', async () => {
    session = new Session();
    await session.files.write(resources());
    await session.files.rotate(resources('github_pat_canary4New'));
    for (const name of filesInRun()) expect(contentOf(name), name).not.toContain(WEB);
    expect(contentOf('credentials', key('web'))).toBe('github_pat_canary4New\n');
    expect(contentOf('env')).toContain('GH_TOKEN=github_pat_canary4New\n');
    const digest = createHash('sha256').update(WEB).digest('hex');
    expect(contentOf('gh', 'known-tokens').split('\n')).toContain(digest);
    expect(session.environment()['GH_TOKEN']).toBe('github_pat_canary4New');
  });

  it('keeps the newest digests only, the tokens in use among them', async () => {
    session = new Session();
    await session.files.write(resources('canary-old'));
    const file = inRun('gh', 'known-tokens');
    const earlier = Array.from({ length: 5000 }, (_, at) => String(at).padStart(64, '0'));
    writeFileSync(file, [readFileSync(file, 'utf8').trim(), ...earlier, ''].join('\n'));
    await session.files.rotate(resources('canary-old'));
    const kept = contentOf('gh', 'known-tokens').trim().split('\n');
    const digest = createHash('sha256').update('canary-old').digest('hex');
    expect(kept.slice(0, -3)).toEqual(earlier.slice(-4093));
    expect(kept.at(-3)).toBe(digest);
  });

  it('moves the token that serves outside the mounts with the tokens', async () => {
    session = new Session();
    await session.files.write(resources());
    const outside = (): Promise<string | null> =>
      session.passwordFor('https://github.com/a/b', session.root);
    expect(await outside()).toBeNull();
    await session.files.rotate(resources(WEB, WEB));
    expect(await outside()).toBe(WEB);
    await session.files.rotate(resources(WEB, API));
    expect(await outside()).toBeNull();
  });

  it('of many at once leaves the last', async () => {
    session = new Session();
    await session.files.write(resources());
    await Promise.all(
      Array.from({ length: 10 }, (_, at) => session.files.rotate(resources(`canary-web-${at}`))),
    );
    expect(contentOf('credentials', key('web'))).toBe('canary-web-9\n');
    expect(contentOf('env')).toContain('canary-web-9');
  });

  it('goes on after one that failed', async () => {
    session = new Session();
    await session.files.write(resources());
    rmSync(inRun('gh'), { recursive: true });
    writeFileSync(inRun('gh'), '');
    await expect(session.files.rotate(resources('canary-1'))).rejects.toThrow();
    rmSync(inRun('gh'));
    await session.files.rotate(resources('canary-2'));
    expect(contentOf('credentials', key('web'))).toBe('canary-2\n');
  });
});

/** Raised for a campaign: npm run rotations */
const ROTATIONS = Number(process.env['ROTATIONS'] ?? 50);

it(
  'readers of every file see the old content or the new one, never a torn or an empty file',
  { timeout: 60_000 + ROTATIONS * 200 },
  async () => {
    session = new Session();
    const tokens = (n: number): Resource[] =>
      resources(
        ...['web', 'api', 'ghe'].map((name) => `canary-${name}-${'x'.repeat(n % 97)}-${n}-end`),
      );
    await session.files.write(tokens(0));
    const whole = String.raw`^(canary-\w+-x*-\d+-end)$`;
    const readers = [
      reader(`cat ${inRun('credentials', key('web'))}`, whole),
      reader(`cat ${inRun('credentials', key('api'))}`, whole),
      reader(`grep -o canary.*-end ${inRun('gh', key('ghe'), 'hosts.yml')}`, whole),
      reader(`(. ${inRun('env')}; echo "$GH_TOKEN")`, whole),
      reader(`tail -n 1 ${inRun('gh', 'table')}`, String.raw`^default\t\S+\tghe\.example\t-$`),
      reader(`git config --file ${inRun('gitconfig')} push.default`, '^simple$'),
      reader(
        `cat ${inRun('gh', key('ghe'), 'config.yml')} | tr '\\n' ' '`,
        '^version: "1" .*disabled',
      ),
      reader(
        `printf 'protocol=https\\nhost=github.com\\n' | git -c credential.helper= -c include.path=${inRun('credentials', `${key('web')}.gitconfig`)} credential fill | sed -n s/^password=//p`,
        whole,
      ),
    ];
    await Promise.all(readers.map(({ begun }) => begun));
    const startedAt = performance.now();
    for (let n = 1; n <= ROTATIONS; n++) await session.files.rotate(tokens(n));
    const rotationMs = (performance.now() - startedAt) / ROTATIONS;
    const outcomes = await Promise.all(readers.map(({ end }) => end()));
    if (ROTATIONS >= 1000) {
      const reads = outcomes.map((outcome) => outcome.reads).join(' + ');
      console.log(`${ROTATIONS} rotations of ${rotationMs.toFixed(1)} ms each; reads: ${reads}`);
    }
    for (const { reads, bad } of outcomes) {
      expect(bad).toEqual([]);
      expect(reads).toBeGreaterThan(5);
    }
  },
);

interface Reader {
  readonly begun: Promise<unknown>;
  readonly end: () => Promise<{ readonly reads: number; readonly bad: readonly string[] }>;
}

/** A process of its own that runs `command` over and over, each time with one line of output. */
function reader(command: string, expected: string): Reader {
  const script = `while read -r go; do answer=$( ${command} ) || answer=failed; echo "$answer"; done`;
  const child: ChildProcess = spawn('sh', ['-c', script], {
    env: { PATH: process.env['PATH'], HOME: session.home, GIT_CONFIG_NOSYSTEM: '1' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const pattern = new RegExp(expected);
  const bad: string[] = [];
  let reads = 0;
  let ending = false;
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    // One line for each question, an empty one when the file was.
    for (const line of text.split('\n').slice(0, -1)) {
      if (!pattern.test(line)) bad.push(line);
      reads += 1;
    }
    if (!ending) child.stdin?.write('go\n');
    else child.stdin?.end();
  });
  child.stdin?.write('go\n');
  return {
    begun: once(child.stdout ?? child, 'data'),
    end: async () => {
      ending = true;
      await once(child, 'exit');
      return { reads, bad };
    },
  };
}
