/**
 * What the oracle clones: one repository per line of the table, each made by script. A case that git
 * and we must treat alike needs no expectation of its own: git's clone is the expectation.
 */
import { writeFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Origin } from './origin.ts';
import type { FileContent, FileSet } from './origin.ts';

export interface OracleCase {
  readonly name: string;
  readonly make: (origin: Origin) => void;
  /** Its files are of interest: what `git status` opens is traced, which takes its time. */
  readonly isTraced?: boolean;
}

const README = { 'README.md': '# A repository\n' };
const utf8 = (text: string): string => Buffer.from(text).toString('latin1');

const LFS_POINTER = `version https://git-lfs.github.com/spec/v1\noid sha256:${'5'.repeat(64)}\nsize 12\n`;

export const CASES: readonly OracleCase[] = [
  { name: 'an empty repository', make: () => undefined },
  {
    name: 'an empty repository with another default branch',
    make: (origin) => {
      origin.head('refs/heads/trunk/é#1');
    },
  },
  {
    name: 'an empty repository whose HEAD names no branch',
    make: (origin) => {
      origin.head('refs/tags/x');
    },
  },
  {
    name: 'a detached HEAD off every branch',
    make: (origin) => {
      const first = origin.commit(README);
      const tree = origin.git('rev-parse', `${first}^{tree}`);
      const other = origin.git('commit-tree', '-p', first, '-m', 'aside', tree);
      origin.git('update-ref', '--no-deref', 'HEAD', other);
    },
  },
  {
    name: 'a detached HEAD at the tips of branches',
    make: (origin) => {
      const tip = origin.commit(README, 'zeta');
      origin.updateRefs({ 'refs/heads/beta': tip, 'refs/tags/alpha': tip });
      origin.git('update-ref', '--no-deref', 'HEAD', tip);
    },
  },
  {
    name: 'a HEAD to a branch that is missing',
    make: (origin) => {
      origin.commit(README);
      origin.head('refs/heads/gone');
    },
  },
  {
    name: 'a HEAD to a branch that is missing, with an annotated tag of its name',
    make: (origin) => {
      const tip = origin.commit(README, 'master');
      origin.git('tag', '-a', '-m', 'gone', 'gone', tip);
      origin.head('refs/heads/gone');
    },
  },
  {
    name: 'a HEAD to a tag that is missing, with master',
    make: (origin) => {
      origin.commit(README, 'master');
      origin.head('refs/tags/gone');
    },
  },
  {
    name: 'a repository with tags alone',
    make: (origin) => {
      const tip = origin.commit(README, 'other');
      origin.git('tag', '-a', '-m', 'v1', 'v1', tip);
      origin.git('branch', '-D', 'other');
    },
  },
  {
    name: 'a tag with the default branch’s name, elsewhere',
    make: (origin) => {
      const first = origin.commit(README);
      origin.commit({ more: 'x' });
      origin.git('tag', 'main', first);
    },
  },
  {
    name: 'a default branch called origin, and others called HEAD and origin/main',
    make: (origin) => {
      const tip = origin.commit(README, 'origin');
      origin.head('refs/heads/origin');
      origin.updateRefs({ 'refs/heads/HEAD': tip });
      origin.commit({ other: 'x' }, 'side');
    },
  },
  {
    name: 'tags of every kind: light, annotated, nested, of trees and blobs, signed by nobody',
    make: (origin) => {
      const tip = origin.commit(README);
      const tag = (name: string, of: string): string => {
        origin.git('tag', '-a', '-m', `About ${name}`, name, of);
        return name;
      };
      const blob = origin.gitWith('a key\n', 'hash-object', '-w', '--stdin');
      origin.git('tag', 'light', tip);
      tag('three', tag('two', tag('one', tip)));
      tag('tree-of', `${tip}^{tree}`);
      tag('nested-blob', tag('blob-of', blob));
      origin.updateRefs({ 'refs/tags/plain-blob': blob });
      origin.updateRefs({ 'refs/tags/plain-tree': origin.git('rev-parse', `${tip}^{tree}`) });
    },
  },
  {
    name: 'refs of odd names',
    make: (origin) => {
      const tip = origin.commit(README);
      const long = 'b'.repeat(250);
      const names = [
        ...['feature/a/b/c', 'issue#12', '"quoted"', "it's", 'semi;colon', '$(id)', '100%', '-x-'],
        ...['caf\xe9', utf8('café'), utf8('cafe\u0301'), utf8('\u{1f600}'), 'UPPER', 'upper', '@'],
        ...[`${long}/x`, 'a.b', '{x}', 'comma,', '&', '|', '<>', '(par)', '!bang', 'heads/heads'],
      ];
      origin.updateRefs(Object.fromEntries(names.map((name) => [`refs/heads/${name}`, tip])));
      origin.updateRefs(Object.fromEntries(names.map((name) => [`refs/tags/${name}`, tip])));
    },
  },
  ...['feature/#1-"q"', 'caf\xe9', utf8('ветка'), ';semi', 'x'.repeat(240)].map((branch) => ({
    name: `a default branch called ${JSON.stringify(branch.slice(0, 20))}`,
    make: (origin: Origin) => {
      origin.commit(README);
      origin.git('update-ref', '--no-deref', '-d', 'HEAD');
      writeFileSync(join(origin.bareDir, 'HEAD'), `ref: refs/heads/${branch}\n`, 'latin1');
      origin.commit(README, branch);
    },
  })),
  {
    name: 'refs that are no branches or tags',
    make: (origin) => {
      const tip = origin.commit(README);
      const names = [
        'refs/pull/1/head',
        'refs/notes/commits',
        'refs/remotes/up/main',
        'refs/stash',
      ];
      origin.updateRefs(Object.fromEntries(names.map((name) => [name, tip])));
    },
  },
  {
    name: 'ten thousand refs',
    make: (origin) => {
      const tip = origin.commit(README);
      const refs = Array.from({ length: 10_000 }, (_, at): [string, string] => {
        const kind = at % 10 === 0 ? 'tags' : 'heads';
        return [`refs/${kind}/b${at % 100}/n${at}`, tip];
      });
      origin.updateRefs(Object.fromEntries(refs));
      origin.git('pack-refs', '--all');
    },
  },
  {
    name: 'file names of every kind',
    isTraced: true,
    make: (origin) => {
      const names = [
        ...[
          '#hash',
          'new\nline',
          '"quotes"',
          "it's",
          'sp ace',
          ' lead',
          'trail ',
          'dot.',
          '~',
          '-n',
        ],
        ...['caf\xe9', '\xff\xfe', 'd\xefr/\xe9', '\x80', 'tab\t', 'esc\x1b[31m', '\x01', '\x7f'],
        ...[
          utf8('café'),
          utf8('cafe\u0301'),
          utf8('Ångström'),
          utf8('\u202eright'),
          utf8('\u{1f600}'),
        ],
        ...[
          'README',
          'readme',
          'ReadMe',
          'Dir/x',
          'dir/x',
          'DIR/y',
          'a\\b',
          'a:b',
          'con',
          'aux.txt',
        ],
        ...['n'.repeat(250), `${'d'.repeat(250)}/${'e'.repeat(255)}`, '...', '.gitx', 'a.git/x'],
        ...['.gitignore', 'sub/.gitignore', '.github/x', 'a-b', 'a.b', 'a/b', 'a0b'],
      ];
      const files = names.map((name, at): [string, FileContent] => [name, `content ${at}\n`]);
      origin.commit(Object.fromEntries(files));
    },
  },
  {
    name: 'symlinks and executables',
    isTraced: true,
    make: (origin) => {
      const targets = [
        'missing',
        '/etc/passwd',
        '../../..',
        '.',
        'loop',
        'sp ace\n',
        'caf\xe9',
        '\xff',
      ];
      const links = targets.map((target, at): [string, FileContent] => [
        `link${at}`,
        ['120000', target],
      ]);
      origin.commit({
        ...Object.fromEntries(links),
        loop: ['120000', 'loop'],
        long: ['120000', 'x'.repeat(4000)],
        'dir/up': ['120000', '../bin/run'],
        'bin/run': ['100755', '#!/bin/sh\n'],
        empty: '',
        'empty-too': ['100755', ''],
        binary: Buffer.from([0, 1, 2, 255, 13, 10]),
      });
    },
  },
  {
    name: 'trees that git would write in another way: old modes, padded ones, empty trees',
    make: (origin) => {
      const tip = origin.commit({ 'a/file': 'x', 'b/c/file': 'y', 'd/file': 'x', z: 'z' });
      const file = origin.git('rev-parse', `${tip}:z`);
      const trees = {
        b: `040000 tree ${origin.git('rev-parse', `${tip}:b/c`)}\tc\n040000 tree ${origin.git('mktree')}\td\n`,
        d: `100664 blob ${file}\tgroup-writable\n`,
      };
      let lines = origin.git('ls-tree', tip);
      for (const [name, content] of Object.entries(trees)) {
        const oid = origin.gitWith(content, 'mktree');
        lines = lines.replace(new RegExp(` tree \\S+\t${name}`), ` tree ${oid}\t${name}`);
      }
      const tree = origin.gitWith(`${lines}\n`, 'mktree');
      const next = origin.git('commit-tree', '-p', tip, '-m', 'odd', tree);
      origin.git('update-ref', 'refs/heads/main', next);
    },
  },
  {
    name: 'submodules, with and without .gitmodules',
    isTraced: true,
    make: (origin) => {
      const commit = '1234567890123456789012345678901234567890';
      origin.commit({
        '.gitmodules': '[submodule "one"]\n\tpath = libs/one\n\turl = ../one.git\n',
        'libs/one': ['160000', commit],
        'libs/x': 'x',
        two: ['160000', commit],
      });
    },
  },
  { name: 'attributes that convert', make: makeConverted, isTraced: true },
  {
    name: 'pointers of Git LFS',
    make: (origin) => {
      origin.commit({
        '.gitattributes': '*.bin filter=lfs diff=lfs merge=lfs -text\n',
        'big.bin': LFS_POINTER,
        'dir/big.bin': ['100755', LFS_POINTER],
      });
    },
  },
  {
    name: 'a tree 2,000 deep',
    make: (origin) => {
      origin.commit({ [`${'d/'.repeat(1999)}f`]: 'deep\n', 'd/e': 'x' });
    },
  },
  {
    name: 'a history of merges, an octopus among them',
    make: (origin) => {
      origin.commit(README);
      const side = (at: number, of: string): string => `side/${at}${of}`;
      for (let at = 0; at < 20; at++) {
        const branches = ['a', 'b', 'c'].slice(0, 1 + (at % 3)).map((of) => side(at, of));
        origin.import([
          ...branches.map((branch) => ({ branch, from: 'main', files: { [branch]: `${at}\n` } })),
          { branch: 'main', files: { [`merged/${at}`]: `${at}\n` }, merge: branches },
        ]);
      }
    },
  },
  {
    name: 'unrelated histories, and a commit without files',
    make: (origin) => {
      origin.commit(README);
      origin.commit({ other: 'root\n' }, 'unrelated');
      const empty = origin.git('mktree');
      origin.git('update-ref', 'refs/heads/main', origin.git('commit-tree', '-m', 'none', empty));
    },
  },
  {
    name: 'a repository with alternates',
    make: (origin) => {
      const pool = new Origin(origin.bareDir, 'pool');
      const base = pool.commit({ shared: 'from the pool\n' });
      mkdirSync(join(origin.bareDir, 'objects/info'), { recursive: true });
      const alternates = join(origin.bareDir, 'objects/info/alternates');
      writeFileSync(alternates, `${join(pool.bareDir, 'objects')}\n`);
      origin.git('update-ref', 'refs/heads/main', base);
      origin.commit(README);
    },
  },
  {
    name: 'a repository with replace refs',
    make: (origin) => {
      const first = origin.commit(README);
      const second = origin.commit({ secret: 'replaced\n' });
      origin.git('replace', second, first);
      origin.git('replace', '-f', first, second);
    },
  },
  {
    name: 'files that are alike, and a delta chain',
    make: (origin) => {
      const lines = Array.from({ length: 500 }, (_, at) => `line ${at} ${'x'.repeat(at % 40)}\n`);
      for (let at = 0; at < 12; at++) {
        lines[at * 40] = `changed ${at}\n`;
        origin.commit({ long: lines.join(''), [`copy${at}`]: lines.join('') });
      }
      origin.git('repack', '-adfq', '--window=50', '--depth=50');
    },
  },
];

/** Only what comes back the same: git reads files as young as its index again. */
function makeConverted(origin: Origin): void {
  const attributes = [
    '* text=auto',
    '[attr]dos text eol=crlf',
    '*.bat dos',
    '*.id ident',
    '*.u16 working-tree-encoding=UTF-16 text',
    '*.rc working-tree-encoding=UTF-16LE-BOM eol=crlf',
    '*.sjis working-tree-encoding=SHIFT-JIS',
    '*.l1 working-tree-encoding=ISO-8859-1 ident',
    '*.auto text=auto eol=crlf',
    '*.raw binary',
    '"sp ace" dos',
  ];
  const files: FileSet = {
    '.gitattributes': `${attributes.join('\n')}\n`,
    'a.bat': 'one\ntwo\n',
    'b.bat': '',
    'a.id': '$Id$ and again $Id$\n',
    'a.u16': utf8('häßlich 漢字\n'),
    'a.rc': utf8('ü\nö\n'),
    'a.sjis': utf8('漢字テスト\n'),
    'a.l1': utf8('é $Id$\n'),
    'a.auto': 'one\ntwo\n',
    'b.auto': 'nul\0\nbinary\n',
    'a.raw': 'one\ntwo\n',
    'sp ace': 'one\n',
    'sub/.gitattributes': '*.bat -text\n*.id !ident\n',
    'sub/a.bat': 'one\n',
    'sub/a.id': '$Id$\n',
  };
  origin.commit(files);
}
