/** vitest's global set-up: dist/ is built from the sources under test before any process is started. */
import { execFileSync } from 'node:child_process';

export default function buildOnce(): void {
  execFileSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' });
}
