import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { Secret } from '../../src/config/secret.ts';
import type { StoreConfig } from '../../src/config/store.ts';
import { Closers } from '../../src/gateway/closers.ts';
import { openStore } from '../../src/gateway/store.ts';
import { createLogger } from '../../src/observe/log.ts';
import type { Commons } from '../../src/store/commons.ts';
import { openRedisStore, type RedisStore } from '../../src/store/redis/index.ts';
import { unwatched } from '../../src/watched-certificates.ts';
import { makeAuthority, makeCertificate, writePair } from '../support/certificates.ts';
import { folderWith } from '../support/cli.ts';
import { eventually } from '../support/patience.ts';
import { freePort } from '../support/ports.ts';
import { redisCli } from '../support/redis.ts';
import { programPath, type RunningServer, startServer } from '../support/servers.ts';

/** What gateways share, in a Redis of each kind: a cluster, one that a Sentinel watches, one over TLS with an ACL. */

const AS_CLIENT = ['-a', 'pw', '--no-auth-warning'];

/** A Redis that is given these options in its file. */
async function startWith(
  options: (folder: string, port: number) => string[],
  more: string[] = [],
): Promise<RunningServer> {
  const server = await startServer(programPath('redis-server', 'redis-server'), async (folder, port) => {
    const file = join(folder, 'redis.conf');
    const common = ['bind 127.0.0.1', `dir ${folder}`];
    await writeFile(file, `${[...common, ...options(folder, port)].join('\n')}\n`);
    return { args: [file, ...more] };
  });
  onTestFinished(() => server.close());
  return server;
}

/** A node of a cluster, which speaks with the others on a port that was free: by itself it takes another by reckoning, and ends where that is taken. */
async function startNode(...more: string[]): Promise<RunningServer & { bus: number }> {
  const bus = await freePort();
  const options = ['cluster-enabled yes', `cluster-port ${bus}`, 'save ""', ...more];
  const node = await startWith((_folder, port) => [`port ${port}`, ...options]);
  return { ...node, bus };
}

/** Whether two gateways with this store let in ten of forty for each of two keys, and four of nine at a time. */
async function expectShared(config: Pick<StoreConfig, 'redis'> & Partial<StoreConfig>): Promise<void> {
  const whole: StoreConfig = { prefix: 'chat', onFailure: 'refuse', ...config };
  const opened = [await open(whole), await open(whole)];
  const stores = opened.map(({ store }) => store);
  const rates = stores.map((store) =>
    store.rates('chat/upgrades/subject', { count: 10, perMs: 3_600_000 }, 10),
  );
  const places = stores.map((store) => store.places('chat/connections/subject'));
  const waits = await Promise.all(
    Array.from({ length: 80 }, (_, at) => rates[at % 2]?.take(`key ${at % 4 > 1}`)),
  );
  expect(waits.filter((wait) => wait === 0)).toHaveLength(20);
  const taken = await Promise.all(Array.from({ length: 9 }, (_, at) => places[at % 2]?.acquire('alice', 4)));
  expect(taken.filter((release) => release !== undefined)).toHaveLength(4);
  await expectTold(opened.map(({ commons }) => commons));
}

/** Whether what one knows the other knows, too. */
async function expectTold(commons: readonly Commons[]): Promise<void> {
  const [one, two] = commons as [Commons, Commons];
  expect(await one.notes.put('note', 'text', 10_000)).toBe(true);
  expect([await two.notes.take('note'), await one.notes.take('note')]).toEqual(['text', undefined]);
  one.broadcast.answer('who', () => 'one');
  two.broadcast.answer('who', () => 'two');
  // At first neither knows of the other, and in a cluster that has just begun they may hear each other later.
  const told = async () => (await two.broadcast.ask('who', '', 2_000)).join() === 'two,one';
  await eventually(told, () => 'they do not hear each other', 20_000);
  const heard: string[] = [];
  one.register('some').listen({ put: ({ name }) => heard.push(name), removed: () => undefined });
  two.register('some').put({ name: 'entry', text: '', until: Date.now() + 10_000 });
  await eventually(() => heard.length > 0);
}

async function open(config: StoreConfig) {
  const closers = new Closers();
  onTestFinished(() => closers.run());
  const deps = { certificates: unwatched, onFailed() {}, logger: createLogger({ level: 'silent' }) };
  return openStore(config, deps, closers);
}

test('a cluster', async () => {
  const nodes = [await startNode(), await startNode(), await startNode()] as const;
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`);
  const [first] = nodes;
  const places = nodes.map(({ port, bus }) => `127.0.0.1:${port}@${bus}`);
  await redisCli(first.port, ['--cluster', 'create', ...places, '--cluster-yes']);
  for (const { port } of nodes)
    await eventually(
      async () => (await redisCli(port, ['CLUSTER', 'INFO'])).includes('cluster_state:ok'),
      () => 'the cluster is not whole',
      20_000,
    );
  await expectShared({ redis: addresses.slice(0, 2).map((address) => `redis://${address}`), cluster: true });
});

test('a cluster that is made whole after the gateway began is heard all the same', async () => {
  const node = await startNode('cluster-announce-ip 127.0.0.1');
  const { store, commons, shared } = await open({
    redis: [`redis://127.0.0.1:${node.port}`],
    ...{ cluster: true, prefix: 'chat', onFailure: 'local' },
  });
  expect([shared?.isAnswering, shared?.isHearing]).toEqual([false, false]);
  await redisCli(node.port, ['CLUSTER', 'ADDSLOTSRANGE', '0', '16383']);
  await eventually(() => shared?.isAnswering === true && shared.isHearing, 'it is not heard', 20_000);
  expect(await commons.notes.put('note', 'text', 10_000)).toBe(true);
  expect(await store.rates('a', { count: 1, perMs: 3_600_000 }, 1).take('key')).toBe(0);
});

test('a master that a Sentinel watches', async () => {
  const master = await startWith((_folder, port) => [`port ${port}`, 'requirepass pw', 'save ""']);
  const watches = (_folder: string, port: number) => [
    `port ${port}`,
    `sentinel monitor limits 127.0.0.1 ${master.port} 1`,
    'sentinel auth-pass limits pw',
  ];
  const sentinel = await startWith(watches, ['--sentinel']);
  const redis = [`redis://127.0.0.1:${sentinel.port}`];
  await expectShared({ redis, sentinel: 'limits', password: new Secret('pw') });
});

test('a replica that takes the place of a master which was killed', async () => {
  const common = (port: number) => [`port ${port}`, 'requirepass pw', 'masterauth pw', 'save ""'];
  const master = await startWith((_folder, port) => common(port));
  const replica = await startWith((_folder, port) => [
    ...common(port),
    `replicaof 127.0.0.1 ${master.port}`,
    'repl-diskless-sync-delay 0',
  ]);
  const watches = (_folder: string, port: number) => [
    `port ${port}`,
    `sentinel monitor limits 127.0.0.1 ${master.port} 1`,
    'sentinel auth-pass limits pw',
    'sentinel down-after-milliseconds limits 500',
    'sentinel failover-timeout limits 3000',
  ];
  const sentinel = await startWith(watches, ['--sentinel']);
  await eventually(
    async () =>
      (await redisCli(sentinel.port, ['SENTINEL', 'REPLICAS', 'limits'])).includes('master-link-status\nok'),
    'the Sentinel knows of no replica',
    20_000,
  );
  const config = {
    redis: [`redis://127.0.0.1:${sentinel.port}`],
    sentinel: 'limits',
    password: new Secret('pw'),
  };
  const stores: RedisStore[] = [];
  for (let count = 0; count < 2; count++) {
    const store = await openRedisStore({ prefix: 'chat', onFailure: 'local', ...config });
    onTestFinished(() => store.close());
    stores.push(store);
  }
  await eventually(() => stores.every(({ gateways }) => gateways === 2), 'each other', 10_000);
  const places = stores.map((store) => store.places('chat/connections/subject'));
  const takeAll = (count: number) =>
    Promise.all(Array.from({ length: count }, (_, turn) => places[turn % 2]?.acquire('alice', 6)));
  expect((await takeAll(4)).filter((release) => release !== undefined)).toHaveLength(4);

  process.kill(master.pid as number, 'SIGKILL');
  // Nobody answers by now: each has its part of what was free, and no more.
  const meanwhile = (await takeAll(20)).filter((release) => release !== undefined);
  expect(meanwhile.length).toBeLessThanOrEqual(2);
  const asked = stores.map((store) =>
    store.rates('chat/upgrades/subject', { count: 10, perMs: 3_600_000 }, 10),
  );
  let letIn = 0;
  await eventually(
    async () => {
      for (const rates of asked) if ((await rates.take('bob')) === 0) letIn += 1;
      return stores.every((store) => store.isAnswering) && (await roleOf(replica)) === 'master';
    },
    'the replica is not asked',
    20_000,
  );
  expect(letIn).toBeLessThanOrEqual(20);
  await eventually(
    async () => (await takeAll(4)).every((release) => release === undefined),
    'more places than there are',
    10_000,
  );
  await asked[0]?.take('carol');
  expect(await redisCli(replica.port, [...AS_CLIENT, 'KEYS', 'chat:bucket:*'])).toContain('carol');
});

async function roleOf({ port }: RunningServer): Promise<string | undefined> {
  return (await redisCli(port, [...AS_CLIENT, 'ROLE'])).split('\n')[0];
}

test('over TLS, with an ACL of its own', async () => {
  const authority = await makeAuthority('a company');
  const certificate = await makeCertificate({ dns: ['redis.test'] }, authority);
  const folder = await folderWith({ 'ca.pem': authority.cert });
  const { files } = await writePair(folder, 'redis', certificate);
  const server = await startWith((_folder, port) => [
    'port 0',
    `tls-port ${port}`,
    `tls-cert-file ${files.cert}`,
    `tls-key-file ${files.key}`,
    `tls-ca-cert-file ${folder}/ca.pem`,
    'tls-auth-clients no',
    'save ""',
    'user default off',
    'user sallyport on >secret ~chat:* +@all -@dangerous +info',
  ]);
  await expectShared({
    redis: [`rediss://127.0.0.1:${server.port}`],
    username: 'sallyport',
    password: new Secret('secret'),
    tls: { ca: `${folder}/ca.pem`, servername: 'redis.test' },
  });
});
