import { expect, it } from 'vitest';
import { apiUrlOf, gitUserOf } from '../../agent/credentials/git-user.ts';

it.each([
  ['https', 'github.com', 'https://api.github.com'],
  ['https', 'acme.ghe.com', 'https://api.acme.ghe.com'],
  ['https', 'git.acme.example', 'https://git.acme.example/api/v3'],
  ['https', 'git.acme.example:8443', 'https://git.acme.example:8443/api/v3'],
  ['https', 'evilghe.com', 'https://evilghe.com/api/v3'],
  ['http', 'github.localhost', 'http://api.github.localhost'],
] as const)('the API of %s://%s is at %s', (protocol, host, url) => {
  expect(apiUrlOf({ protocol, host })).toBe(url);
});

const user = (fields: object, host = 'github.com'): unknown =>
  gitUserOf(JSON.stringify({ login: 'octocat', id: 583231, name: 'Mona', ...fields }), host);

it('commits carry the name and the address that the host gives for commits', () => {
  const email = '583231+octocat@users.noreply.github.com';
  expect(user({})).toEqual({ name: 'Mona', email });
  expect(user({ name: null })).toEqual({ name: 'octocat', email });
  expect(user({ login: 'some-app[bot]', name: '' })).toEqual({
    name: 'some-app[bot]',
    email: '583231+some-app[bot]@users.noreply.github.com',
  });
  expect(user({}, 'git.acme.example:8443')).toMatchObject({
    email: '583231+octocat@users.noreply.git.acme.example',
  });
});

it('a name loses what could make another line or address of it', () => {
  expect(user({ name: ' Mo\nna <x@y>\r\0\u202e "\\ ' })).toMatchObject({ name: 'Mona x@y "\\' });
  expect(user({ name: '<>\n' })).toMatchObject({ name: 'octocat' });
});

it.each([
  ...[{ login: 'a b' }, { login: 'a\nb' }, { login: '' }, { login: 7 }, { login: 'x<y>' }],
  ...[{ id: '1' }, { id: -1 }, { id: 1.5 }, { id: null }],
])('an answer with %j names nobody', (fields) => {
  expect(user(fields)).toBeNull();
});

it.each(['', 'null', '[]', '"x"', '<!DOCTYPE html>', '{'])('nor does %j', (body) => {
  expect(gitUserOf(body, 'github.com')).toBeNull();
});
