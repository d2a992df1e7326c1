/**
 * Pull requests as state next to the bare repositories: made only for branches that exist there,
 * refused in GitHub's own words otherwise. Head and base are read from the repository each time,
 * so that a later push moves the pull request as it does on GitHub.
 */
import { gitIn, oidOfRef } from './repositories.ts';
import type { HostedRepository } from './repositories.ts';

export interface PullRequest {
  readonly id: string;
  readonly number: number;
  readonly owner: string;
  readonly name: string;
  readonly title: string;
  readonly body: string;
  readonly headRefName: string;
  readonly baseRefName: string;
  /** Oid of the head branch when the pull request was made. */
  readonly headRefOid: string;
  readonly author: string;
  readonly isDraft: boolean;
  readonly state: 'OPEN' | 'CLOSED' | 'MERGED';
  readonly createdAt: string;
  readonly url: string;
}

export interface NewPullRequest {
  readonly title: string;
  readonly body: string;
  readonly headRefName: string;
  readonly baseRefName: string;
  readonly isDraft: boolean;
  readonly author: string;
}

/** GitHub's refusal of a pull request (`UNPROCESSABLE`, HTTP 422). */
export class Unprocessable extends Error {}

export class PullRequestRegistry {
  readonly #all: { readonly repositoryId: string; readonly pullRequest: PullRequest }[] = [];

  get all(): readonly PullRequest[] {
    return this.#all.map((each) => each.pullRequest);
  }

  of(repository: HostedRepository): readonly PullRequest[] {
    return this.#all
      .filter((each) => each.repositoryId === repository.id)
      .map((each) => each.pullRequest);
  }

  async create(repository: HostedRepository, wanted: NewPullRequest): Promise<PullRequest> {
    const headRefName = withoutOwner(wanted.headRefName, repository.owner);
    const { baseRefName } = wanted;
    const headRefOid = await oidOfRef(repository.bareDir, `refs/heads/${headRefName}`);
    const baseOid = await oidOfRef(repository.bareDir, `refs/heads/${baseRefName}`);
    const faults: string[] = [];
    if (headRefOid === null) faults.push("Head sha can't be blank");
    if (baseOid === null) faults.push("Base sha can't be blank");
    if (headRefOid === null || baseOid === null || headRefOid === baseOid) {
      faults.push(`No commits between ${baseRefName} and ${headRefName}`);
    } else if ((await commitsBetween(repository.bareDir, baseOid, headRefOid)).length === 0) {
      faults.push(`No commits between ${baseRefName} and ${headRefName}`);
    }
    if (headRefOid === null) faults.push('Head ref must be a branch');
    if (baseOid === null) faults.push('Base ref must be a branch');
    const twin = this.of(repository).some(
      (each) => each.headRefName === headRefName && each.baseRefName === baseRefName,
    );
    if (twin) {
      faults.push(`A pull request already exists for ${repository.owner}:${headRefName}.`);
    }
    if (faults.length > 0 || headRefOid === null) throw new Unprocessable(faults.join(', '));
    return this.#append(repository, { ...wanted, headRefName }, headRefOid);
  }

  #append(repository: HostedRepository, wanted: NewPullRequest, headRefOid: string): PullRequest {
    const { owner, name } = repository;
    const number = this.of(repository).length + 1;
    const pullRequest: PullRequest = {
      ...wanted,
      id: `PR_${Buffer.from(`${repository.id}#${number}`).toString('base64url')}`,
      number,
      owner,
      name,
      headRefOid,
      state: 'OPEN',
      createdAt: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
      url: `http://github.localhost/${owner}/${name}/pull/${number}`,
    };
    this.#all.push({ repositoryId: repository.id, pullRequest });
    return pullRequest;
  }
}

/** `acme:fix` and `fix` mean the same branch in a repository of acme's. */
function withoutOwner(headRefName: string, owner: string): string {
  const prefix = `${owner}:`;
  return headRefName.startsWith(prefix) ? headRefName.slice(prefix.length) : headRefName;
}

/** Oids reachable from head and not from base, oldest first. */
export async function commitsBetween(
  bareDir: string,
  baseOid: string,
  headOid: string,
): Promise<string[]> {
  const text = await gitIn(bareDir, 'rev-list', '--reverse', headOid, `^${baseOid}`);
  return text === '' ? [] : text.split('\n');
}
