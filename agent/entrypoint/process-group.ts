/**
 * Who hears a signal for the command: its process group, so that a shell's children hear it too. The
 * command leads a group of its own unless we have a terminal: only setsid gives it one from Node, and
 * that would take the terminal away from it (no job control, no Ctrl-C). proc_pid_stat(5), kill(2).
 */
import { readFileSync, readdirSync } from 'node:fs';
import { errnoOf } from '../errors.ts';

export interface OwnStat {
  /** A controlling terminal, whatever standard input and output are. */
  readonly hasTerminal: boolean;
  /** Our process group is the one that the terminal's keys go to. */
  readonly isInForeground: boolean;
}

export function readOwnStat(): OwnStat {
  // ppid pgrp session tty_nr tpgid, after the state.
  const [, , pgrp, , tty = '0', tpgid] = fieldsOf('self') ?? [];
  return { hasTerminal: tty !== '0', isInForeground: tty !== '0' && pgrp === tpgid };
}

/** @param pid of the command. @throws EPERM */
export function signalCommand(pid: number, leadsGroup: boolean, signal: NodeJS.Signals): void {
  if (leadsGroup) {
    send(-pid, signal);
    return;
  }
  // Nothing can be caught then, so nobody passes it on. Children first: theirs is lost with the parent.
  if (signal === 'SIGKILL') for (const each of descendantsOf(pid)) send(each, signal);
  send(pid, signal);
}

function send(target: number, signal: NodeJS.Signals): void {
  try {
    process.kill(target, signal);
  } catch (error) {
    // Nobody is left to hear it.
    if (errnoOf(error) !== 'ESRCH') throw error;
  }
}

/** Whether anybody is left in it; a zombie that nobody waits for is not. */
export function isGroupAlive(pgid: number): boolean {
  return processes().some(({ fields: [state, , pgrp] }) => pgrp === String(pgid) && state !== 'Z');
}

/** Children before their parents. */
function descendantsOf(pid: number): number[] {
  const all = processes();
  const below = (parent: number): number[] =>
    all
      .filter(({ fields }) => fields[1] === String(parent))
      .flatMap((child) => [...below(child.pid), child.pid]);
  return below(pid);
}

function processes(): { readonly pid: number; readonly fields: readonly string[] }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), fields: fieldsOf(name) ?? [] }));
}

/** From the state on: the name before it may hold anything. */
function fieldsOf(pid: string): string[] | null {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ESRCH') return null;
    throw error;
  }
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}
