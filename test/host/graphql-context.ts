/**
 * What GraphQL resolvers see of the host: one caller's view.
 */
import type { PullRequestRegistry } from './pull-requests.ts';
import type { HostedRepository, RepositoryRegistry } from './repositories.ts';
import type { Identity, Permission } from './tokens.ts';

export interface GraphqlContext {
  readonly viewer: Identity;
  readonly repositories: RepositoryRegistry;
  readonly pullRequests: PullRequestRegistry;
  permissionOf(repository: HostedRepository): Permission | null;
}
