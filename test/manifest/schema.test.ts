import { readFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { DOCS } from '../setup/documents.ts';
import { entry, faultsOf, textOf } from './manifest-fixture.ts';

const document = JSON.parse(
  readFileSync(new URL('manifest.schema.json', DOCS), 'utf8'),
) as Parameters<typeof z.fromJSONSchema>[0];
const documented = z.fromJSONSchema(document);

describe('docs/manifest.schema.json', () => {
  it('accepts what the parser accepts', () => {
    const maybe = <T>(value: T) => fc.option(fc.constant(value), { nil: undefined });
    const resource = fc.record({
      url: fc.constantFrom(
        'https://github.com/a/b',
        'HTTPS://a.example:8443/A/b.git/',
        'http://a/b',
      ),
      authorization_token: fc.constantFrom('x', 'ghp_1', '', 'a b'),
      mount_path: maybe(null),
      id: maybe('r1'),
      checkout: fc.constantFrom(
        undefined,
        null,
        { type: 'branch', name: 'a/b' },
        { type: 'commit', sha: 'A'.repeat(40) },
        { type: 'commit', sha: 'abc' },
      ),
      extra: maybe([{}]),
    });
    let accepted = 0;
    fc.assert(
      fc.property(fc.oneof(resource.map(entry), fc.constant({ type: 'file' })), (value) => {
        const text = textOf(value);
        if (faultsOf(text).length > 0) return;
        accepted++;
        expect(documented.safeParse(JSON.parse(text)).success).toBe(true);
      }),
      { numRuns: 300, seed: 1 },
    );
    expect(accepted).toBeGreaterThan(20);
  });

  it.each([
    {},
    { resources: {} },
    { resources: [{}] },
    { resources: [entry({ url: undefined })] },
    { resources: [entry({ url: 'https://user@github.com/a/b' })] },
    { resources: [entry({ authorization_token: 'a b' })] },
    { resources: [entry({ checkout: { type: 'commit', sha: 'x' } })] },
  ])('refuses %j, as the parser does', (value) => {
    expect(documented.safeParse(value).success).toBe(false);
    expect(faultsOf(JSON.stringify(value))).not.toEqual([]);
  });
});

it('a checkout branch is accepted exactly when git accepts it as refs/heads/<name>', () => {
  const names = ['main', 'a/b', 'ä', 'a.b', '@', 'a@b', 'a-b', 'refs/heads/x', 'HEAD/x'].concat(
    ['', '/a', 'a/', 'a//b', '.a', 'a/.b', 'a.', 'a.lock', 'a.lock/b', 'a..b', 'a@{b', 'a b'],
    ['a~', 'a^', 'a:', 'a?', 'a*', 'a[', 'a\\', 'a\u0001', 'a\u007f', 'a]', 'a/b.'],
  );
  for (const name of names) {
    const faults = faultsOf(textOf(entry({ checkout: { type: 'branch', name } })));
    expect(faults.length === 0, JSON.stringify(name)).toBe(isGitRef(`refs/heads/${name}`));
  }
  for (const name of ['-x', 'HEAD']) {
    expect(faultsOf(textOf(entry({ checkout: { type: 'branch', name } })))).toHaveLength(1);
  }
});

function isGitRef(ref: string): boolean {
  try {
    execFileSync('git', ['check-ref-format', ref], { stdio: 'ignore' });
    return true;
  } catch (error) {
    if (error instanceof Error && 'status' in error && error.status === 1) return false;
    throw error;
  }
}
