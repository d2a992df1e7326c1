/**
 * `--owner USER[:GROUP]` → the numbers of the one who shall own the clones and the files made for
 * them. Names are those of passwd(5) and group(5) in the container, which Node cannot look up.
 */
import { readFileSync } from 'node:fs';
import { AgentError, errnoOf } from './errors.ts';
import type { Owner } from './host.ts';

export interface Accounts {
  readonly passwd: string;
  readonly group: string;
}

const SYSTEM_ACCOUNTS: Accounts = { passwd: '/etc/passwd', group: '/etc/group' };
const HIGHEST_ID = 2 ** 32 - 2;

/**
 * @param uid who runs this process. @returns null when that is the owner already.
 * @throws USAGE_INVALID for a name that nobody has, OWNER_NOT_PERMITTED when only root could do it.
 */
export function findOwner(
  text: string,
  uid: number,
  accounts: Accounts = SYSTEM_ACCOUNTS,
): Owner | null {
  const [user = '', group, ...rest] = text.split(':');
  if (user === '' || group === '' || rest.length > 0) {
    throw invalid(`expected USER or USER:GROUP, names or numbers, got "${text}"`);
  }
  const account = accountOf(user, accounts);
  const gid = group === undefined ? account.gid : groupOf(group, accounts);
  if (account.uid === uid && group === undefined) return null;
  if (uid !== 0) {
    throw new AgentError(
      'OWNER_NOT_PERMITTED',
      `--owner: expected to run as root or as ${user}, got uid ${uid}`,
    );
  }
  return { uid: account.uid, gid };
}

/** The name and home of a user, or null where passwd(5) has none of that number. */
export function accountOfUid(
  uid: number,
  { passwd }: Accounts = SYSTEM_ACCOUNTS,
): { readonly name: string; readonly home: string } | null {
  const [name, , , , , home] = entries(passwd).find((fields) => Number(fields[2]) === uid) ?? [];
  return name === undefined || home === undefined ? null : { name, home };
}

/** A number needs no entry; without one its group has the same number. */
function accountOf(user: string, { passwd }: Accounts): Owner {
  const number = numberOf(user);
  const entry = entries(passwd).find((fields) =>
    number === null ? fields[0] === user : Number(fields[2]) === number,
  );
  if (entry !== undefined) return { uid: Number(entry[2]), gid: Number(entry[3]) };
  if (number === null) throw invalid(`there is no user "${user}" in ${passwd}`);
  return { uid: number, gid: number };
}

function groupOf(name: string, { group }: Accounts): number {
  const number = numberOf(name);
  if (number !== null) return number;
  const entry = entries(group).find((fields) => fields[0] === name);
  if (entry === undefined) throw invalid(`there is no group "${name}" in ${group}`);
  return Number(entry[2]);
}

function numberOf(text: string): number | null {
  if (!/^\d+$/.test(text)) return null;
  if (Number(text) > HIGHEST_ID) throw invalid(`${text} is no user or group id`);
  return Number(text);
}

function entries(path: string): string[][] {
  try {
    return readFileSync(path, 'utf8')
      .split('\n')
      .map((line) => line.split(':'));
  } catch (error) {
    // An image may have none; numbers work there all the same.
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

function invalid(why: string): AgentError {
  return new AgentError('USAGE_INVALID', `--owner: ${why}`);
}
