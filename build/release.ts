/**
 * `npm run release [-- --node VERSION…]`: the tarball, and the proof that it is one. It is packed, then
 * installed into a clean prefix with each Node and run there: the version, the help, a completion, and
 * a real mount from the loopback host. Leaves it in .cache/release/, with its size and SHA-256.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { TOKENS, hostWithTwoRepositories } from '../test/host/host-fixture.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const OUT = join(ROOT, '.cache/release');
/** What may be in it: what package.json names, and what npm always adds. */
const EXPECTED = /^(dist|docs|deploy)\/|^(package\.json|README\.md|LICENSE|CHANGELOG\.md)$/;

const { values } = parseArgs({
  options: { node: { type: 'string', multiple: true, default: ['20', '24'] } },
});

interface Packed {
  readonly filename: string;
  readonly version: string;
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string }[];
}

async function pack(): Promise<Packed> {
  rmSync(OUT, { recursive: true, force: true });
  mkdirSync(OUT, { recursive: true });
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', OUT];
  const { stdout } = await run('npm', args, { cwd: ROOT, maxBuffer: 1 << 26 });
  const [packed] = JSON.parse(stdout) as [Packed];
  const odd = packed.files.map(({ path }) => path).filter((path) => !EXPECTED.test(path));
  if (odd.length > 0) throw new Error(`not expected in the tarball: ${odd.join(', ')}`);
  return packed;
}

/** The changelog has a section for the version. */
function checkChangelog(version: string): void {
  const text = readFileSync(join(ROOT, 'CHANGELOG.md'), 'utf8');
  if (!text.includes(`## [${version}]`)) throw new Error(`CHANGELOG.md has no section ${version}`);
}

/** A node of that version, from the registry unless it is the one that runs this. */
async function nodeOf(version: string): Promise<string> {
  if (process.version.startsWith(`v${version}.`)) return process.execPath;
  const args = [
    'exec',
    '--yes',
    `--package=node@${version}`,
    '--',
    'node',
    '-p',
    'process.execPath',
  ];
  const { stdout } = await run('npm', args, { cwd: tmpdir() });
  return stdout.trim().split('\n').at(-1) ?? '';
}

async function checkWith(node: string, tarball: string, version: string): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'mount-agent-release-'));
  await using two = await hostWithTwoRepositories();
  try {
    const prefix = join(directory, 'prefix');
    const install = ['install', '--global', '--prefix', prefix, '--no-audit', '--no-fund', tarball];
    await run('npm', install, { cwd: directory });
    const program = join(prefix, 'lib/node_modules/mount-agent/dist/main.js');
    const env = {
      PATH: process.env['PATH'] ?? '',
      HOME: directory,
      ...two.host.environment,
    };
    const call = async (...args: string[]): Promise<string> =>
      (await run(node, [program, ...args], { cwd: directory, env })).stdout;
    const said = (await call('--version')).trim();
    if (said !== version) throw new Error(`--version says ${said}, package.json ${version}`);
    if (!(await call('run', '--help')).includes('--manifest')) throw new Error('no --help');
    if (!(await call('completion')).includes('mount-agent')) throw new Error('no completion');
    const manifest = join(directory, 'manifest.json');
    const url = two.host.url('acme', 'web');
    const resource = { type: 'github_repository', url, authorization_token: TOKENS.web };
    writeFileSync(manifest, JSON.stringify({ resources: [resource] }), { mode: 0o600 });
    const places = ['--mount-root', join(directory, 'app'), '--run-dir', join(directory, 'run')];
    await call('mount', '--manifest', manifest, '--allow-http', ...places);
    const git = ['-C', join(directory, 'app/web'), 'rev-parse', 'HEAD'];
    const head = (await run('git', git, { env: { ...env, GIT_CONFIG_GLOBAL: '/dev/null' } }))
      .stdout;
    if (head.trim() !== two.fixture.headOid) throw new Error(`the mount is at ${head}`);
    const { stdout: nodeVersion } = await run(node, ['--version']);
    return `${nodeVersion.trim()}: installed, --version ${said}, mounted at ${head.slice(0, 10)}`;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const packed = await pack();
checkChangelog(packed.version);
const tarball = join(OUT, packed.filename);
const sha256 = createHash('sha256').update(readFileSync(tarball)).digest('hex');
writeFileSync(`${tarball}.sha256`, `${sha256}  ${packed.filename}\n`);
const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(2)} MB`;
console.log(
  `${packed.filename}: ${mb(statSync(tarball).size)}, ${mb(packed.unpackedSize)} unpacked`,
);
console.log(`sha256 ${sha256}`);
for (const version of values.node) {
  console.log(await checkWith(await nodeOf(version), tarball, packed.version));
}
