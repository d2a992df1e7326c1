/** The wire: our readers against `git ls-remote` (refs) and `git fetch-pack` (the answer with the pack). */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readAdvertisement } from '../../agent/clone/advertisement.ts';
import { FetchAnswer } from '../../agent/clone/fetch-answer.ts';
import { lsRefsRequest, readLsRefs } from '../../agent/clone/ls-refs.ts';
import { PacketReader } from '../../agent/clone/pkt-line.ts';
import type { RemoteRefs } from '../../agent/clone/remote-refs.ts';
import { ingestPack } from '../../agent/pack/ingest.ts';
import { PACK_LIMITS } from '../../agent/pack/limits.ts';
import type { PackSource } from '../../agent/pack/pack-source.ts';
import { chunksOf } from '../pack/chunks.ts';
import { exitCodes, FuzzDirectory, inLanes, makeRepository } from './git-batch.ts';
import { Random } from './random.ts';
import { codeOf, compare } from './verdict.ts';
import type { FuzzKind } from './verdict.ts';
import { makeAdvertisementCase, makeAnswerCase, pkt } from './wire-cases.ts';
import type { AdvertisementCase, AnswerCase } from './wire-cases.ts';

/** A host that says what is in a file, whatever it is told, until the other side goes. */
const HOST = 'cat $1; exec >/dev/null; cat #';
const LS_REMOTE = `exec timeout 5 git -c protocol.version=2 ls-remote --upload-pack="${HOST}" . >"$1.out" 2>"$1.err"`;

/** Ours alone: words of the refusal, and the rule's name. */
const STRICTER: readonly (readonly [RegExp, string])[] = [
  [/is refused: /, 'ref name'],
  [/got "(?=.*[A-F])[0-9a-fA-F]{40}"/, 'upper-case oid'],
  [/expected the tag before/, 'peeled line without its tag'],
  [/expected the end/, 'more after the end'],
  [/got a (delim|response-end) packet/, 'an end that is no flush'],
  [/but more bytes follow/, 'bytes after the trailer'],
];

export const ADVERTISEMENTS: FuzzKind = {
  name: 'advertisement',
  share: 10,
  batch: 100,
  async judge(seed, first, count) {
    using directory = new FuzzDirectory();
    const cases = Array.from({ length: count }, (_, at) =>
      makeAdvertisementCase(new Random(seed, first + at)),
    );
    const names = cases.map((_case, at) => `${at}.host`);
    cases.forEach(({ bytes }, at) => {
      writeFileSync(join(directory.path, names[at]!), bytes);
    });
    const theirs = exitCodes(directory.path, LS_REMOTE, names);
    const ours = await inLanes(cases, listOf);
    const codes = await theirs;
    return cases.map((each, at) => {
      const { code, refs, words } = ours[at]!;
      const gitAccepts = codes[at] === 0;
      if (refs !== null && gitAccepts) {
        const listed = readFileSync(join(directory.path, `${names[at]!}.out`), 'latin1');
        if (!sameRefs(refs, listed)) return compare(each, 'crash: other refs', gitAccepts);
      }
      return compare(saying(each, words), code, gitAccepts, ruleOf(words));
    });
  },
};

interface Listed {
  readonly code: string;
  readonly refs: RemoteRefs | null;
  readonly words: string;
}

async function listOf({ first, list }: AdvertisementCase): Promise<Listed> {
  let refs: RemoteRefs | null = null;
  let words = '';
  const code = await codeOf(async () => {
    try {
      const advertisement = await readAdvertisement(new PacketReader(chunksOf(first, 50), 'refs'));
      if (advertisement.version === 0) {
        ({ refs } = advertisement);
        return;
      }
      lsRefsRequest(advertisement.capabilities, 'fuzz');
      refs = await readLsRefs(new PacketReader(chunksOf(list, 50), 'the list'));
    } catch (error) {
      words = String(error);
      throw error;
    }
  });
  return { code, refs, words };
}

/** Ours against the lines of ls-remote, as far as a clone looks at them. */
function sameRefs({ headOid, branches, tags }: RemoteRefs, listed: string): boolean {
  const lines = [...branches, ...tags].flatMap(({ name, oid, peeled }) => [
    `${oid}\t${name}`,
    ...(peeled === null ? [] : [`${peeled}\t${name}^{}`]),
  ]);
  if (headOid !== null) lines.push(`${headOid}\tHEAD`);
  const theirs = listed.split('\n').filter((line) => /\t(HEAD$|refs\/(heads|tags)\/)/.test(line));
  return lines.sort().join('\n') === theirs.sort().join('\n');
}

function saying<T extends { readonly how: string }>(each: T, words: string): T {
  return { ...each, how: `${each.how}: ${words}` };
}

/** Where we refuse and git does not, and why. */
function ruleOf(words: string): string | null {
  return STRICTER.find(([pattern]) => pattern.test(words))?.[1] ?? null;
}

export const ANSWERS: FuzzKind = {
  name: 'answer',
  share: 10,
  batch: 100,
  async judge(seed, first, count) {
    using directory = new FuzzDirectory();
    const repository = makeRepository(directory.path);
    const cases = Array.from({ length: count }, (_, at) =>
      makeAnswerCase(new Random(seed, first + at), first + at),
    );
    const names = cases.map((_case, at) => `${at}.host`);
    cases.forEach(({ oid, bytes }, at) => {
      const advertised = pkt(`${oid} refs/heads/main\0side-band-64k ofs-delta agent=git/2.39.5\n`);
      const said = Buffer.concat([advertised, Buffer.from('0000'), bytes]);
      writeFileSync(join(repository, names[at]!), said);
    });
    const fetch = `exec timeout 5 git fetch-pack --quiet --keep --upload-pack="${HOST}" . refs/heads/main >/dev/null 2>"$1.err"`;
    const theirs = exitCodes(repository, fetch, names);
    const ours = await inLanes(cases, (each, _at, lane) => receive(directory.path, each, lane));
    const codes = await theirs;
    return cases.map((each, at) => {
      const { code, words } = ours[at]!;
      return compare(saying(each, words), code, codes[at] === 0, ruleOf(words));
    });
  },
};

async function receive(
  directory: string,
  { bytes }: AnswerCase,
  lane: number,
): Promise<{ code: string; words: string }> {
  const packDir = join(directory, `ours-${lane}`);
  mkdirSync(packDir, { recursive: true });
  let words = '';
  const code = await codeOf(async () => {
    try {
      const source: PackSource = async (sink, stop) => {
        const answer = new FetchAnswer(0, (part) => {
          sink.take(part);
        });
        for await (const chunk of chunksOf(bytes, 50)) answer.push(Buffer.from(chunk));
        stop.throwIfAborted();
        answer.end();
      };
      await ingestPack(source, { packDir, limits: PACK_LIMITS });
    } catch (error) {
      words = String(error);
      throw error;
    }
  });
  for (const name of readdirSync(packDir)) rmSync(join(packDir, name));
  return { code, words };
}
