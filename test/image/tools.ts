/** vitest's global set-up: what builds and runs images, from Debian's packages where it is missing. */
import { spawnSync } from 'node:child_process';
import { run } from './programs.ts';

const TOOLS = ['buildah', 'debootstrap', 'runc'];

export default function installMissing(): void {
  const missing = TOOLS.filter(
    (tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0,
  );
  if (missing.length === 0) return;
  console.log(`installing Debian packages: ${missing.join(' ')}`);
  run('apt-get', ['update', '-qq']);
  run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing]);
}
