import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { EXIT, ManifestError } from '../../agent/errors.ts';
import { describeManifest } from '../../agent/manifest/describe.ts';
import { InvalidManifestError } from '../../agent/manifest/faults.ts';
import { parseManifest } from '../../agent/manifest/parse-manifest.ts';
import { MANIFEST_LIMIT_BYTES, RESOURCE_LIMIT } from '../../agent/manifest/schema.ts';
import { CANARY, CONTEXT, entry, faultsOf, textOf } from './manifest-fixture.ts';

it('parseManifest() gives normalised resources with defaults', () => {
  const manifest = parseManifest(
    textOf(
      entry({ url: 'HTTPS://GitHub.com:443/acme/web.git', unknown_field: 1 }),
      { type: 'file', path: '/x' },
      entry({
        id: 'r2',
        url: 'https://ghe.acme.example:8443/Acme/Api/',
        mount_path: '/data//api/',
        checkout: { type: 'commit', sha: 'A'.repeat(40) },
      }),
    ),
    CONTEXT,
  );
  expect(manifest.sessionId).toBe('sess_1');
  expect(manifest.skipped).toEqual([{ pointer: '/resources/1', type: 'file' }]);
  expect(manifest.resources).toMatchObject([
    {
      id: null,
      url: 'https://github.com/acme/web',
      protocol: 'https',
      host: 'github.com',
      owner: 'acme',
      name: 'web',
      mountPath: '/app/web',
      checkout: null,
    },
    {
      id: 'r2',
      url: 'https://ghe.acme.example:8443/Acme/Api',
      host: 'ghe.acme.example:8443',
      mountPath: '/data/api',
      checkout: { type: 'commit', oid: 'a'.repeat(40) },
    },
  ]);
  expect(manifest.resources[0]!.token.reveal()).toBe(CANARY);
});

it('parseManifest() names every fault at once with its JSON pointer, one line each', () => {
  const text = JSON.stringify({
    session_id: 7,
    resources: [
      entry({ url: `https://${CANARY}@github.com/acme/web`, authorization_token: `${CANARY}\n` }),
      entry({ mount_path: `~/${CANARY}`, checkout: { type: CANARY } }),
      { type: 'github_repository' },
      { type: CANARY },
      CANARY,
      entry({ checkout: { type: 'branch', name: `${CANARY}..` } }),
      entry({ checkout: { type: 'commit', sha: CANARY } }),
    ],
  });
  let caught: unknown;
  try {
    parseManifest(text, CONTEXT);
  } catch (error) {
    caught = error;
  }
  if (!(caught instanceof InvalidManifestError)) throw new Error('expected a refusal');
  expect(caught).toMatchObject({ code: 'MANIFEST_INVALID', exit: EXIT.data, transient: false });
  expect(caught.faults.map(({ pointer }) => pointer).sort()).toEqual([
    '/resources/0/authorization_token',
    '/resources/0/url',
    '/resources/1/checkout/type',
    '/resources/1/mount_path',
    '/resources/2/authorization_token',
    '/resources/2/url',
    '/resources/3/type',
    '/resources/4',
    '/resources/5/checkout/name',
    '/resources/6/checkout/sha',
    '/resources/6/mount_path',
    '/session_id',
  ]);
  expect(caught.message.split('\n')).toHaveLength(caught.faults.length);
  expect(JSON.stringify(caught) + caught.message).not.toContain('CANARY');
});

it.each([
  ['empty', ''],
  ['of two lines', 'a\nb'],
  ['with a trailing line break', 'abc\n'],
  ['with spaces around it', ' abc '],
  ['with a control character', 'a\u0000b'],
  ['outside ASCII', 'tokén'],
  ['absurdly long', 'x'.repeat(3000)],
  ['that is no string', 5],
  ['that is null', null],
])('a token %s is refused', (_, token) => {
  const faults = faultsOf(textOf(entry({ authorization_token: token })));
  expect(faults.map(({ pointer }) => pointer)).toEqual(['/resources/0/authorization_token']);
});

it.each([
  ['nothing', '', 'is empty'],
  ['a half-written document', '{"resources": [{', 'got the end of the file at line 1, column 17'],
  ['other text', CANARY, 'expected a value, got something else at line 1, column 1'],
  ['a comment', '{\n  // x\n}', 'line 2, column 3'],
  ['a byte order mark', `\ufeff${textOf()}`, 'byte order mark'],
  ['UTF-16', Buffer.from(textOf(entry()), 'utf16le'), 'not JSON'],
  ['broken UTF-8', Buffer.from([0x22, 0xff, 0x22]), 'UTF-8'],
  ['a bottomless document', '['.repeat(100_000), 'at most 64 levels'],
])('%s is refused as the whole document', (_, text, message) => {
  const faults = faultsOf(text);
  expect(faults).toHaveLength(1);
  expect(faults[0]).toMatchObject({
    pointer: '',
    message: expect.stringContaining(message) as string,
  });
  expect(faults[0]!.message).not.toContain('CANARY');
});

it('keys that stand twice are refused, named unless the name could be a token', () => {
  const text = `{"resources": [
    {"type": "github_repository", "url": "https://github.com/a/b", "authorization_token": "x",
     "\\u0075rl": "https://evil.example/a/b"}], "x/y": {"${CANARY}": 1, "${CANARY}": 2}}`;
  expect(faultsOf(text)).toEqual([
    { pointer: '/resources/0/url', message: 'the key stands twice' },
    { pointer: '', message: 'a key stands twice somewhere in the document' },
  ]);
});

it('a manifest over the size limit is refused before it is parsed', () => {
  const text = `"${'x'.repeat(MANIFEST_LIMIT_BYTES)}"`;
  expect(() => parseManifest(text, CONTEXT)).toThrow(
    expect.objectContaining({ code: 'MANIFEST_TOO_LARGE' }) as Error,
  );
});

it('a thousand resources are read, and their order kept', () => {
  const entries = Array.from({ length: 1000 }, (_, index) =>
    entry({ url: `https://github.com/acme/repository-${index}` }),
  );
  const { resources } = parseManifest(textOf(...entries), CONTEXT);
  expect(resources.map(({ mountPath }) => mountPath)).toEqual(
    entries.map((_, index) => `/app/repository-${index}`),
  );
});

it('a flood of faults is cut off in the message, not in the count', () => {
  const error = new InvalidManifestError(faultsOf(textOf(...Array<number>(20_000).fill(1))));
  expect(error.faults).toHaveLength(RESOURCE_LIMIT + 1);
  expect(error.message.split('\n')).toHaveLength(1001);
  expect(error.message).toContain(`${RESOURCE_LIMIT - 999} more faults`);
});

it('parseManifest() throws nothing but a ManifestError, whatever it is given', () => {
  const field = fc.oneof(fc.string({ unit: 'binary' }), fc.jsonValue(), fc.constant(null));
  const resource = fc.record(
    {
      type: fc.oneof(fc.constant('github_repository'), field),
      url: fc.oneof(fc.webUrl(), fc.constant('https://github.com/a/b'), field),
      mount_path: fc.oneof(fc.constant('/app/x'), field),
      authorization_token: field,
      checkout: fc.oneof(fc.record({ type: fc.constant('branch'), name: field }), field),
      ['__proto__']: field,
    },
    { requiredKeys: [] },
  );
  const document = fc.oneof(
    fc.record({ session_id: field, resources: fc.array(fc.oneof(resource, field)) }),
    fc.jsonValue(),
  );
  const text = fc.oneof(
    document.map((value) => JSON.stringify(value)),
    fc.string({ unit: 'binary' }),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  );
  fc.assert(
    fc.property(text, (input) => {
      try {
        parseManifest(input, CONTEXT);
      } catch (error) {
        expect(error).toBeInstanceOf(ManifestError);
      }
    }),
    { numRuns: 500 },
  );
});

it('describeManifest() shows the normalised resources and no token', () => {
  const manifest = parseManifest(
    textOf(
      entry({ checkout: { type: 'branch', name: 'main' } }),
      { type: 'file' },
      entry({ id: 'b', mount_path: '/data/b', checkout: { type: 'commit', sha: 'b'.repeat(40) } }),
    ),
    CONTEXT,
  );
  const description = describeManifest(manifest);
  expect(description).toEqual({
    session_id: 'sess_1',
    resources: [
      {
        type: 'github_repository',
        url: 'https://github.com/acme/web',
        mount_path: '/app/web',
        checkout: { type: 'branch', name: 'main' },
      },
      {
        type: 'github_repository',
        id: 'b',
        url: 'https://github.com/acme/web',
        mount_path: '/data/b',
        checkout: { type: 'commit', sha: 'b'.repeat(40) },
      },
    ],
    skipped: [{ pointer: '/resources/1', type: 'file' }],
  });
});
