import { expect, it } from 'vitest';
import { ManifestError } from '../../agent/errors.ts';
import { compareManifests } from '../../agent/manifest/compare-manifests.ts';
import { parseManifest } from '../../agent/manifest/parse-manifest.ts';
import type { Manifest } from '../../agent/resource.ts';
import { CONTEXT, entry, textOf } from './manifest-fixture.ts';

const repository = (name: string, change: Record<string, unknown> = {}) =>
  entry({ url: `https://github.com/acme/${name}`, ...change });

function manifestOf(...resources: unknown[]): Manifest {
  return parseManifest(textOf(...resources), CONTEXT);
}

function refusalOf(next: Manifest): string[] {
  try {
    compareManifests(RUNNING, next);
  } catch (error) {
    if (!(error instanceof ManifestError)) throw error;
    expect(error).toMatchObject({ code: 'MANIFEST_IMMUTABLE', exit: 65, transient: false });
    return error.message.split('\n');
  }
  throw new Error('expected a refusal');
}

const RUNNING = manifestOf(repository('a'), { type: 'file' }, repository('b'), repository('c'));

it('compareManifests() gives the resources with another token, whatever their order', () => {
  const next = manifestOf(
    repository('c', { authorization_token: 'new-c' }),
    repository('b', { checkout: { type: 'branch', name: 'x' } }),
    repository('a', { url: 'https://GITHUB.com/acme/a.git', authorization_token: 'new-a' }),
  );
  const { rotated } = compareManifests(RUNNING, next);
  expect(rotated.map(({ mountPath, token }) => [mountPath, token.reveal()])).toEqual([
    ['/app/c', 'new-c'],
    ['/app/a', 'new-a'],
  ]);
  expect(compareManifests(RUNNING, RUNNING).rotated).toEqual([]);
});

it('compareManifests() names every url or mount_path that changed, came or went', () => {
  const next = manifestOf(
    { type: 'file' },
    repository('x', { mount_path: '/app/a' }),
    repository('b', { mount_path: '/data/b' }),
    { type: 'file' },
    repository('d'),
  );
  expect(refusalOf(next)).toEqual([
    '/resources/1/url: changed from https://github.com/acme/a to https://github.com/acme/x',
    '/resources/2/mount_path: changed from /app/b to /data/b',
    '/resources/4: https://github.com/acme/d at /app/d was added',
    '/resources: https://github.com/acme/c at /app/c was removed',
  ]);
});

it('one token may not be rotated together with a forbidden change', () => {
  const next = manifestOf(repository('a', { authorization_token: 'new' }), repository('b'));
  expect(refusalOf(next)).toEqual(['/resources: https://github.com/acme/c at /app/c was removed']);
});
