import { describe, expect, it } from 'vitest';
import { servernameOf } from '../../agent/clone/servername.ts';

describe('the name that TLS is told', () => {
  it.each(['github.com', 'git.localhost', 'proxy', '1.2.3.example', 'fe80.example'])(
    'is that of a host: %s',
    (hostname) => {
      expect(servernameOf(hostname)).toBe(hostname);
    },
  );

  it.each(['127.0.0.1', '10.0.0.1', '[::1]', '::1', '[fe80::1]'])(
    'is none for an address: %s',
    (hostname) => {
      expect(servernameOf(hostname)).toBe('');
    },
  );
});
