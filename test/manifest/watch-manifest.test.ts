import { mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { versionOf } from '../../agent/manifest/read-manifest.ts';
import { watchManifest } from '../../agent/manifest/watch-manifest.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'watch-manifest-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

function versionAt(path: string): string {
  return versionOf(statSync(path, { bigint: true }));
}

it.each(['written in place', 'replaced by rename'])(
  'watchManifest() tells once per burst that the file was %s, and nothing of its neighbours',
  async (how) => {
    const path = join(directory, 'manifest.json');
    writeFileSync(path, '{}');
    const onChange = vi.fn();
    using _watch = watchManifest({ path, readVersion: versionAt(path), onChange });
    writeFileSync(join(directory, 'status.json'), '{}');
    writeFileSync(join(directory, 'other'), '{"a":1}');
    if (how === 'written in place') {
      for (const text of ['{', '{"a"', '{"a":1}']) writeFileSync(path, text);
    } else {
      renameSync(join(directory, 'other'), path);
    }
    await vi.waitFor(() => {
      expect(onChange).toHaveBeenCalled();
    });
    expect(onChange).toHaveBeenCalledTimes(1);
    // Only neighbours change from here on: a call for them would come before the one for the end.
    writeFileSync(join(directory, 'status.json'), '{"b":2}');
    writeFileSync(path, '{"c":3}');
    await vi.waitFor(() => {
      expect(onChange).toHaveBeenCalledTimes(2);
    });
  },
);

it('watchManifest() tells of a file that was replaced before it began, after it had been read', async () => {
  const path = join(directory, 'manifest.json');
  writeFileSync(path, '{}');
  const readVersion = versionAt(path);
  writeFileSync(`${path}.new`, '{}');
  renameSync(`${path}.new`, path);
  const onChange = vi.fn();
  using _watch = watchManifest({ path, readVersion, onChange });
  await vi.waitFor(() => {
    expect(onChange).toHaveBeenCalledTimes(1);
  });
});

it('watchManifest() is silent once disposed of', async () => {
  const path = join(directory, 'manifest.json');
  writeFileSync(path, '{}');
  const disposed = vi.fn();
  const other = vi.fn();
  watchManifest({ path, readVersion: versionAt(path), onChange: disposed })[Symbol.dispose]();
  using _watch = watchManifest({ path, readVersion: versionAt(path), onChange: other });
  writeFileSync(path, '{"a":1}');
  await vi.waitFor(() => {
    expect(other).toHaveBeenCalled();
  });
  expect(disposed).not.toHaveBeenCalled();
});
