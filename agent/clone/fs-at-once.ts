/**
 * node:fs for isomorphic-git, which wants promises: each call is done when its promise is there. Through libuv's
 * pool, the three dozen calls for a new gitdir take 10 ms, and Node 3 ms to load what it needs for them.
 */
import {
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmdirSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import type { PromiseFsClient } from 'isomorphic-git';

export const FS_AT_ONCE: PromiseFsClient = {
  promises: {
    // Called without a path, to see whether it gives a promise.
    readFile: atOnce((path?: string, options?: Parameters<typeof readFileSync>[1]) =>
      path === undefined ? undefined : readFileSync(path, options),
    ),
    writeFile: atOnce(writeFileSync),
    unlink: atOnce(unlinkSync),
    readdir: atOnce(readdirSync),
    mkdir: atOnce(mkdirSync),
    rmdir: atOnce(rmdirSync),
    stat: atOnce(statSync),
    lstat: atOnce(lstatSync),
    readlink: atOnce(readlinkSync),
    symlink: atOnce(symlinkSync),
  },
};

function atOnce<Given extends unknown[], Result>(
  call: (...given: Given) => Result,
): (...given: Given) => Promise<Result> {
  // eslint-disable-next-line @typescript-eslint/require-await -- what it throws is a rejection then.
  return async (...given) => call(...given);
}
