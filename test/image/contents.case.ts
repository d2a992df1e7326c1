/**
 * What is in the images: versions, the user, what an engine is told; the layer's size, and README's
 * lines that put it into somebody else's image; start and memory of the daemon in the image.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bundledProgram } from '../setup/bundled-program.ts';
import { baseImage } from './base-image.ts';
import { buildFile, buildImage } from './build.ts';
import { Image } from './container.ts';
import { Platform, stop, untilWorked, work } from './platform.ts';
import { CACHE, ROOT } from './programs.ts';
import { bind } from './runtime-spec.ts';

const OURS = '/opt/mount-agent';
const LAYER_LIMIT_BYTES = 15e6;
const IDLE_LIMIT_MB = 70;
/** Of the barest Node server's, to the first answer: in processor time, which a busy machine leaves alone. */
const START_LIMIT = 2.5;
/** The oldest that README promises, as a distribution has them. */
const OTHERS = { suite: 'bookworm', node: '20.19.0' };

let image: Image;
beforeAll(() => {
  image = new Image(buildImage('runtime'));
});
afterAll(() => {
  image[Symbol.dispose]();
});

function inImage(...argv: string[]): string {
  return execFileSync('chroot', [image.root, ...argv], { encoding: 'utf8' }).trim();
}

it('has Node LTS, git, git-lfs, tini, and a gh that gives tokens to no other host', async () => {
  const versions = ['node', 'git', 'gh', 'git-lfs', 'tini', 'mount-agent'].map(
    (program) => inImage(program, '--version').split('\n', 1)[0],
  );
  console.log(versions.join('\n'));
  await using platform = await Platform.open(image);
  // With what a session gives its command, gh has no answer for a host that is not GitHub's.
  const ask = 'printf "protocol=https\\nhost=evil.example\\n" | gh auth git-credential get';
  const script = `test -n "$GH_TOKEN" && ${ask}; test $? = 1 && echo refused`;
  await using container = platform.start(['run', '--', 'sh', '-c', script]);
  expect(await container.exitCode).toBe(0);
  expect(container.stdout).toBe('refused\n');
});

it('tells an engine its user, entrypoint, probe, signal, port, volume and labels', () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    version: string;
  };
  expect(image.config).toMatchObject({
    User: 'agent',
    Entrypoint: ['tini', '--', 'mount-agent'],
    Cmd: ['run'],
    WorkingDir: '/app',
    StopSignal: 'SIGTERM',
    ExposedPorts: { '8484/tcp': {} },
    Volumes: { '/app': {} },
    Healthcheck: { Test: ['CMD', 'mount-agent', 'healthcheck'] },
  });
  expect(image.config.Labels).toMatchObject({
    'org.opencontainers.image.title': 'mount-agent',
    'org.opencontainers.image.version': version,
  });
});

it('the layer holds our files and nothing else, in 15 MB compressed', () => {
  using layer = new Image(buildImage('layer'));
  const listed = execFileSync('find', ['.', '-type', 'f'], { cwd: layer.root, encoding: 'utf8' });
  const strangers = listed
    .split('\n')
    .filter((path) => path !== '' && !path.startsWith(`.${OURS}/`));
  expect(strangers).toEqual([]);
  const tar = execFileSync('tar', ['-C', layer.root, '-cf', '-', 'opt'], { maxBuffer: 1 << 28 });
  const compressed = gzipSync(tar).length;
  console.log(
    `layer: ${(tar.length / 1e6).toFixed(2)} MB, gzip ${(compressed / 1e6).toFixed(2)} MB`,
  );
  expect(compressed).toBeLessThan(LAYER_LIMIT_BYTES);
});

it('the test target runs tests', async () => {
  using tests = new Image(buildImage('test'));
  await using platform = await Platform.open(tests);
  await using container = platform.start(
    ['vitest', 'run', 'test/manifest', 'test/log-pipe.test.ts'],
    {
      entrypoint: ['npx'],
    },
  );
  expect(await container.exitCode, container.stdout + container.stderr).toBe(0);
  expect(container.stdout).toMatch(/Tests .*\d+ passed/);
});

it('README’s lines put it into an image with Node 20 and an older git', async () => {
  const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const [, lines = ''] = /```dockerfile\n([\s\S]*?)```/.exec(readme) ?? [];
  expect(lines).toContain('COPY --from=mount-agent');
  const directory = join(CACHE, 'somebody');
  mkdirSync(directory, { recursive: true });
  const text = `FROM ${baseImage(OTHERS)}
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates git gh tini
RUN useradd --create-home agent
${lines.replace('--from=mount-agent', `--from=${buildImage('layer')}`)}`;
  writeFileSync(join(directory, 'Dockerfile'), text);
  const name = 'localhost/mount-agent-somebody';
  buildFile(join(directory, 'Dockerfile'), directory, name);
  using somebody = new Image(name);
  await using platform = await Platform.open(somebody);
  // README's entrypoint ends in `run --`; what the platform says goes through the environment.
  const command = work('theirs').slice(work('theirs').indexOf('--') + 1);
  await using container = platform.start(command, {
    env: { MOUNT_AGENT_GIT_USER: 'A U Thor <author@example.com>' },
  });
  await untilWorked(container);
  await stop(container);
});

it('answers /livez for 2.5 times a bare server’s start, and idles in 70 MB', async () => {
  const program = await bundledProgram("import './test/bench/start.ts';");
  await using platform = await Platform.open(image);
  const main = `${OURS}/dist/main.js`;
  await using container = platform.start(['/bench/stdin.mjs', '--main', main], {
    entrypoint: ['node'],
    mounts: [bind(dirname(program), '/bench', 'ro')],
  });
  expect(await container.exitCode, container.stderr).toBe(0);
  console.log(container.stdout);
  const figure = (pattern: RegExp): number => Number(pattern.exec(container.stdout)?.[1]);
  const bare = figure(/bare server.* CPU (\d+)/);
  expect(figure(/, \/livez.* CPU (\d+)/) / bare).toBeLessThanOrEqual(START_LIMIT);
  expect(figure(/ms: ([\d.]+) MB/)).toBeLessThanOrEqual(IDLE_LIMIT_MB);
});
