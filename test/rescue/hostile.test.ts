import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AgentError } from '../../agent/errors.ts';
import { restore } from '../../agent/rescue/restore.ts';
import { copyTemplate, createTemplate, runGit } from '../work/scratch-repository.ts';
import type { ScratchRepository } from '../work/scratch-repository.ts';
import { takeStep } from '../work/steps.ts';
import { file, git, link, member, mountRecord, writeRescue } from './make-rescue.ts';
import type { Member, Rescue } from './make-rescue.ts';
import { scriptedCapture } from './scripted-capture.ts';

let template = '';
let base = '';
let lost: ScratchRepository;
let mount = '';
let honest: Rescue;

beforeAll(() => {
  template = createTemplate();
  base = realpathSync(mkdtempSync(join(tmpdir(), 'hostile-rescue-')));
  lost = copyTemplate(template);
  for (const step of ['edit', 'new file', 'commit', 'edit']) takeStep(lost, step, 1);
  honest = scriptedCapture(lost.worktree);
  mount = join(base, 'work');
  const now = { GIT_COMMITTER_DATE: undefined };
  runGit(base, ['clone', '-q', join(lost.base, 'origin.git'), 'work'], now);
});
afterAll(() => {
  lost.remove();
  for (const path of [template, base]) rmSync(path, { recursive: true, force: true });
});

/** Everything below a directory but the time of `.git` itself, in which a stage came and went. */
function everythingBelow(directory: string): string {
  const hash = createHash('sha256');
  const visit = (path: string): void => {
    const stats = lstatSync(path, { bigint: true });
    const isGitdir = path.endsWith('/.git');
    hash.update(`${path} ${stats.mode} ${isGitdir ? '' : `${stats.size} ${stats.mtimeNs}`}\n`);
    if (stats.isSymbolicLink()) hash.update(readlinkSync(path));
    if (stats.isFile()) hash.update(readFileSync(path));
    if (stats.isDirectory()) for (const name of readdirSync(path).sort()) visit(join(path, name));
  };
  visit(directory);
  return hash.digest('hex');
}

interface Attack {
  /** Members beside the honest ones. */
  readonly members?: Member[];
  readonly rescue?: (rescue: Rescue) => Rescue;
  readonly manifest?: (text: string) => string;
  readonly bytes?: (bytes: Buffer) => Buffer;
}

let number = 0;

async function attempt(attack: Attack): Promise<AgentError> {
  const place = join(base, `outside-${number++}`);
  const path = `${place}.rescue.tar.gz`;
  const rescue = { ...honest, members: [...honest.members, ...(attack.members ?? [])] };
  await writeRescue(path, attack.rescue?.(rescue) ?? rescue, attack.manifest);
  if (attack.bytes !== undefined) writeFileSync(path, attack.bytes(readFileSync(path)));
  const before = everythingBelow(base);
  const { signal } = new AbortController();
  const failure: unknown = await restore({ file: path, mount, mountPath: mount, signal }).then(
    () => 'it was restored',
    (error: unknown) => error,
  );
  expect(everythingBelow(base)).toBe(before);
  expect(existsSync(join(tmpdir(), 'escaped'))).toBe(false);
  rmSync(path);
  expect(failure).toBeInstanceOf(AgentError);
  return failure as AgentError;
}

/** One whose path is given as base64. */
function encoded(kind: 'file' | 'git', path: string): Member {
  const path_base64 = Buffer.from(path, 'latin1').toString('base64');
  return member('by-number', 'x', { kind, repository: 0, path_base64 });
}

/** A ustar header, made by hand: what no library would write. */
function tarHeader(name: string, size: number, type: string): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write('0000644\0', 100);
  header.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write('        ', 148);
  header.write(type, 156);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

function longNameOfGnu(name: string, type = 'L'): Buffer {
  const content = Buffer.alloc(512);
  content.write(name);
  return Buffer.concat([tarHeader('././@LongLink', name.length + 1, type), content]);
}

/** Before the first member. */
function withHeaderOf(bytes: Buffer, header: Buffer): Buffer {
  return gzipSync(Buffer.concat([header, gunzipSync(bytes)]));
}

/** Permissions of a directory. */
function modeOf(path: string): Member {
  const list = `777\0${path}\0`;
  return member('repositories/0/modes', list, { kind: 'modes', repository: 0 });
}

/** Of a pax header for all that follows. */
function paxForAll(record: string): Buffer {
  const content = Buffer.alloc(512);
  content.write(record);
  return Buffer.concat([tarHeader('pax_global_header', record.length, 'g'), content]);
}

const repositories = (...more: Partial<Rescue['repositories'][number]>[]) => ({
  rescue: (rescue: Rescue): Rescue => ({
    ...rescue,
    repositories: [
      ...rescue.repositories,
      ...more.map((fields, at) => ({
        ...mountRecord('https://example.com/a/b', { ref: null, oid: null }),
        ...{
          number: at + 1,
          kind: 'nested' as const,
          path: `nested${at}`,
          gitdir: `nested${at}/.git`,
        },
        ...fields,
      })),
    ],
  }),
});

const PATHS: Readonly<Record<string, Attack>> = {
  'an absolute path': { members: [file('/tmp/escaped', 'x')] },
  'a path with ..': { members: [file('../escaped', 'x')] },
  'a path with .. in the middle': { members: [file('src/../../escaped', 'x')] },
  'a path with an empty component': { members: [file('src//escaped', 'x')] },
  'a path that is empty': { members: [file('', 'x')] },
  'a path with .': { members: [file('./escaped', 'x')] },
  'a path that ends in a slash': { members: [file('escaped/', 'x')] },
  'a path into .git': { members: [file('.git/hooks/post-checkout', 'x', '755')] },
  'a path into .GIT': { members: [file('.GIT/config', 'x')] },
  'a path into the .git of a directory': { members: [file('src/.git/config', 'x')] },
  'a path into git~1': { members: [file('git~1/config', 'x')] },
  'a path into .git with a dot behind it': { members: [file('.git./config', 'x')] },
  'a path into .git with a stream': { members: [file('.git::$INDEX_ALLOCATION/config', 'x')] },
  'a path into the hashed short name of .git': { members: [file('GIT~1 .', 'x')] },
  'a path into .git with a space behind it': { members: [file('.git /config', 'x')] },
  'a path into .Git with a mark of byte order': { members: [file('.G\ufeffit/config', 'x')] },
  'a path into .git behind a backslash alone': { members: [file('\\.git', 'x')] },
  'a path into .git in the middle, in another case': { members: [file('a/.gIt/hooks/x', 'x')] },
  'a path of base64 that escapes': { members: [encoded('file', '../escaped')] },
  'a path of base64 that has a NUL': { members: [encoded('file', 'a\0b')] },
  'a path of base64 that is .git in Latin-1': { members: [encoded('file', '.git/config')] },
  'a state file of base64 that escapes': { members: [encoded('git', 'refs/../../escaped')] },
  'a path twice over': {
    members: [
      member('both', 'x', { kind: 'file', repository: 0, path: 'a', path_base64: 'Li4vYg==' }),
    ],
  },
  'a directory where a link is': {
    members: [
      link('out', tmpdir()),
      member('out', '', { kind: 'directory', repository: 0, path: 'out' }),
    ],
  },
  'a directory below a link': {
    members: [
      link('out', tmpdir()),
      member('below', '', { kind: 'directory', repository: 0, path: 'out/escaped' }),
    ],
  },
  'a link below a link': { members: [link('out', tmpdir()), link('out/escaped', '/etc/passwd')] },
  'a link of .gitmodules in another case': { members: [link('.GITMODULES', '/etc/passwd')] },
  'a link of the short name of .gitmodules': { members: [link('GITMOD~1', '/etc/passwd')] },
  'a link of .gitmodules with what HFS+ leaves out': {
    members: [link('.gitmod\u200cules', '/etc/passwd')],
  },
  'a file of a repository that is not there': { members: [file('x', 'x', '644', 7)] },
  'a path into .git with what HFS+ leaves out': { members: [file('.g\u200cit/config', 'x')] },
  'a path with a backslash before .git': { members: [file('a\\.git\\config', 'x')] },
  'a path with NUL': { members: [file('a\0b', 'x')] },
  'a name of 300 bytes': { members: [file('n'.repeat(300), 'x')] },
  'a path of 6,000 bytes': { members: [file('d/'.repeat(3000) + 'x', 'x')] },
  'a file below a link': { members: [link('out', tmpdir()), file('out/escaped', 'x')] },
  'a file before the link it lies below': {
    members: [file('out/escaped', 'x'), link('out', tmpdir())],
  },
  'a file below a file': { members: [file('one', 'x'), file('one/two', 'x')] },
  'a file and a link of one name': { members: [link('out', '/tmp/escaped'), file('out', 'x')] },
  'a file twice': {
    members: [
      file('twice', 'x'),
      member('another-name', 'y', { kind: 'file', repository: 0, path: 'twice' }),
    ],
  },
  'a link called .git': { members: [link('src/.git', '/tmp')] },
  'a link called .gitmodules': { members: [link('.gitmodules', '/etc/passwd')] },
  'a link to nothing': { members: [link('empty-link', '')] },
  'a link of 5,000 bytes': { members: [link('long', 'x'.repeat(5000))] },
  'borrowed objects': { members: [git('objects/info/alternates', '/tmp\n')] },
  'a pack of its own': { members: [git('objects/pack/pack-1.pack', 'x')] },
  'another common directory': { members: [git('commondir', '/tmp\n')] },
  'a gitdir file': { members: [git('gitdir', '/tmp\n')] },
  'a hook that says it is state': { members: [git('hooks/post-checkout', 'x')] },
  'a hook in upper case': { members: [git('HOOKS/post-checkout', 'x')] },
  'a configuration that says it is state': { members: [git('config', '[core]\n')] },
  'a configuration in upper case': { members: [git('CONFIG', '[core]\n')] },
  'the configuration of a worktree in upper case': { members: [git('Config.Worktree', 'x')] },
  'alternates by another name': { members: [git('OBJECTS/info/alternates', '/tmp\n')] },
  'alternates over http': { members: [git('objects/info/http-alternates', '/tmp\n')] },
  'the common directory in upper case': { members: [git('CommonDir', '/tmp\n')] },
  'a hook of a submodule': { members: [git('modules/x/hooks/post-checkout', 'x')] },
  'a linked worktree of its own making': { members: [git('worktrees/x/HEAD', 'x')] },
  'a worktree where restores put them': { members: [git('mount-agent-worktrees/x/f', 'x')] },
  'a reflog that leaves logs': { members: [git('logs/refs/../../config', 'x')] },
  'a ref with an empty name': { members: [git('refs/heads//x', 'x')] },
  'a ref with a control character': { members: [git('refs/heads/a\x1b[2J', 'x')] },
  'a ref that begins with a dot': { members: [git('refs/heads/.x', 'x')] },
  'a ref with NUL': { members: [git('refs/heads/x\0y', 'x')] },
  'a ref and a directory of its name': {
    members: [git('refs/heads/one', 'x'), git('refs/heads/one/two', 'x')],
  },
  'the configuration of a submodule': { members: [git('modules/x/config', '[core]\n')] },
  'the place of a linked worktree': { members: [git('worktrees/x/gitdir', '/tmp\n')] },
  'a mark of our own': { members: [git('mount-agent.json', '{}')] },
  'a ref that leaves refs': { members: [git('refs/heads/../../config', 'x')] },
  'a lock of a ref': { members: [git('refs/heads/main.lock', 'x')] },
  'a state file below a state file': { members: [git('MERGE_MSG/x', 'x'), git('MERGE_MSG', 'x')] },
  'a state file that leaves the Git directory': { members: [git('../escaped', 'x')] },
  'permissions of a directory above the mount': { members: [modeOf('../')] },
  'permissions of a directory elsewhere': { members: [modeOf('/tmp/')] },
  'permissions of a directory in .git': { members: [modeOf('.git/hooks/')] },
  'permissions of a directory in .GIT': { members: [modeOf('src/.GIT/')] },
  'permissions of a directory with .. in the middle': { members: [modeOf('src/../../x/')] },
  'a worktree in .git': repositories({ path: '.git/hooks' }),
  'a worktree above the mount': repositories({ path: '..' }),
  'a submodule whose Git directory is elsewhere': repositories({
    ...{ kind: 'submodule', path: 'lib', has_worktree: false, gitdir: '/tmp/escaped' },
  }),
  'a submodule whose Git directory leaves modules': repositories({
    ...{ kind: 'submodule', path: 'lib', gitdir: '.git/modules/../hooks' },
  }),
  'a Git directory in another': repositories(
    { kind: 'submodule', path: 'a', gitdir: '.git/modules/a' },
    { kind: 'submodule', path: 'b', gitdir: '.git/modules/a/hooks' },
  ),
  'a Git directory of two': repositories(
    { kind: 'submodule', path: 'a', gitdir: '.git/modules/a' },
    { kind: 'submodule', path: 'b', gitdir: '.git/modules/a' },
  ),
  'a nested repository in .git': repositories({ path: 'a/.GIT', gitdir: 'a/.GIT/.git' }),
  'a nested repository that is the mount': repositories({ path: '', gitdir: '.git' }),
  'a second mount': repositories({ kind: 'mount', path: 'a' }),
  'a linked worktree of a linked worktree': repositories(
    { kind: 'linked', path: 'a', gitdir: '.git/worktrees/a', shares_with: 0 },
    { kind: 'linked', path: 'b', gitdir: '.git/worktrees/b', shares_with: 1 },
  ),
  'a linked worktree of nobody': repositories({
    ...{ kind: 'linked', path: 'a', gitdir: '.git/worktrees/a', shares_with: 9 },
  }),
  'a linked worktree outside whose path has ..': repositories({
    ...{ kind: 'linked', path: '/tmp/../etc', gitdir: '.git/worktrees/a', shares_with: 0 },
  }),
  'a linked worktree outside whose id is a short name of .git': repositories({
    ...{ kind: 'linked', path: '/tmp/x', gitdir: '.git/worktrees/git~1', shares_with: 0 },
  }),
  'a linked worktree that says it was put into .git': repositories({
    ...{ kind: 'linked', path: '.git/hooks', gitdir: '.git/worktrees/a', shares_with: 0 },
  }),
  'two worktrees in one place': repositories({ path: 'a' }, { path: 'a', gitdir: 'a/b/.git' }),
  'a linked worktree that is called ..': repositories({
    ...{ kind: 'linked', path: 'a', gitdir: '.git/worktrees/..', shares_with: 0 },
  }),
};

const FILES: Readonly<Record<string, Attack>> = {
  'no archive at all': { bytes: () => Buffer.from('not an archive') },
  'an empty file': { bytes: () => Buffer.alloc(0) },
  'an archive that is cut off': { bytes: (bytes) => bytes.subarray(0, bytes.length - 700) },
  'an archive that is cut off between two members': {
    bytes: (bytes) => gzipSync(gunzipSync(bytes).subarray(0, 1024)),
  },
  'one byte of a file changed': {
    bytes: (bytes) => {
      const tar = gunzipSync(bytes);
      const at = tar.indexOf('edited 1');
      tar[at] = 0x45;
      return gzipSync(tar);
    },
  },
  'a member that the manifest does not have': {
    manifest: (text) => text.replace(/ *\{"name":"repositories\/0\/worktree\/new1.txt".*\n/, ''),
  },
  'a member that is not there': {
    manifest: (text) => text.replaceAll('worktree/new1.txt', 'worktree/other'),
  },
  'a size that is too small': { manifest: (text) => text.replace('"size":9,', '"size":8,') },
  'a size that is too large': { manifest: (text) => text.replace('"size":9,', '"size":99999,') },
  'a negative size': { manifest: (text) => text.replace('"size":9,', '"size":-1,') },
  'a member twice in the archive': {
    rescue: (rescue) => ({ ...rescue, members: [...rescue.members, ...rescue.members.slice(-1)] }),
  },
  'a hard link': {
    members: [{ ...file('hard', ''), header: { type: 'link', linkname: '/etc/passwd' } }],
  },
  'a symbolic link of the archive': {
    members: [{ ...file('soft', ''), header: { type: 'symlink', linkname: '/etc/passwd' } }],
  },
  'a device': { members: [{ ...file('device', ''), header: { type: 'character-device' } }] },
  'a block device': { members: [{ ...file('block', ''), header: { type: 'block-device' } }] },
  'a directory of the archive': {
    members: [{ ...file('directory', ''), header: { type: 'directory' } }],
  },
  'a contiguous file': { members: [{ ...file('cont', ''), header: { type: 'contiguous-file' } }] },
  'a long name of GNU tar': { bytes: (bytes) => withHeaderOf(bytes, longNameOfGnu('../escaped')) },
  'a sparse file of GNU tar': {
    bytes: (bytes) => withHeaderOf(bytes, tarHeader('sparse', 0, 'S')),
  },
  'a member of a type that nobody knows': {
    bytes: (bytes) => withHeaderOf(bytes, tarHeader('odd', 0, 'Z')),
  },
  'a header whose sum is wrong': {
    bytes: (bytes) => {
      const header = tarHeader('odd', 0, '0');
      header[0] = 0x41;
      return withHeaderOf(bytes, header);
    },
  },
  'a size in the header that has no end': {
    bytes: (bytes) => withHeaderOf(bytes, tarHeader('huge', 2 ** 33 - 1, '0')),
  },
  'a pax record that names another path': {
    members: [{ ...file('plain', 'x'), header: { pax: { path: '../escaped' } } }],
  },
  'a pax record for all that names another path': {
    bytes: (bytes) => withHeaderOf(bytes, paxForAll('19 path=../escaped\n')),
  },
  'a pax record for all that says another size': {
    bytes: (bytes) => withHeaderOf(bytes, paxForAll('9 size=1\n')),
  },
  'a long link name of GNU tar, and a link': {
    bytes: (bytes) =>
      withHeaderOf(
        bytes,
        Buffer.concat([longNameOfGnu('/etc/passwd', 'K'), tarHeader('out', 0, '2')]),
      ),
  },
  'a pax record that says another size': {
    members: [{ ...file('plain', 'xyz'), header: { pax: { size: '1' } } }],
  },
  'two archives one behind the other': {
    bytes: (bytes) => Buffer.concat([bytes, bytes]),
  },
  'a gzip stream that another follows': {
    bytes: (bytes) => Buffer.concat([bytes, gzipSync(tarHeader('more', 0, '0'))]),
  },
  'a bomb: much more than its manifest says': {
    bytes: (bytes) => {
      const tar = gunzipSync(bytes);
      const zeros = Buffer.alloc(32 * 2 ** 20);
      const bomb = Buffer.concat([tarHeader('bomb', zeros.length, '0'), zeros]);
      return gzipSync(Buffer.concat([bomb, tar]));
    },
  },
  'a header that is a bomb': {
    bytes: () => {
      const zeros = Buffer.alloc(32 * 2 ** 20, ' ');
      return gzipSync(Buffer.concat([tarHeader('rescue.json', zeros.length, '0'), zeros]));
    },
  },
  'a pipe': { members: [{ ...file('pipe', ''), header: { type: 'fifo' } }] },
  'a manifest that is no JSON': { manifest: () => '{' },
  'a manifest that is nested a million times': { manifest: () => '['.repeat(1_000_000) },
  'a manifest of another kind': { manifest: () => '{"format":"other","version":1}' },
  'a manifest without members': { manifest: (text) => text.replace('"members"', '"others"') },
  'no repository': {
    rescue: (rescue) => ({ ...rescue, members: [] }),
    manifest: (text) => text.replace(/"repositories": \[[^]*?\n \],/, '"repositories": [],'),
  },
};

describe('nothing is written of a rescue with', () => {
  it.each(Object.entries(PATHS))('%s', async (_name, attack) => {
    const { code } = await attempt(attack);
    expect(['RESCUE_PATH_REFUSED', 'RESCUE_INVALID']).toContain(code);
  });
  it.each(Object.entries(FILES))('%s', async (_name, attack) => {
    expect((await attempt(attack)).code).toBe('RESCUE_INVALID');
  });

  it('a later format', async () => {
    const later = (text: string): string => text.replace('"version": 1', '"version": 2');
    expect((await attempt({ manifest: later })).code).toBe('RESCUE_UNSUPPORTED');
  });
  it('another repository', async () => {
    const other = { rescue: (rescue: Rescue) => ({ ...rescue, url: 'https://example.com/a/b' }) };
    expect((await attempt(other)).code).toBe('RESCUE_OTHER_REPOSITORY');
  });
  it('a HEAD that is nowhere', async () => {
    const { repositories: all } = honest;
    const [first] = all;
    const head = { ref: null, oid: 'a'.repeat(40) };
    const lostHead = {
      rescue: (rescue: Rescue) => ({ ...rescue, repositories: [{ ...first!, head }] }),
    };
    expect((await attempt(lostHead)).code).toBe('RESCUE_OBJECTS_MISSING');
  });
  it('a prerequisite that the clone does not have', async () => {
    const prerequisites = ['b'.repeat(40)];
    const [first] = honest.repositories;
    const attack = {
      rescue: (rescue: Rescue) => ({ ...rescue, repositories: [{ ...first!, prerequisites }] }),
    };
    const { code, message } = await attempt(attack);
    expect(code).toBe('RESCUE_OBJECTS_MISSING');
    expect(message).toContain('b'.repeat(40));
  });
  it.each([
    ['no bundle', () => Buffer.from('# v3 git bundle\n\n'), 'RESCUE_INVALID'],
    ['without an end', () => Buffer.from('# v2 git bundle\n'), 'RESCUE_INVALID'],
    ['bytes behind it', (bundle: Buffer) => Buffer.concat([bundle, Buffer.from('x')]), /^PACK_/],
    ['a byte changed', (bundle: Buffer) => Buffer.from(bundle).fill(0x55, 200, 201), /^PACK_/],
    [
      'its second half cut off',
      (bundle: Buffer) => bundle.subarray(0, bundle.length / 2),
      /^PACK_/,
    ],
  ] as const)('a bundle that has %s', async (_name, change, code) => {
    const attack = {
      rescue: (rescue: Rescue) => ({
        ...rescue,
        members: rescue.members.map((one) =>
          one.record.kind === 'bundle'
            ? member(one.record.name, change(one.content), { kind: 'bundle', repository: 0 })
            : one,
        ),
      }),
    };
    expect((await attempt(attack)).code).toMatch(code);
  });
});
