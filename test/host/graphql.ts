/**
 * POST /graphql: what gh asks of GitHub's GraphQL, answered from the repositories on disk and the
 * pull requests made so far. A repository that the token has no access to does not exist here.
 */
import { FieldError, execute } from './graphql-execute.ts';
import type { Args, GraphqlAnswer, SchemaObject } from './graphql-execute.ts';
import { connection, userObject } from './graphql-objects.ts';
import { parseDocument } from './graphql-parse.ts';
import { pullRequestObject } from './graphql-pull-request.ts';
import { repositoryObject } from './graphql-repository.ts';
import { Unprocessable } from './pull-requests.ts';
import type { PullRequest } from './pull-requests.ts';
import type { HostedRepository } from './repositories.ts';
import type { GraphqlContext } from './graphql-context.ts';

export async function answerGraphql(
  context: GraphqlContext,
  query: string,
  variables: Readonly<Record<string, unknown>>,
): Promise<GraphqlAnswer> {
  let document;
  try {
    document = parseDocument(query);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { errors: [{ message: `Parse error: ${error.message}` }] };
  }
  return execute(document, variables, {
    query: queryObject(context),
    mutation: mutationObject(context),
  });
}

function queryObject(context: GraphqlContext): SchemaObject {
  return {
    __typename: 'Query',
    viewer: userObject(context.viewer.login),
    repository: ({ owner, name }: Args) => {
      const repository = visible(context, String(owner), String(name));
      return repositoryObject(context, repository);
    },
    repositoryOwner: ({ login }: Args) => userObject(String(login)),
    user: ({ login }: Args) => userObject(String(login)),
    organization: ({ login }: Args) => {
      throw new FieldError(
        'NOT_FOUND',
        `Could not resolve to an Organization with the login of '${String(login)}'.`,
      );
    },
    search: () => ({ ...connection([]), issueCount: 0 }),
    node: ({ id }: Args) => {
      const found = allVisible(context).find((each) => each.pullRequest.id === id);
      if (found !== undefined) {
        return pullRequestObject(context, found.repository, found.pullRequest);
      }
      const repository = context.repositories.byId(String(id));
      if (repository !== undefined && context.permissionOf(repository) !== null) {
        return repositoryObject(context, repository);
      }
      const message = `Could not resolve to a node with the global id of '${String(id)}'`;
      throw new FieldError('NOT_FOUND', message);
    },
    __type: ({ name }: Args) => typeObject(String(name)),
  };
}

/** The fields that gh's feature detection looks for; what is not listed counts as missing. */
const DETECTED: Readonly<Record<string, readonly string[]>> = {
  PullRequest: ['reviewDecision', 'statusCheckRollup', 'branchProtectionRule', 'isInMergeQueue'],
  StatusCheckRollupContextConnection: ['checkRunCount', 'checkRunCountsByState'],
  WorkflowRun: ['event'],
  Repository: ['pullRequestTemplates', 'visibility', 'autoMergeAllowed', 'issueTemplates'],
  Issue: ['stateReason'],
};

function typeObject(name: string): SchemaObject | null {
  const fields = DETECTED[name];
  if (fields === undefined) return null;
  return {
    __typename: '__Type',
    name,
    fields: () => fields.map((field) => ({ __typename: '__Field', name: field })),
    enumValues: () => [],
    inputFields: () => [],
  };
}

function mutationObject(context: GraphqlContext): SchemaObject {
  return {
    __typename: 'Mutation',
    createPullRequest: async ({ input }: Args) => createPullRequest(context, input as Args),
    // Asked for after a creation when labels, reviewers or projects are given; nothing is kept.
    updatePullRequest: () => ({ __typename: 'UpdatePullRequestPayload', clientMutationId: null }),
    requestReviews: () => ({ __typename: 'RequestReviewsPayload', clientMutationId: null }),
  };
}

async function createPullRequest(context: GraphqlContext, input: Args): Promise<SchemaObject> {
  const repository = context.repositories.byId(String(input['repositoryId']));
  if (repository === undefined || context.permissionOf(repository) === null) {
    const message = `Could not resolve to a node with the global id of '${String(input['repositoryId'])}'`;
    throw new FieldError('NOT_FOUND', message);
  }
  if (context.permissionOf(repository) !== 'write') {
    throw new FieldError('FORBIDDEN', 'Resource not accessible by personal access token');
  }
  let pullRequest: PullRequest;
  try {
    pullRequest = await context.pullRequests.create(repository, {
      title: String(input['title']),
      body: typeof input['body'] === 'string' ? input['body'] : '',
      headRefName: String(input['headRefName']),
      baseRefName: String(input['baseRefName']),
      isDraft: input['draft'] === true,
      author: context.viewer.login,
    });
  } catch (error) {
    if (!(error instanceof Unprocessable)) throw error;
    throw new FieldError('UNPROCESSABLE', error.message);
  }
  return {
    __typename: 'CreatePullRequestPayload',
    clientMutationId: null,
    pullRequest: pullRequestObject(context, repository, pullRequest),
  };
}

function visible(context: GraphqlContext, owner: string, name: string): HostedRepository {
  const lookup = context.repositories.lookup(owner, name);
  if (lookup.found === 'nothing' || context.permissionOf(lookup.repository) === null) {
    const message = `Could not resolve to a Repository with the name '${owner}/${name}'.`;
    throw new FieldError('NOT_FOUND', message);
  }
  return lookup.repository;
}

function allVisible(
  context: GraphqlContext,
): { readonly repository: HostedRepository; readonly pullRequest: PullRequest }[] {
  return context.repositories.all
    .filter((repository) => context.permissionOf(repository) !== null)
    .flatMap((repository) =>
      context.pullRequests.of(repository).map((pullRequest) => ({ repository, pullRequest })),
    );
}
