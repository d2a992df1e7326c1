/**
 * GitHub's Repository type for gh: the fields that `gh repo view`, `gh pr create` and `gh pr list`
 * select, read from the bare repository when asked.
 */
import type { GraphqlContext } from './graphql-context.ts';
import { FieldError } from './graphql-execute.ts';
import type { Args, SchemaObject } from './graphql-execute.ts';
import { connection, userObject } from './graphql-objects.ts';
import { pullRequestObject } from './graphql-pull-request.ts';
import type { PullRequest } from './pull-requests.ts';
import { defaultBranch, oidOfRef } from './repositories.ts';
import type { HostedRepository } from './repositories.ts';

const EMPTY_CONNECTIONS = [
  'assignableUsers',
  'suggestedActors',
  'mentionableUsers',
  'labels',
  'milestones',
  'projects',
  'projectsV2',
  'issues',
  'watchers',
  'languages',
  'repositoryTopics',
  'releases',
  'forks',
  'collaborators',
] as const;

export function repositoryObject(
  context: GraphqlContext,
  repository: HostedRepository,
): SchemaObject {
  const { owner, name, isPublic } = repository;
  const asObject = (pullRequest: PullRequest): SchemaObject =>
    pullRequestObject(context, repository, pullRequest);
  return {
    __typename: 'Repository',
    id: repository.id,
    databaseId: repository.databaseId,
    name,
    nameWithOwner: `${owner}/${name}`,
    owner: userObject(owner),
    url: `http://github.localhost/${owner}/${name}`,
    sshUrl: `git@github.localhost:${owner}/${name}.git`,
    isPrivate: !isPublic,
    visibility: isPublic ? 'PUBLIC' : 'PRIVATE',
    createdAt: repository.createdAt,
    pushedAt: repository.createdAt,
    updatedAt: repository.createdAt,
    viewerPermission: context.permissionOf(repository) === 'write' ? 'WRITE' : 'READ',
    defaultBranchRef: async () => {
      const branch = await defaultBranch(repository.bareDir);
      return branch.oid === null ? null : refObject(`refs/heads/${branch.name}`, branch.oid);
    },
    ref: async ({ qualifiedName }: Args) => {
      const ref = String(qualifiedName);
      const full = ref.startsWith('refs/') ? ref : `refs/heads/${ref}`;
      const oid = await oidOfRef(repository.bareDir, full);
      return oid === null ? null : refObject(full, oid);
    },
    pullRequests: (args: Args) => {
      const matching = matchingPullRequests(context, repository, args);
      const first = typeof args['first'] === 'number' ? args['first'] : matching.length;
      return connection(matching.slice(0, first).map(asObject), matching.length);
    },
    pullRequest: ({ number }: Args) => asObject(numbered(context, repository, number)),
    issueOrPullRequest: ({ number }: Args) => asObject(numbered(context, repository, number)),
    ...constantFields(),
  };
}

/** What every repository here says: nothing beside code and pull requests is kept. */
function constantFields(): Record<string, unknown> {
  const empty = Object.fromEntries(EMPTY_CONNECTIONS.map((name) => [name, () => connection([])]));
  return {
    ...empty,
    description: null,
    homepageUrl: null,
    openGraphImageUrl: '',
    usesCustomOpenGraphImage: false,
    mirrorUrl: null,
    securityPolicyUrl: null,
    parent: null,
    templateRepository: null,
    isFork: false,
    isArchived: false,
    archivedAt: null,
    isTemplate: false,
    isMirror: false,
    isEmpty: false,
    isInOrganization: false,
    isUserConfigurationRepository: false,
    isBlankIssuesEnabled: true,
    isSecurityPolicyEnabled: false,
    hasIssuesEnabled: true,
    hasProjectsEnabled: false,
    hasWikiEnabled: false,
    hasDiscussionsEnabled: false,
    mergeCommitAllowed: true,
    squashMergeAllowed: true,
    rebaseMergeAllowed: true,
    autoMergeAllowed: false,
    deleteBranchOnMerge: false,
    forkCount: 0,
    stargazerCount: 0,
    diskUsage: 1,
    licenseInfo: null,
    primaryLanguage: null,
    latestRelease: null,
    codeOfConduct: null,
    contactLinks: [],
    fundingLinks: [],
    issueTemplates: [],
    pullRequestTemplates: [],
    submodules: () => connection([]),
    viewerCanAdminister: false,
    viewerDefaultCommitEmail: null,
    viewerDefaultMergeMethod: 'MERGE',
    viewerHasStarred: false,
    viewerPossibleCommitEmails: [],
    viewerSubscription: 'SUBSCRIBED',
  };
}

function refObject(ref: string, oid: string): SchemaObject {
  return {
    __typename: 'Ref',
    id: `REF_${ref}`,
    name: ref.replace(/^refs\/(heads|tags)\//, ''),
    prefix: ref.replace(/[^/]+$/, ''),
    target: { __typename: 'Commit', oid, id: `C_${oid}` },
    branchProtectionRule: null,
  };
}

function matchingPullRequests(
  context: GraphqlContext,
  repository: HostedRepository,
  args: Args,
): PullRequest[] {
  const states = Array.isArray(args['states']) ? args['states'] : [args['states']];
  const { headRefName, baseRefName } = args;
  return context.pullRequests
    .of(repository)
    .filter((each) => states[0] == null || states.includes(each.state))
    .filter((each) => headRefName == null || each.headRefName === headRefName)
    .filter((each) => baseRefName == null || each.baseRefName === baseRefName)
    .toReversed();
}

function numbered(
  context: GraphqlContext,
  repository: HostedRepository,
  number: unknown,
): PullRequest {
  const found = context.pullRequests.of(repository).find((each) => each.number === number);
  if (found === undefined) {
    const message = `Could not resolve to a PullRequest with the number of ${String(number)}.`;
    throw new FieldError('NOT_FOUND', message);
  }
  return found;
}
