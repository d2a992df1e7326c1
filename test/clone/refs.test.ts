import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { readAdvertisement, synthesiseAdvertisement } from '../../agent/clone/advertisement.ts';
import type { Advertisement } from '../../agent/clone/advertisement.ts';
import { fetchRequest } from '../../agent/clone/fetch-request.ts';
import { lsRefsRequest, readLsRefs } from '../../agent/clone/ls-refs.ts';
import { packedRefs } from '../../agent/clone/packed-refs.ts';
import { PacketReader } from '../../agent/clone/pkt-line.ts';
import { isRefName } from '../../agent/clone/ref-name.ts';
import { wantsOf } from '../../agent/clone/remote-refs.ts';
import type { RemoteRefs } from '../../agent/clone/remote-refs.ts';
import { GIT_ENV } from './sandbox.ts';
import { bytesOf, cut, CUTS, pkt } from './streams.ts';

const A = 'a'.repeat(40);
const B = 'b'.repeat(40);
const ZERO = '0'.repeat(40);

function advertisement(bytes: Uint8Array, size = Infinity): Promise<Advertisement> {
  return readAdvertisement(new PacketReader(cut(bytes, size), 'the test'));
}

function lsRefs(bytes: Uint8Array, size = Infinity): Promise<RemoteRefs> {
  return readLsRefs(new PacketReader(cut(bytes, size), 'the test'));
}

const SERVICE = bytesOf(pkt('# service=git-upload-pack\n'), '0000');
const V0 = bytesOf(
  SERVICE,
  pkt(`${A} HEAD\0side-band-64k symref=HEAD:refs/heads/main agent=git/2 object-format=sha1\n`),
  pkt(`${A} refs/heads/main\n`),
  pkt(`${B} refs/tags/v1\n`),
  pkt(`${A} refs/tags/v1^{}\n`),
  pkt(`${B} refs/pull/1/head\n`),
  '0000',
);
const EXPECTED: RemoteRefs = {
  headOid: A,
  headTarget: 'refs/heads/main',
  branches: [{ name: 'refs/heads/main', oid: A, peeled: null }],
  tags: [{ name: 'refs/tags/v1', oid: B, peeled: A }],
  shallow: [],
};

describe.each(CUTS)('on chunks of %d bytes', (size) => {
  it('readAdvertisement() reads protocol 0 with and without "version 1"', async () => {
    expect(await advertisement(V0, size)).toMatchObject({ version: 0, refs: EXPECTED });
    const v1 = bytesOf(SERVICE, pkt('version 1\n'), V0.subarray(SERVICE.length));
    expect(await advertisement(v1, size)).toMatchObject({ version: 0, refs: EXPECTED });
  });

  it('readAdvertisement() reads protocol 2 with and without the service line', async () => {
    const v2 = bytesOf(pkt('version 2\n'), pkt('ls-refs=unborn\n'), pkt('fetch\n'), '0000');
    for (const bytes of [v2, bytesOf(SERVICE, v2)]) {
      const { version, capabilities } = await advertisement(bytes, size);
      expect(version).toBe(2);
      expect([...capabilities]).toEqual([
        ['ls-refs', 'unborn'],
        ['fetch', ''],
      ]);
    }
  });

  it('readLsRefs() reads symrefs, peeled tags and an unborn HEAD', async () => {
    const bytes = bytesOf(
      pkt(`${A} HEAD symref-target:refs/heads/main\n`),
      pkt(`${A} refs/heads/main\n`),
      pkt(`${B} refs/tags/v1 peeled:${A}\n`),
      '0000',
    );
    expect(await lsRefs(bytes, size)).toEqual(EXPECTED);
    const unborn = bytesOf(pkt('unborn HEAD symref-target:refs/heads/trunk\n'), '0000');
    const none = { branches: [], tags: [], shallow: [] };
    expect(await lsRefs(unborn, size)).toEqual({
      headOid: null,
      headTarget: 'refs/heads/trunk',
      ...none,
    });
  });
});

describe('readAdvertisement()', () => {
  it('calls every shorter list truncated, at whatever packet the connection ends', async () => {
    for (let length = 0; length < V0.length; length++) {
      const failing = advertisement(V0.subarray(0, length));
      await expect(failing, `at ${length}`).rejects.toMatchObject({ code: 'TRANSPORT_TRUNCATED' });
    }
  });

  it('reads empty repositories of old and new hosts', async () => {
    const none = { headOid: null, branches: [], tags: [] };
    expect(await advertisement(bytesOf(SERVICE, '0000'))).toMatchObject({ refs: none });
    const carrier = pkt(`${ZERO} capabilities^{}\0side-band-64k\n`);
    expect(await advertisement(bytesOf(SERVICE, carrier, '0000'))).toMatchObject({ refs: none });
  });

  it.each([
    ['a page', bytesOf('<!DOCTYPE html><html>secret page</html>')],
    ['no capabilities', bytesOf(SERVICE, pkt(`${A} HEAD\n`), '0000')],
    ['a short oid', bytesOf(SERVICE, pkt('abc HEAD\0x\n'), '0000')],
    ['a peeled line without its tag', bytesOf(SERVICE, pkt(`${A} refs/tags/x^{}\0x\n`), '0000')],
    ['packets behind the flush', bytesOf(V0, pkt('more'))],
    ['no flush behind the service', bytesOf(pkt('# service=git-upload-pack\n'), pkt('x'))],
  ])('refuses %s, and shows nothing of it', async (_what, bytes) => {
    const error: unknown = await advertisement(bytes).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'TRANSPORT_PROTOCOL' });
    expect((error as Error).message).not.toContain('secret page');
  });

  it('refuses SHA-256, said by capability or by the length of a name', async () => {
    const said = bytesOf(SERVICE, pkt(`${A} HEAD\0object-format=sha256\n`), '0000');
    const shown = bytesOf(SERVICE, pkt(`${'a'.repeat(64)} HEAD\0x\n`), '0000');
    const v2 = bytesOf(pkt('version 2\n'), pkt('object-format=sha256\n'), '0000');
    for (const bytes of [said, shown, v2]) {
      const code = 'REFS_UNSUPPORTED_OBJECT_FORMAT';
      await expect(advertisement(bytes)).rejects.toMatchObject({ code });
    }
  });
});

describe('the refs of a host', () => {
  it.each([
    'refs/heads/../../x',
    'refs/heads/a..b',
    'refs/heads/.hidden',
    'refs/heads/a/.b',
    'refs/heads/x.lock',
    'refs/heads/x.lock/y',
    'refs/heads/esc\x1b[31m',
    'refs/heads/tab\tname',
    'refs/heads/a~1',
    'refs/heads/a^',
    'refs/heads/a:b',
    'refs/heads/a?',
    'refs/heads/a*',
    'refs/heads/a[b',
    'refs/heads/a\\b',
    'refs/heads/a@{b',
    'refs/heads/end.',
    'refs/heads/',
    'refs/heads//a',
    'refs/tags/a//b',
    'refs/tags/\x7f',
  ])('are refused when one is called %j', async (name) => {
    const failing = lsRefs(bytesOf(pkt(`${A} ${name}\n`), '0000'));
    await expect(failing).rejects.toMatchObject({ code: 'REFS_INVALID' });
  });

  it('are judged as git check-ref-format judges them', () => {
    const pieces = ['a', '.', '/', '@', '{', '.lock', '-', '\xe9', '~', 'HEAD', '@{', '..'];
    for (const first of pieces) {
      for (const second of pieces) {
        for (const third of pieces) {
          const name = `refs/heads/${first}${second}${third}`;
          // The one step of the judgement that is slow is sampled.
          if ((first.length + second.length * 3 + third.charCodeAt(0)) % 5 !== 0) continue;
          expect(isRefName(name), name).toBe(gitAccepts(name));
        }
      }
    }
  });

  it.each([
    ['twice the same', ['refs/heads/a', 'refs/heads/a']],
    ['a file that is a directory too', ['refs/heads/a', 'refs/heads/a-b', 'refs/heads/a/b/c']],
  ])('are refused with %s', async (_what, names) => {
    const failing = lsRefs(bytesOf(...names.map((name) => pkt(`${A} ${name}\n`)), '0000'));
    await expect(failing).rejects.toMatchObject({ code: 'REFS_INVALID' });
  });

  it.each(['../../etc/passwd', 'refs/heads/../../x', 'HEAD', '/refs/heads/x'])(
    'are refused when HEAD is a symref to %s',
    async (target) => {
      const bytes = bytesOf(pkt(`${A} HEAD symref-target:${target}\n`), '0000');
      await expect(lsRefs(bytes)).rejects.toMatchObject({ code: 'REFS_INVALID' });
    },
  );

  it('are asked for once each', () => {
    expect(wantsOf(EXPECTED)).toEqual([A, B]);
  });
});

/** Judged by git itself. */
function gitAccepts(name: string): boolean {
  try {
    execFileSync('git', ['check-ref-format', name], { env: GIT_ENV, stdio: 'ignore' });
    return true;
  } catch {
    // It says no by its exit code.
    return false;
  }
}

describe('requests', () => {
  const capabilities = new Map([
    ['agent', 'git/2'],
    ['object-format', 'sha1'],
    ['ls-refs', 'unborn'],
    ['side-band-64k', ''],
    ['ofs-delta', ''],
    ['packfile-uris', 'https'],
  ]);

  it('ls-refs asks for HEAD, branches and tags, peeled', () => {
    const lines = [
      'peel',
      'symrefs',
      'unborn',
      'ref-prefix HEAD',
      'ref-prefix refs/heads/',
      'ref-prefix refs/tags/',
    ];
    expect(lsRefsRequest(capabilities, 'x/1')).toEqual(
      bytesOf(
        ...['command=ls-refs', 'agent=x/1', 'object-format=sha1'].map((line) => pkt(`${line}\n`)),
        '0001',
        ...lines.map((line) => pkt(`${line}\n`)),
        '0000',
      ),
    );
  });

  it('fetch asks in protocol 0 for what the host can do', () => {
    const request = fetchRequest({ version: 0, capabilities, wants: [A, B], agent: 'x/1' });
    expect(request).toEqual(
      bytesOf(
        pkt(`want ${A} side-band-64k ofs-delta agent=x/1 object-format=sha1\n`),
        pkt(`want ${B}\n`),
        '0000',
        pkt('done\n'),
      ),
    );
  });

  it('fetch needs the sideband', () => {
    const bare = {
      version: 0,
      capabilities: new Map<string, string>(),
      wants: [A],
      agent: 'x',
    } as const;
    expect(() => fetchRequest(bare)).toThrow(/side-band-64k/);
  });

  it('are not made of a command of protocol 2 that the host does not know', () => {
    const bare = new Map([['agent', 'git/2']]);
    expect(() => lsRefsRequest(bare, 'x/1')).toThrow(/the command ls-refs of protocol 2/);
    const fetch = { version: 2, capabilities: bare, wants: [A], agent: 'x' } as const;
    expect(() => fetchRequest(fetch)).toThrow(/the command fetch of protocol 2/);
  });
});

describe('synthesiseAdvertisement()', () => {
  it('is an advertisement of HEAD alone, or of an empty repository', async () => {
    expect(await advertisement(synthesiseAdvertisement(A))).toMatchObject({ refs: { headOid: A } });
    const empty = await advertisement(synthesiseAdvertisement(null));
    expect(empty).toMatchObject({ version: 0, refs: { headOid: null, branches: [] } });
  });
});

describe('packedRefs()', () => {
  it('sorts by bytes and peels', () => {
    const refs = [
      { name: 'refs/tags/v1', oid: B, peeled: A },
      { name: 'refs/remotes/origin/a-b', oid: A, peeled: null },
      { name: 'refs/remotes/origin/a/b', oid: A, peeled: null },
      { name: 'refs/remotes/origin/\xe9', oid: A, peeled: null },
    ];
    expect(packedRefs(refs)).toEqual(
      bytesOf(
        '# pack-refs with: peeled fully-peeled sorted \n',
        `${A} refs/remotes/origin/a-b\n`,
        `${A} refs/remotes/origin/a/b\n`,
        `${A} refs/remotes/origin/\xe9\n`,
        `${B} refs/tags/v1\n^${A}\n`,
      ),
    );
  });
});
