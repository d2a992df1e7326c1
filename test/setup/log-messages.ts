/**
 * What the log says, and what it means to whoever reads it: the source of docs/log-messages.md.
 * test/log-messages.test.ts holds the list and the messages in agent/ together; `…` is a part that varies.
 */

export interface LogMessage {
  readonly message: string;
  /** What it means, and what there is to do. */
  readonly meaning: string;
}

export const LOG_SECTIONS: Readonly<Record<string, readonly LogMessage[]>> = {
  'The session': [
    {
      message: 'serving',
      meaning: 'The health endpoint answers at `listen`. The first line of `run`.',
    },
    {
      message: 'waiting for the manifest',
      meaning:
        'There is no manifest yet at the path of `manifest`; after `timeoutMs` the daemon ends with 65. The orchestrator has to drop it.',
    },
    {
      message: 'manifest read',
      meaning: 'The mounts of the session are known, and their tokens are wired for git and gh.',
    },
    {
      message: 'resource of another type skipped',
      meaning: 'The manifest has something that is not a repository; it is for somebody else.',
    },
    {
      message: 'tokens rotated',
      meaning:
        'A new manifest is in force; `mounts` are those whose token changed. Failed mounts are tried again.',
    },
    {
      message: 'new manifest refused; the old one stays in force',
      meaning:
        'A new manifest has a fault (`err`), or changes a url or a mount_path. Nothing has changed; drop a right one.',
    },
    { message: 'stopping', meaning: 'A signal (`signal`) ends the session.' },
    {
      message: 'the daemon failed: …',
      meaning:
        'A defect (`err`): report it. The command goes on or is ended with the daemon, as `--on-crash` says.',
    },
    {
      message: 'nobody watches over the daemon',
      meaning:
        'There may be no /bin/sh (`err`): should the daemon be killed, its command goes on, whatever `--on-crash` says.',
    },
    {
      message: 'cannot go on',
      meaning: 'The daemon ends with the exit code of `err.code`. The last line of a failed start.',
    },
  ],
  'A mount': [
    { message: 'cloning', meaning: 'An attempt begins; `attempt` counts from 1.' },
    {
      message: 'complete clone adopted',
      meaning: 'The clone of an earlier start is whole and is used as it is, without the network.',
    },
    { message: 'clone published', meaning: 'The clone is whole and stands at its mount path.' },
    { message: 'mount ready', meaning: 'The mount can be used; `durationMs` since its start.' },
    {
      message: 'mount failed; it is tried again',
      meaning: 'A failure that may pass (`err`); the next attempt is at `nextAttemptAt`.',
    },
    {
      message: 'mount failed',
      meaning:
        'No further attempt until a rotation or a new start: `err.code` and `err.remedy` say what to do.',
    },
    {
      message: 'mount cannot be watched',
      meaning: 'The mount is ready, but work at risk in it is not seen (`err`). Start again.',
    },
    {
      message: '… ended',
      meaning:
        'A process that cloned or rescued has ended (level debug); `exitCode`, `signalCode`.',
    },
  ],
  Tokens: [
    {
      message: 'the host refuses the token',
      meaning: 'Nothing can be fetched or pushed any more: rotate the token (`err.remedy`).',
    },
    {
      message: 'the token is good for a push',
      meaning: 'The host would take a push with it.',
    },
    {
      message: 'the token can read but not push: …',
      meaning:
        'Work in the mount cannot be saved by a push: give the token "Contents: Read and write".',
    },
    {
      message: 'user.name and user.email are those of the token',
      meaning: 'Commits in `mounts` are by the user that the host names for the token.',
    },
    {
      message: 'the host does not say who commits. …',
      meaning: 'Commits need a name: `git_user` in the manifest, or `--git-user`.',
    },
    {
      message: 'tokens cannot be looked at',
      meaning: 'A defect (`err`): report it. Clones and pushes are not concerned.',
    },
  ],
  'Work at risk': [
    {
      message: '…',
      meaning:
        'With `reason`, a warning in whole words: work will be lost (`deadline`: a threshold of `--warn-before` has passed), or cannot be pushed until the token is rotated (`token_refused`). Once each, until there is activity. Without it, a file of the run directory that cannot be written.',
    },
    {
      message: 'warning withdrawn: …',
      meaning: 'What was warned of is safe, or somebody is at work again (`reason`).',
    },
    {
      message: 'warning not delivered',
      meaning:
        'The program of `--on-warn` or the URL of `--warn-url` did not take a warning (`channel`, `code`); the log and AT_RISK.md have it.',
    },
    {
      message: 'warning is posted again',
      meaning:
        'The URL of `--warn-url` did not answer well (`reason`); the next attempt is at `nextAttemptAt`.',
    },
    {
      message: 'warning …',
      meaning: 'What became of a warning on its way to `channel`.',
    },
    {
      message: 'on-warn program ended',
      meaning: 'The program of `--on-warn` has ended, with its output.',
    },
    {
      message: 'the warning was not read',
      meaning: 'The program of `--on-warn` closed its standard input; that is its right.',
    },
    {
      message: 'no time for a last look at the work at risk',
      meaning:
        'At the end the mount was too large to be read once more; what was known before counts.',
    },
    {
      message: 'ending with work at risk',
      meaning:
        'The session ended with work on the disk that no host has (`atRisk`). Keep the disk, or rescue it.',
    },
    {
      message: 'no last look at the work at risk',
      meaning: 'At the end the mount could not be read (`err`); what was known before counts.',
    },
    {
      message: 'too few inotify watches for this repository: …',
      meaning:
        'Some changes are looked for at intervals, with more delay: raise fs.inotify.max_user_watches on the host.',
    },
    {
      message: 'so many changes at once: all is read again',
      meaning:
        'The kernel dropped events, so that everything is looked at once more; nothing to do.',
    },
    {
      message: 'all directories are watched again',
      meaning: 'There are enough watches now: changes are seen at once again.',
    },
    {
      message: 'ignored files are not counted',
      meaning:
        'A defect (`err`): `watch.ignored_files` and `ignored_bytes` of this mount stay as they are. Work at risk is counted all the same. Report it.',
    },
    {
      message: 'the watch of this mount has ended',
      meaning:
        'A defect (`err`): work at risk in this mount is no longer counted. Start again and report it.',
    },
    {
      message: 'the last activity cannot be written to the run directory',
      meaning: 'After a new start the time to the reclaim begins anew (`reason`).',
    },
    {
      message: 'the run directory cannot be watched; looking each minute',
      meaning: 'A `touch activity` counts with up to a minute of delay (`reason`).',
    },
    {
      message: 'the run directory is no longer watched',
      meaning: 'The same, later (level debug).',
    },
  ],
  'Rescue and restore': [
    {
      message: 'work at risk rescued',
      meaning: 'Everything at risk in the mount is in `file`; `gaps` says what is not.',
    },
    {
      message: 'rescue failed',
      meaning: 'The mount has no new rescue (`err`); an earlier one stays.',
    },
    {
      message: 'rescue',
      meaning:
        'A rescue that was begun by a warning failed (`err`); the mount has a line of its own.',
    },
    {
      message: 'no time for a rescue',
      meaning: 'At the end `--rescue-timeout` was not enough. Earlier rescues stay; keep the disk.',
    },
    { message: 'old rescues removed', meaning: 'The newest three of a mount are kept.' },
    {
      message: 'the remote was not asked',
      meaning: 'What the host has was taken from the last fetch (`err`); the rescue says so too.',
    },
    {
      message: 'not all of the work can be restored',
      meaning: 'The rescue that was announced was read to its end: `gaps` says what it lacks.',
    },
    {
      message: 'work from … can be restored with: mount-agent restore … …',
      meaning:
        'The clone is new, and `--rescue-dir` has work from before. Nothing is done unless told, or with `--restore auto`.',
    },
    { message: 'work from … restored', meaning: 'The work of a rescue is back in the mount.' },
    {
      message: 'the rescue could not be restored',
      meaning: 'The clone is there without that work (`err`); the rescue file stays.',
    },
    {
      message: 'a restore was ended in the middle; run it again: …',
      meaning: 'Until then the clone is neither as it was cloned nor as it was rescued.',
    },
    {
      message: 'rescues cannot be looked for',
      meaning:
        'The directory of `--rescue-dir` cannot be read (`err`); the clone itself is not concerned.',
    },
  ],
  'The command': [
    {
      message: 'running as PID 1 without tini: …',
      meaning:
        'Start the container with `tini --` before mount-agent, or with `docker run --init`, or have tini in PATH.',
    },
    { message: 'command started', meaning: 'The command after `--` runs as `pid`.' },
    {
      message: 'command ended',
      meaning: 'With `code` or by `signal`; the daemon ends with the same.',
    },
    {
      message: 'command did not end in time: killed',
      meaning: 'It ignored SIGTERM for `graceMs`, and got SIGKILL.',
    },
    {
      message: 'signal not sent',
      meaning: 'A signal could not be handed on to the command (`err`).',
    },
  ],
  'The endpoint': [
    {
      message: 'http listener',
      meaning: 'The listener reported a fault (`err`); probes may fail.',
    },
    {
      message: 'request failed',
      meaning: 'A defect (`err`): a request was answered with 500. Report it.',
    },
    {
      message: 'status.json not written',
      meaning: 'The run directory is full or read-only (`err`); the endpoint has the same content.',
    },
  ],
};
