/**
 * What every file of a worktree is read by, beside the file itself: configuration, and the ignore
 * rules and attributes for the whole worktree, wherever they lie. In: a repository; out: the rules,
 * and whether anything of it is another than at the last look.
 */
import { AttributeReader } from '../repository/attributes.ts';
import { readSharedRules } from '../repository/ignore-rules.ts';
import type { IgnoreRules } from '../repository/ignore-rules.ts';
import type { Repository } from '../repository/repository.ts';

export class SharedInputs {
  #key = '';

  look(repository: Repository): { rules: IgnoreRules | undefined; isOther: boolean } {
    const rules = readSharedRules(repository);
    const texts: string[] = [];
    for (let level = rules; level !== undefined; level = level.above) texts.push(level.text);
    const { gitdir, commondir, config } = repository;
    const attributes = new AttributeReader(repository).sharedText;
    const key = JSON.stringify([gitdir, commondir, config.fingerprint, attributes, texts]);
    const isOther = key !== this.#key;
    this.#key = key;
    return { rules, isOther };
  }
}
