/**
 * GitHub's PullRequest type for gh: commits, files and line counts come from the bare repository
 * as it is now, the rest from what the pull request was made with.
 */
import type { GraphqlContext } from './graphql-context.ts';
import type { Args, SchemaObject } from './graphql-execute.ts';
import { connection, userObject } from './graphql-objects.ts';
import { commitsBetween } from './pull-requests.ts';
import type { PullRequest } from './pull-requests.ts';
import { gitIn, oidOfRef } from './repositories.ts';
import type { HostedRepository } from './repositories.ts';

const EMPTY_CONNECTIONS = [
  'assignees',
  'assignedActors',
  'labels',
  'projectCards',
  'projectItems',
  'reviewRequests',
  'reviews',
  'latestReviews',
  'comments',
  'closingIssuesReferences',
] as const;

export function pullRequestObject(
  context: GraphqlContext,
  repository: HostedRepository,
  pullRequest: PullRequest,
): SchemaObject {
  const { owner, name } = repository;
  const { headRefName, baseRefName } = pullRequest;
  const headOid = async (): Promise<string> =>
    (await oidOfRef(repository.bareDir, `refs/heads/${headRefName}`)) ?? pullRequest.headRefOid;
  return {
    __typename: 'PullRequest',
    ...pullRequest,
    url: `http://github.localhost/${owner}/${name}/pull/${pullRequest.number}`,
    fullDatabaseId: String(pullRequest.number),
    author: userObject(pullRequest.author),
    updatedAt: pullRequest.createdAt,
    headRefOid: headOid,
    headRepository: {
      __typename: 'Repository',
      id: repository.id,
      name,
      nameWithOwner: `${owner}/${name}`,
    },
    headRepositoryOwner: userObject(owner),
    baseRef: { __typename: 'Ref', name: baseRefName, branchProtectionRule: null },
    commits: async (args: Args) => {
      const oids = await commitsOf(repository, baseRefName, await headOid());
      const last = typeof args['last'] === 'number' ? oids.slice(-args['last']) : oids;
      const nodes = await Promise.all(last.map((oid) => commitObject(repository, oid)));
      return connection(nodes, oids.length);
    },
    files: async () => {
      const changes = await changesOf(repository, baseRefName, await headOid());
      return connection(
        changes.map((change) => ({ __typename: 'PullRequestChangedFile', ...change })),
      );
    },
    additions: async () =>
      sum(await changesOf(repository, baseRefName, await headOid()), 'additions'),
    deletions: async () =>
      sum(await changesOf(repository, baseRefName, await headOid()), 'deletions'),
    changedFiles: async () => (await changesOf(repository, baseRefName, await headOid())).length,
    viewerDidAuthor: pullRequest.author === context.viewer.login,
    ...constantFields(),
  };
}

/** Nobody reviews, merges or closes here. */
function constantFields(): Record<string, unknown> {
  const empty = Object.fromEntries(EMPTY_CONNECTIONS.map((name) => [name, () => connection([])]));
  return {
    ...empty,
    closed: false,
    closedAt: null,
    mergedAt: null,
    mergedBy: null,
    mergeCommit: null,
    potentialMergeCommit: null,
    mergeable: 'MERGEABLE',
    mergeStateStatus: 'CLEAN',
    isCrossRepository: false,
    isInMergeQueue: false,
    isMergeQueueEnabled: false,
    maintainerCanModify: false,
    milestone: null,
    reactionGroups: [],
    reviewDecision: null,
    autoMergeRequest: null,
    viewerCanEnableAutoMerge: false,
  };
}

async function commitsOf(
  repository: HostedRepository,
  baseRefName: string,
  headOid: string,
): Promise<string[]> {
  const baseOid = await oidOfRef(repository.bareDir, `refs/heads/${baseRefName}`);
  return baseOid === null ? [] : commitsBetween(repository.bareDir, baseOid, headOid);
}

async function commitObject(repository: HostedRepository, oid: string): Promise<SchemaObject> {
  const format = ['%an', '%ae', '%aI', '%cI', '%s', '%b'].join('%x00');
  const text = await gitIn(repository.bareDir, 'show', '-s', `--format=${format}`, oid);
  const [name, email, authoredDate, committedDate, messageHeadline, messageBody] = text.split('\0');
  const author = { __typename: 'GitActor', name, email, user: null };
  const commit: SchemaObject = {
    __typename: 'Commit',
    oid,
    id: `C_${oid}`,
    authoredDate,
    committedDate,
    messageHeadline,
    messageBody: messageBody?.trim() ?? '',
    message: messageHeadline,
    authors: () => connection([author]),
    author,
    statusCheckRollup: null,
  };
  return { __typename: 'PullRequestCommit', commit };
}

interface Change {
  readonly path: string;
  readonly additions: number;
  readonly deletions: number;
}

async function changesOf(
  repository: HostedRepository,
  baseRefName: string,
  headOid: string,
): Promise<Change[]> {
  const range = `refs/heads/${baseRefName}...${headOid}`;
  const text = await gitIn(repository.bareDir, 'diff', '--numstat', '--no-renames', '-z', range);
  return text
    .split('\0')
    .filter((line) => line !== '')
    .map((line) => {
      const [additions, deletions, path] = line.split('\t');
      // Binary files are counted as `-`.
      return {
        path: path ?? '',
        additions: Number(additions) || 0,
        deletions: Number(deletions) || 0,
      };
    });
}

function sum(changes: readonly Change[], field: 'additions' | 'deletions'): number {
  return changes.reduce((total, change) => total + change[field], 0);
}
