/**
 * The trial of docs/operations.md in the image: each fault of test/operator/ planted in front of a
 * container, and its cause looked for with the document's commands alone, run in the container as
 * `docker exec` does, the log read as `docker logs` gives it. Prints the document's table.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TOKENS } from '../host/host-fixture.ts';
import { SETTLED, WORDS_PER_MINUTE, follow } from '../operator/diagnose.ts';
import type { Diagnosis } from '../operator/diagnose.ts';
import { FAULTS } from '../operator/faults.ts';
import type { Plan, PlantedFault } from '../operator/faults.ts';
import { buildImage } from './build.ts';
import { Image, eventually } from './container.ts';
import type { Container } from './container.ts';
import { MANIFEST, Platform } from './platform.ts';
import { tmpfs } from './runtime-spec.ts';

let image: Image;
const rows: string[] = [];
beforeAll(() => {
  image = new Image(buildImage('runtime'));
});
afterAll(() => {
  image[Symbol.dispose]();
  console.log(rows.join('\n'));
});

it.each(FAULTS)('leads to the cause of: $name', async (fault) => {
  await using platform = await Platform.open(image);
  const plan = planFor(platform);
  await fault.plant(plan);
  if (plan.manifest === null) await platform.loseManifest();
  else await platform.writeManifest(plan.manifest(plan.resource));
  const limits = [`uid=${image.uid}`, `gid=${image.uid}`, 'mode=755'];
  const disk = plan.diskLimit;
  await using container = platform.start(['run', ...plan.flags], {
    env: plan.environment,
    mounts: disk === null ? [] : [tmpfs('/app', `size=${disk}`, ...limits)],
  });
  try {
    await eventually('something to find out', () => {
      return container.hasEnded || SETTLED.test(container.stderr);
    });
    const found = await follow(fault, (command, at) => run(command, at, container, platform));
    note(fault, found);
    expect(found.command, found.output).not.toBeNull();
  } finally {
    for (const cleanUp of plan.cleanUp) cleanUp();
  }
});

function planFor({ two, disk }: Platform): Plan {
  return {
    host: two.host,
    place: (path) => join(disk.root, path),
    resource: {
      type: 'github_repository',
      url: two.host.url('acme', 'web'),
      mount_path: '/app/web',
      authorization_token: TOKENS.web,
    },
    environment: { ...two.host.environment },
    flags: [],
    diskLimit: null,
    manifest: (resource) => JSON.stringify({ resources: [resource] }),
    cleanUp: [],
  };
}

/** Nothing can be run in a container that has ended; its log is still there. */
function run(
  command: string,
  at: number,
  container: Container,
  platform: Platform,
): Promise<string> {
  if (at < 2) {
    const variables = `RUN_DIR=/run/mount-agent; MANIFEST=${MANIFEST};`;
    const { output } = container.exec('sh', '-c', `${variables} ${command}`);
    return Promise.resolve(output.replace(/^Error: runc exec [^]*?: exit \d+\n/, ''));
  }
  const log = join(platform.directory, 'log');
  writeFileSync(log, container.stderr);
  const env = { PATH: '/usr/bin:/bin', LOG: log };
  return Promise.resolve(execFileSync('sh', ['-c', command], { env, encoding: 'utf8' }));
}

function note({ name, code }: PlantedFault, { command, commandsMs, words }: Diagnosis): void {
  const seconds = commandsMs / 1000;
  const inAll = (seconds + (words / WORDS_PER_MINUTE) * 60).toFixed(0);
  const found = command === null ? 'none' : String(command);
  rows.push(
    `| ${name} | \`${code}\` | ${found} | ${seconds.toFixed(1)} s | ${words} | ${inAll} s |`,
  );
}
