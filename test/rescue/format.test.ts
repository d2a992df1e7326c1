import { expect, it } from 'vitest';
import { parseManifest, pathAs, pathOf, writeManifest } from '../../agent/rescue/format.ts';
import type { RescueManifest } from '../../agent/rescue/format.ts';

const manifest: RescueManifest = {
  format: 'mount-agent-rescue',
  version: 1,
  rescue: {
    format: 'mount-agent-rescue',
    version: 1,
    url: 'https://github.com/acme/web',
    mount_path: '/app/web',
    session_id: null,
    created_at: '2026-01-02T03:04:05.678Z',
    agent_version: '1.2.3',
    head: { ref: 'refs/heads/main', oid: 'a'.repeat(40) },
    operation: null,
    remote: 'believed',
    include_ignored: false,
    self_contained: false,
    counts: {
      repositories: 1,
      commits: 1,
      objects: 3,
      stashes: 0,
      changed_files: 1,
      untracked_files: 1,
      deleted_files: 0,
      conflicted_files: 0,
      file_bytes: 12,
    },
  },
  unsettled: [],
  left_out: [],
  repositories: [],
  members: [
    { name: 'a', kind: 'file', path: 'a', repository: 0, size: 1, sha256: '0'.repeat(64) },
    {
      name: 'b',
      kind: 'file',
      path_base64: '6Q==',
      repository: 0,
      size: 1,
      sha256: '0'.repeat(64),
    },
  ],
};

it('writeManifest() writes what parseManifest() reads, one member a line', () => {
  const bytes = writeManifest(manifest);
  expect(parseManifest(bytes)).toEqual(manifest);
  const lines = bytes.toString().split('\n');
  expect(lines.filter((line) => line.includes('"sha256"'))).toHaveLength(2);
});

it('a path keeps its bytes, UTF-8 or not', () => {
  for (const path of ['src/a', 'caf\xc3\xa9', 'caf\xe9', 'new\nline', '']) {
    expect(pathOf(pathAs(path))).toBe(path);
  }
  expect(pathAs('caf\xc3\xa9')).toEqual({ path: 'café' });
  expect(() => pathOf({})).toThrow(/path/);
  expect(() => pathOf({ path: 'a', path_base64: 'YQ==' })).toThrow(/path/);
});

it.each([
  ['no JSON', 'RESCUE_INVALID', () => Buffer.from('{')],
  ['another format', 'RESCUE_INVALID', () => Buffer.from('{"format":"zip"}')],
  [
    'a newer version',
    'RESCUE_UNSUPPORTED',
    () => Buffer.from(JSON.stringify({ ...manifest, version: 2 })),
  ],
  [
    'a negative size',
    'RESCUE_INVALID',
    () => Buffer.from(writeManifest(manifest).toString().replace('"size":1', '"size":-1')),
  ],
])('parseManifest() refuses %s', (_name, code, bytes) => {
  expect(() => parseManifest(bytes())).toThrow(expect.objectContaining({ code }) as Error);
});
