/** Repositories that cannot be read as they should be: never blocked, never "clean". */
import { spawnSync } from 'node:child_process';
import {
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { takeLedger } from '../../agent/work/ledger.ts';
import type { Risk } from '../../agent/work/risk.ts';
import { copyTemplate, createTemplate } from './scratch-repository.ts';
import type { ScratchRepository } from './scratch-repository.ts';

let template = '';
let repository: ScratchRepository;

beforeAll(() => {
  template = createTemplate();
});
afterAll(() => {
  rmSync(template, { recursive: true, force: true });
});
afterEach(() => {
  repository.remove();
});

async function risk(): Promise<Risk | null> {
  const { worktree, clonedTags } = repository;
  return (await takeLedger({ worktree, clonedTags })).risk;
}

const NONE = { paths: [], branches: [], repositories: [] };

function makeFifo(path: string): void {
  rmSync(path, { recursive: true, force: true });
  mkdirSync(dirname(path), { recursive: true });
  expect(spawnSync('mkfifo', [path]).status).toBe(0);
}

const DAMAGES: Readonly<Record<string, { do: (r: ScratchRepository) => void; says: RegExp }>> = {
  'an index cut short': {
    do: (r) => {
      truncateSync(r.path('.git/index'), 200);
    },
    says: /index/,
  },
  'an index of another kind': {
    do: (r) => {
      writeFileSync(r.path('.git/index'), 'x'.repeat(500));
    },
    says: /DIRC/,
  },
  'an index that is a FIFO': {
    do: (r) => {
      makeFifo(r.path('.git/index'));
    },
    says: /regular file/,
  },
  'no objects': {
    do: (r) => {
      renameSync(r.path('.git/objects'), join(r.base, 'objects'));
      mkdirSync(r.path('.git/objects'));
    },
    says: /missing/,
  },
  'a damaged object': {
    do: (r) => {
      r.git('commit', '-q', '--allow-empty', '-m', 'mine');
      const oid = r.git('rev-parse', 'HEAD').trim();
      const path = r.path(`.git/objects/${oid.slice(0, 2)}/${oid.slice(2)}`);
      unlinkSync(path);
      writeFileSync(path, 'damaged');
    },
    says: /object/,
  },
  'an empty ref': {
    do: (r) => {
      writeFileSync(r.path('.git/refs/heads/main'), '');
    },
    says: /refs\/heads\/main is damaged/,
  },
  'refs that lead in a circle': {
    do: (r) => {
      writeFileSync(r.path('.git/refs/heads/a'), 'ref: refs/heads/b\n');
      writeFileSync(r.path('.git/refs/heads/b'), 'ref: refs/heads/a\n');
    },
    says: /too many/,
  },
  'no HEAD': {
    do: (r) => {
      unlinkSync(r.path('.git/HEAD'));
    },
    says: /no \.git/,
  },
  reftable: {
    do: (r) => {
      r.git('config', 'core.repositoryFormatVersion', '1');
      r.git('config', 'extensions.refStorage', 'reftable');
    },
    says: /reftable/,
  },
  'SHA-256': {
    do: (r) => {
      r.git('config', 'core.repositoryFormatVersion', '1');
      r.git('config', 'extensions.objectFormat', 'sha256');
    },
    says: /sha256/,
  },
  'a worktree that is elsewhere': {
    do: (r) => {
      r.git('config', 'core.worktree', '/elsewhere');
    },
    says: /elsewhere/,
  },
  'a .git file that leads nowhere': {
    do: (r) => {
      renameSync(r.path('.git'), join(r.base, 'gone'));
      writeFileSync(r.path('.git'), 'gitdir: /nowhere\n');
    },
    says: /no \.git/,
  },
  'no directory': {
    do: (r) => {
      rmSync(r.worktree, { recursive: true });
    },
    says: /directory is gone/,
  },
};

describe('unknown, with the reason', () => {
  test.each(Object.keys(DAMAGES))('%s', async (name) => {
    repository = copyTemplate(template);
    DAMAGES[name]?.do(repository);
    expect((await risk())?.unknown).toMatch(DAMAGES[name]?.says ?? /never/);
  });
});

test('what can be read is still counted beside what cannot', async () => {
  repository = copyTemplate(template);
  repository.write('file0.txt', 'stashed\n');
  repository.git('stash', '-q');
  repository.git('commit', '-q', '--allow-empty', '-m', 'mine');
  writeFileSync(repository.path('.git/index'), 'x'.repeat(500));
  expect(await risk()).toMatchObject({ stashes: 1, unpushed_commits: 1 });
});

test('FIFOs, sockets and links in circles block nothing and count as git counts them', async () => {
  repository = copyTemplate(template);
  makeFifo(repository.path('pipe'));
  makeFifo(repository.path('file1.txt'));
  symlinkSync('loop', repository.path('loop'));
  symlinkSync('.', repository.path('src/self'));
  symlinkSync('/', repository.path('docs/root'));
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(repository.path('socket'), resolve));
  try {
    const found = await risk();
    const { paths, branches, repositories, ...counts } = found ?? NONE;
    expect(repositories).toEqual([]);
    expect([...paths].sort()).toEqual(['docs/root', 'file1.txt', 'loop', 'src/self']);
    expect(branches).toEqual([]);
    expect(counts).toEqual(repository.expectedRisk());
  } finally {
    server.close();
  }
});

test('rules, attributes and configuration that are FIFOs or directories count as absent', async () => {
  repository = copyTemplate(template);
  makeFifo(repository.path('.gitignore'));
  makeFifo(repository.path('.gitattributes'));
  makeFifo(repository.path('.git/info/exclude'));
  makeFifo(repository.path('.git/config'));
  mkdirSync(repository.path('docs/.gitignore'));
  repository.write('file0.txt', 'changed');
  const found = await risk();
  expect(found).toMatchObject({ unstaged: 2, unknown: null });
  expect(readdirSync(repository.worktree)).toContain('.gitignore');
});

test('nothing that the configuration names is run', async () => {
  repository = copyTemplate(template);
  const trace = join(repository.base, 'ran');
  const command = `sh -c 'touch ${trace}; cat' #`;
  for (const key of ['core.fsmonitor', 'filter.x.clean', 'filter.x.process', 'diff.x.textconv']) {
    repository.git('config', key, command);
  }
  repository.write('.gitattributes', '* filter=x diff=x\n');
  repository.write('file0.txt', 'changed');
  expect((await risk())?.unstaged).toBe(1);
  expect(readdirSync(repository.base)).not.toContain('ran');
});
