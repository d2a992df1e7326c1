/**
 * A stand-in for the Dockerfile's BASE where no registry of images can be reached: Debian by
 * debootstrap from the mirror that apt on this machine is set to, Node and npm from the npm registry,
 * and the user "node" with uid 1000, as in Docker's official image. Cached by what goes into it.
 */
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { CACHE, ROOT, buildah, run } from './programs.ts';

/** To be raised with every change of what is done here. */
const RECIPE = 1;
const NPM_VERSION = '11.19.0';

export interface Base {
  /** A release of Debian. */
  readonly suite: string;
  readonly node: string;
}

/** What the Dockerfile pins, by name and version. */
export function pinnedBase(): Base {
  const text = readFileSync(`${ROOT}Dockerfile`, 'utf8');
  const [, node, suite] = /^ARG BASE=\S*node:([\d.]+)-(\w+)-slim@/m.exec(text) ?? [];
  if (node === undefined || suite === undefined) {
    throw new Error('the Dockerfile has no "ARG BASE=…node:VERSION-suite-slim@…"');
  }
  return { suite, node };
}

/** @returns the image's name in buildah's storage. */
export function baseImage({ suite, node }: Base): string {
  const key = createHash('sha256')
    .update(`${RECIPE} ${suite} ${node} ${NPM_VERSION}`)
    .digest('hex')
    .slice(0, 12);
  const name = `localhost/mount-agent-base:${key}`;
  if (buildah(['images', '-q', '--filter', `reference=${name}`]) !== '') return name;
  console.log(`base image: Debian ${suite}, Node ${node}`);
  const container = buildah(['from', 'scratch']);
  try {
    const root = buildah(['mount', container]);
    installDebian(root, suite);
    installNode(root, node);
    for (const at of [
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      `NODE_VERSION=${node}`,
    ]) {
      buildah(['config', '--env', at, container]);
    }
    buildah(['config', '--cmd', 'node', container]);
    buildah(['commit', '-q', container, name]);
  } finally {
    buildah(['rm', container]);
  }
  return name;
}

function installDebian(root: string, suite: string): void {
  const [mirror, security] = mirrors();
  run('debootstrap', ['--variant=minbase', '--include=libatomic1', suite, root, mirror]);
  const lines = [`deb ${mirror} ${suite} main`, `deb ${mirror} ${suite}-updates main`];
  if (security !== null) lines.push(`deb ${security} ${suite}-security main`);
  writeFileSync(`${root}/etc/apt/sources.list`, `${lines.join('\n')}\n`);
  // As Debian's slim images: no packages, no lists, no documentation.
  for (const path of [
    'var/cache/apt',
    'var/lib/apt/lists',
    'usr/share/doc',
    'usr/share/man',
    'usr/share/locale',
  ]) {
    rmSync(`${root}/${path}`, { recursive: true, force: true });
    mkdirSync(`${root}/${path}`);
  }
  const keepOut = ['doc', 'man', 'locale']
    .map((name) => `path-exclude /usr/share/${name}/*\n`)
    .join('');
  writeFileSync(`${root}/etc/dpkg/dpkg.cfg.d/docker`, keepOut);
  for (const path of ['archives', 'lists']) {
    mkdirSync(`${root}/var/${path === 'lists' ? 'lib/apt/lists' : 'cache/apt/archives'}/partial`, {
      recursive: true,
    });
  }
  writeFileSync(`${root}/etc/resolv.conf`, '');
  writeFileSync(`${root}/etc/hostname`, '');
  run('chroot', [root, 'groupadd', '--gid', '1000', 'node']);
  run('chroot', [
    root,
    'useradd',
    '--uid',
    '1000',
    '--gid',
    'node',
    '--shell',
    '/bin/bash',
    '--create-home',
    'node',
  ]);
}

/** Of Debian and of its security updates, as apt here is set to. */
function mirrors(): [string, string | null] {
  const listed = run('apt-get', [
    'indextargets',
    '--format',
    '$(REPO_URI)',
    'Origin: Debian',
    'Created-By: Packages',
  ]);
  const found = [...new Set(listed.split('\n'))].map((uri) => uri.replace(/\/$/, ''));
  const main = found.find((uri) => !uri.includes('security'));
  if (main === undefined) throw new Error("apt's configuration names no Debian mirror");
  return [main, found.find((uri) => uri.includes('security')) ?? null];
}

function installNode(root: string, version: string): void {
  const packages = `${CACHE}/node-${version}`;
  const binary = `node-linux-${process.arch}`;
  mkdirSync(packages, { recursive: true });
  writeFileSync(`${packages}/package.json`, '{}');
  const flags = ['--no-audit', '--no-fund', '--no-save', '--ignore-scripts', '--silent'];
  run('npm', ['install', ...flags, `${binary}@${version}`, `npm@${NPM_VERSION}`], {
    cwd: packages,
  });
  cpSync(`${packages}/node_modules/${binary}/bin/node`, `${root}/usr/local/bin/node`);
  cpSync(`${packages}/node_modules/npm`, `${root}/usr/local/lib/node_modules/npm`, {
    recursive: true,
  });
  for (const name of ['npm', 'npx']) {
    symlinkSync(`../lib/node_modules/npm/bin/${name}-cli.js`, `${root}/usr/local/bin/${name}`);
  }
}

/** The registry and the certificates that npm on this machine is set to, for the time of the build. */
export function npmSettings(): string[] {
  mkdirSync(CACHE, { recursive: true });
  const lines = [`registry=${run('npm', ['config', 'get', 'registry'])}`];
  const authorities = process.env['NODE_EXTRA_CA_CERTS'];
  const volumes = [`${CACHE}/npmrc:/root/.npmrc:ro`];
  if (authorities !== undefined) {
    lines.push('cafile=/run/build-authorities.pem');
    volumes.push(`${authorities}:/run/build-authorities.pem:ro`);
  }
  writeFileSync(`${CACHE}/npmrc`, `${lines.join('\n')}\n`);
  return volumes.flatMap((volume) => ['--volume', volume]);
}
