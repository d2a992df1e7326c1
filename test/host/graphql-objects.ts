/**
 * Small objects of GitHub's schema that stand in many places: users and connections.
 */
import type { SchemaObject } from './graphql-execute.ts';

export function userObject(login: string): SchemaObject {
  return {
    __typename: 'User',
    id: `U_${Buffer.from(login).toString('base64url')}`,
    databaseId: 1,
    login,
    name: login,
    email: `${login}@users.noreply.github.localhost`,
    url: `http://github.localhost/${login}`,
    organizations: () => connection([]),
    projects: () => connection([]),
    projectsV2: () => connection([]),
    repositories: () => connection([]),
  };
}

export function connection(nodes: readonly unknown[], total = nodes.length): SchemaObject {
  return {
    __typename: 'Connection',
    totalCount: total,
    nodes,
    edges: nodes.map((node) => ({ __typename: 'Edge', node, cursor: '' })),
    pageInfo: {
      __typename: 'PageInfo',
      hasNextPage: false,
      hasPreviousPage: false,
      startCursor: null,
      endCursor: null,
    },
  };
}
