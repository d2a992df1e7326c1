/** A disk that fails is simulated by a descriptor that is closed, and open again later. */
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { EarlySync } from '../../agent/pack/early-sync.ts';
import { makeDirectory, removeDirectory } from './git-repository.ts';

it('EarlySync passes on what syncing said early, though the disk is well at the end', async () => {
  const directory = makeDirectory();
  const path = join(directory, 'file');
  const fd = openSync(path, 'w');
  closeSync(fd);
  const sync = new EarlySync(fd);
  sync.offer(2 ** 30);
  await sync.settled();
  const opened = [openSync(path, 'w')];
  while (!opened.includes(fd) && opened.length < 100) opened.push(openSync(path, 'w'));
  await expect(sync.finish()).rejects.toMatchObject({ code: 'EBADF' });
  for (const each of opened) closeSync(each);
  removeDirectory(directory);
});
