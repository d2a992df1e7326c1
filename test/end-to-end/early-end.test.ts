import { expect, it } from 'vitest';
import { TestSession } from './session.ts';

it('SIGTERM after the mounts are ready and before the command starts: it never starts', async () => {
  await using session = await TestSession.open();
  // The command waits for who commits, and the host does not say.
  session.two.host.fault({ service: 'rest', path: '/user' }, { type: 'stall' });
  await session.dropManifest([session.bothResources[0]!]);
  const program = session.start('run', '--', 'sleep', '600');
  await program.logged('mount ready');
  program.signal('SIGTERM');
  expect(await program.exitCode).toBe(143);
  expect(program.log.map(({ msg }) => msg)).not.toContain('command started');
});
