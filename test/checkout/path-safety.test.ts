import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verifyName } from '../../agent/checkout/path-safety.ts';
import { AgentError } from '../../agent/errors.ts';
import { Repository, temporaryDirectory } from './repository.ts';

let root = '';
let repository: Repository;
let oid = '';
beforeAll(() => {
  root = temporaryDirectory();
  repository = new Repository(root, 'oracle');
  repository.git('config', 'core.protectHFS', 'true');
  repository.git('config', 'core.protectNTFS', 'true');
  oid = repository.blob('x');
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

function weRefuse(name: Buffer, mode: number): boolean {
  try {
    verifyName(name, mode);
    return false;
  } catch (error) {
    if (error instanceof AgentError && error.code === 'TREE_PATH_REFUSED') return true;
    throw error;
  }
}

/** Those of the names that git's verify_path lets into an index (it leaves the others out). */
function namesThatGitTakes(names: readonly Buffer[], mode: number): Set<string> {
  const env = { GIT_INDEX_FILE: join(root, `${mode}.index`) };
  const lines = names.map((name) =>
    Buffer.concat([Buffer.from(`${mode.toString(8)} ${oid}\t`), name, Buffer.from('\0')]),
  );
  repository.gitBytes(['update-index', '-z', '--index-info'], Buffer.concat(lines), env);
  const listing = repository.gitBytes(['ls-files', '-z'], '', env).toString('latin1');
  return new Set(listing.split('\0'));
}

const ZWNJ = '\u200c';
const NAMES: (string | Buffer)[] = [
  ...['.', '..', '...', '.. ', '.git', '.GIT', '.gIt', '.git ', '.git.', '.git . .', '.gitx'],
  ...['git', 'git~1', 'GIT~1', 'git~1 ', 'git~1.', 'git~2', 'git~10', 'git~1x', '.git~1'],
  ...['.git:stream', '.git :stream', 'git~1:$INDEX', '.git..:x', '.gi', '.g', '.gitignore'],
  ...['a\\.git', '.git\\a', 'a\\.GIT\\b', 'a\\git~1', 'a\\.git.', 'a\\b', '.\\a', '..\\a'],
  ...['a\\..\\.git\\config', 'a:b', 'a:.git', 'x.git', ' .git', '.git\n', '.git\t', '\x1b[31m'],
  ...[`.g${ZWNJ}it`, `${ZWNJ}.git`, `.git${ZWNJ}`, `.G\u200dI\u200eT\u200f`, `.g\u202ait\u202e`],
  ...[
    '.gi\u206at',
    '\ufeff.git',
    '.g\u200bit',
    '.g\u0131t',
    '.g\u200cit~',
    '.ğit',
    '.gi\u206ft\u206f.',
  ],
  ...[
    '.gitmodules',
    '.GITMODULES',
    '.gitmodules ',
    '.gitmodules.',
    '.gitmodules:x',
    '.gitmodulesx',
  ],
  ...[
    'gitmod~1',
    'GITMOD~4',
    'gitmod~5',
    'gitmod~1 .',
    'gitmod~0',
    'gi7eba~1',
    'GI7EBA~9',
    'gi7eba~0',
  ],
  ...[
    'gi7eb~10',
    'gi7e~100',
    'gi7~1000',
    'gi~10000',
    'g~100000',
    '~1000000',
    '~100000',
    '~0000001',
  ],
  ...['gi7eba~1.', 'gi7eba~1x', 'gi7eba~10', '~10000000', 'a\\.gitmodules', '.gitmodules\\a'],
  ...[
    `.gitmod${ZWNJ}ules`,
    `.gitmodules\u200f`,
    '.gitattributes',
    'CON',
    'nul',
    'aux.c',
    'é',
    'e\u0301',
  ],
  Buffer.from('.git\xff', 'latin1'),
  Buffer.from('.git\xc3', 'latin1'),
  Buffer.from('.git\xc3\xa9', 'latin1'),
  Buffer.from('.gi\xfft', 'latin1'),
  Buffer.from('.gitmodules\xff', 'latin1'),
  Buffer.from('\xe9t\xe9', 'latin1'),
  Buffer.from('\x80\xfe\xff', 'latin1'),
  Buffer.from('.g\xe2\x80\x8cit\xff', 'latin1'),
  'x'.repeat(255),
];

describe('verifyName()', () => {
  test('refuses what git refuses and passes what git passes, as file and as symlink', () => {
    const names = NAMES.map((name) => Buffer.from(name as string));
    for (const mode of [0o100644, 0o120000]) {
      const taken = namesThatGitTakes(names, mode);
      expect(taken.size).toBeGreaterThan(30);
      for (const name of names) {
        const text = name.toString('latin1');
        const what = `${mode.toString(8)} ${JSON.stringify(text)}`;
        expect(`${what} ${weRefuse(name, mode)}`).toBe(`${what} ${!taken.has(text)}`);
      }
    }
  });

  test('refuses each short name of .gitmodules only for a symlink', () => {
    for (const name of ['.gitmodules', 'gitmod~1', 'gi7eba~1', '~1000000', '.gitmodules\u200c']) {
      expect(weRefuse(Buffer.from(name), 0o120000)).toBe(true);
      expect(weRefuse(Buffer.from(name), 0o100644)).toBe(false);
    }
  });

  test('refuses .git behind a leading backslash too, which git 2.39 overlooks', () => {
    expect(weRefuse(Buffer.from('\\.git'), 0o100644)).toBe(true);
    expect(weRefuse(Buffer.from('\\.gitx'), 0o100644)).toBe(false);
  });

  test('refuses what cannot be the name of one file', () => {
    for (const name of ['', 'a/b', '/', 'x'.repeat(256), 'é'.repeat(128)]) {
      expect(weRefuse(Buffer.from(name), 0o100644)).toBe(true);
    }
  });

  test('names the entry without control characters', () => {
    const name = Buffer.from('.git\x1b[2J', 'latin1');
    expect(() => {
      verifyName(Buffer.concat([name, Buffer.from('/')]), 0o100644);
    }).toThrow('".git\\u001b[2J/": a slash in a name');
  });
});
