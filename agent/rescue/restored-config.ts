/**
 * The configuration of a rescue in; out: what of it is plain data (which branch follows which, how
 * lines end, who commits), as text for the end of a clone's own, and the names of what is held back:
 * anything that could make git run a program, fetch through one, or look for its files elsewhere.
 */
import { displayPath } from '../repository/byte-path.ts';
import type { GitConfig } from '../repository/git-config-reader.ts';

const PLAIN_VALUE = /^[^\0\n]*$/;
const REMOTE_NAME = /^[A-Za-z0-9_.][A-Za-z0-9_./-]*$/;
const REFSPEC = /^[+^]?refs\/[^\0\n]*$/;
/** No transport helper ("ext::"), and nothing that begins like an option. */
const LOCATION = /^(?:(?:https?|ssh|git|file):\/\/|\.{0,2}\/|[\w.-]+@[\w.-]+:)(?:(?!::)[^\0\n])*$/;

/** Section and key in lower case, with what the value has to look like. */
const PLAIN: readonly (readonly [key: RegExp, value: RegExp])[] = [
  [/^branch\..*\.(?:remote|pushremote)$/, REMOTE_NAME],
  [/^branch\..*\.(?:merge|rebase|description)$/, PLAIN_VALUE],
  [
    /^core\.(?:filemode|ignorecase|precomposeunicode|symlinks|autocrlf|eol|safecrlf|quotepath|sparsecheckout|sparsecheckoutcone|logallrefupdates|abbrev|untrackedcache|trustctime|checkstat|commentchar|whitespace|excludesfile|attributesfile|notesref|splitindex)$/,
    PLAIN_VALUE,
  ],
  [/^remote\..*\.fetch$/, REFSPEC],
  [/^(?:remote|submodule)\..*\.(?:url|pushurl)$/, LOCATION],
  [/^submodule\.(?:.*\.)?(?:active|branch|ignore|recurse|fetchrecursesubmodules)$/, PLAIN_VALUE],
  [/^user\.(?:name|email)$/, PLAIN_VALUE],
  [
    /^(?:pull|push|fetch|rebase|index|status|stash|rerere|i18n|gc|advice|color|column|log|tag|feature)\.[a-z]+$/,
    PLAIN_VALUE,
  ],
  [/^merge\.(?:ff|conflictstyle|renames|autostash|log)$/, PLAIN_VALUE],
  [/^diff\.(?:renames|algorithm|context|noprefix|mnemonicprefix)$/, PLAIN_VALUE],
  [/^extensions\.worktreeconfig$/, /^true$/i],
];
/** What a clone knows for itself, or what its format is. */
const OWN =
  /^(?:core\.(?:bare|repositoryformatversion|worktree)|extensions\..*|remote\.origin\..*)$/;

export interface PlainConfig {
  /** One byte a character; empty when there is nothing to add. */
  readonly text: string;
  /** Names of keys, for people. */
  readonly held: readonly string[];
}

/** @param own what the clone has by itself; what is the same there is not said again. */
export function plainConfigOf(rescued: GitConfig, own: GitConfig, isMount: boolean): PlainConfig {
  const held: string[] = [];
  let text = '';
  for (const [key, value] of rescued.entries()) {
    if (own.get(key) === value) continue;
    if (isPlain(key, value) && !(isMount && key.startsWith('remote.origin.'))) {
      text += assignment(key, value);
    } else if (!OWN.test(key)) {
      held.push(displayPath(key));
    }
  }
  return { text, held };
}

function isPlain(key: string, value: string): boolean {
  if (!/^[\x20-\x7e\x80-\xff]+$/.test(key)) return false;
  return PLAIN.some(([name, form]) => name.test(key) && form.test(value));
}

/** A section of its own for each: git reads it as one. */
export function assignment(key: string, value: string): string {
  const section = key.slice(0, key.indexOf('.'));
  const name = key.slice(key.lastIndexOf('.') + 1);
  const subsection = key.slice(section.length + 1, -name.length - 1);
  const quoted = subsection.replace(/["\\]/g, '\\$&');
  const heading = subsection === '' ? `[${section}]` : `[${section} "${quoted}"]`;
  const escaped = value.replace(/["\\]/g, '\\$&').replaceAll('\t', '\\t');
  return `${heading}\n\t${name} = "${escaped}"\n`;
}
