/**
 * What a container may do → the config.json that runc reads (OCI runtime specification 1.0). The
 * defaults are those of `docker run`; the limits are what an orchestrator adds to them.
 */

export interface Limits {
  /** uid and gid; those of the image's user unless told. */
  readonly user?: number;
  readonly umask?: number;
  /** The root file system cannot be written to. */
  readonly isReadOnly?: boolean;
  /** No capability at all, and no new privileges. */
  readonly isPowerless?: boolean;
  readonly memoryBytes?: number;
  readonly mounts?: readonly Mount[];
}

export interface Mount {
  readonly destination: string;
  readonly type?: string;
  readonly source: string;
  readonly options: readonly string[];
}

interface ProcessSpec extends Limits {
  readonly root: string;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
}

/** What Docker leaves to a container. */
const CAPABILITIES =
  'CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_CHROOT'
    .split(' ')
    .map((name) => `CAP_${name}`);

const NO_WRITING = ['nosuid', 'noexec', 'nodev'];
const DEFAULT_MOUNTS: readonly Mount[] = [
  { destination: '/proc', type: 'proc', source: 'proc', options: NO_WRITING },
  {
    destination: '/dev',
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'strictatime', 'mode=755'],
  },
  {
    destination: '/dev/pts',
    type: 'devpts',
    source: 'devpts',
    options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
  },
  { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: [...NO_WRITING, 'mode=1777'] },
  { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...NO_WRITING, 'ro'] },
];

export function tmpfs(destination: string, ...options: string[]): Mount {
  return { destination, type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'nodev', ...options] };
}

export function bind(source: string, destination: string, ...options: string[]): Mount {
  return { destination, type: 'bind', source, options: ['rbind', ...options] };
}

export function processSpec(spec: ProcessSpec): object {
  const { root, args, env, cwd, user = 0, umask, memoryBytes } = spec;
  const bounding = spec.isPowerless === true ? [] : CAPABILITIES;
  // A user other than root has them only as the bound of what it could gain.
  const effective = user === 0 ? bounding : [];
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid: user, gid: user, ...(umask === undefined ? {} : { umask }) },
      args,
      env,
      cwd,
      capabilities: { bounding, effective, permitted: effective },
      noNewPrivileges: spec.isPowerless === true,
    },
    root: { path: root, readonly: spec.isReadOnly === true },
    hostname: 'session',
    mounts: [...DEFAULT_MOUNTS, ...(spec.mounts ?? [])],
    linux: {
      namespaces: ['pid', 'ipc', 'uts', 'mount'].map((type) => ({ type })),
      ...(memoryBytes === undefined
        ? {}
        : { resources: { memory: { limit: memoryBytes, swap: memoryBytes } } }),
    },
  };
}
