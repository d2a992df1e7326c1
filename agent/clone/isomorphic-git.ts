/** What a clone uses of isomorphic-git: the build leaves the rest of it out. */
export { addRemote, fetch, init } from 'isomorphic-git';
