/**
 * What the gh launcher adds to a gh command: `gh --version`, which asks no host, through the launcher
 * and without, A B A B. Prints median wall times in ms, for a session with
 * one token, with several, and with a token of the user's own.
 * Run: npx tsx test/bench/gh-launcher.ts [COUNT]
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { Session, cleanEnvironment, resourceOf, run } from '../credentials/session.ts';

const count = Number(process.argv[2] ?? 50);
const REAL = '/usr/bin/gh';

function wallMs(program: string, cwd: string, env: Record<string, string | undefined>): number {
  const startedAt = performance.now();
  const { status } = spawnSync(program, ['--version'], { cwd, env: { ...env }, stdio: 'ignore' });
  if (status !== 0) throw new Error(`${program} ended with ${status}`);
  return performance.now() - startedAt;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

async function measure(tokens: readonly string[], own: string | null): Promise<string> {
  const session = new Session();
  try {
    const resources = tokens.map((token, at) =>
      resourceOf({
        url: `https://github.com/acme/r${at}`,
        mountPath: join(session.root, `r${at}`),
        token,
      }),
    );
    await session.files.write(resources);
    const cwd = await session.repository('r0');
    await run('git', ['remote', 'add', 'origin', 'https://github.com/acme/r0.git'], {
      cwd,
      env: cleanEnvironment(session.home),
    });
    const env = session.environment(own === null ? {} : { GH_TOKEN: own });
    const through: number[] = [];
    const bare: number[] = [];
    for (let at = 0; at < count + 3; at++) {
      const pair = [wallMs('gh', cwd, env), wallMs(REAL, cwd, env)] as const;
      // The first ones read the disk.
      if (at < 3) continue;
      through.push(pair[0]);
      bare.push(pair[1]);
    }
    const [a, b] = [median(through), median(bare)];
    return `launcher ${a.toFixed(1)} ms, gh ${b.toFixed(1)} ms, added ${(a - b).toFixed(1)} ms`;
  } finally {
    session.remove();
  }
}

const several = Array.from({ length: 5 }, (_, at) => `ghp_measured${at}`);
console.log(`wall, median of ${count}`);
console.log(`one token:         ${await measure(several.slice(0, 1), null)}`);
console.log(`five tokens:       ${await measure(several, null)}`);
console.log(`the user's own:    ${await measure(several, 'ghp_mine')}`);
