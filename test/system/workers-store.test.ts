import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { eventually, metric } from '../support/census.ts';
import { bearer, connect, post } from '../support/endpoints.ts';
import { freshToken } from '../support/fresh.ts';
import { type RunningServer, startRedis } from '../support/servers.ts';
import { expectMessagesWithin, MESSAGES } from '../support/subjects.ts';
import {
  endingsOf,
  enter,
  enterMany,
  expectFilledAgain,
  type Serving,
  sessionsOf,
  startWorkers,
} from '../support/workers.ts';

/** Two gateways of two processes each, with Debian's Redis between them: each process is a member of its own. */

let redis: RunningServer;

beforeEach(async () => {
  redis = await startRedis();
  onTestFinished(() => redis.close());
});

/** Resolves when all of `gateways` know each other. */
async function startSeveral(limits = '', auth = '', gateways = 2): Promise<Serving[]> {
  const store = `workers: 2\nstore: { redis: "redis://127.0.0.1:${redis.port}" }\ntrustedProxies: [127.0.0.1]`;
  const all = await Promise.all(Array.from({ length: gateways }, () => startWorkers(limits, store, auth)));
  for (const gateway of all) await known(gateway, 2 * gateways);
  return all;
}

async function known(gateway: Serving, processes: number): Promise<void> {
  await eventually(
    async () => metric(await gateway.metrics(), 'sallyport_store_gateways') === processes,
    () => `not ${processes} processes know each other`,
    15_000,
  );
}

test('a thousand upgrades are let in as often as the limit says', async () => {
  const gateways = await startSeveral('upgrades: { rate: 100/h, per: origin }');
  const open = await Promise.all(gateways.map((gateway) => enterMany(gateway, 500)));
  expect(open.flat().length).toBe(100);
  for (const gateway of gateways)
    expect(metric(await gateway.metrics(), 'sallyport_store_answering')).toBe(1);
}, 60_000);

test('one subject has as many connections as the limit says, also when a worker has died', async () => {
  const [one, two] = (await startSeveral('connections: { max: 20, per: subject }')) as [Serving, Serving];
  const open = [...(await enterMany(one, 15)), ...(await enterMany(two, 15))];
  expect(open.length).toBe(20);
  const codes = endingsOf(open);
  process.kill(one.workers().get(1) as number, 'SIGKILL');
  await eventually(
    () => codes.length > 0,
    () => 'nobody of the worker that has died has ended',
  );
  await expectFilledAgain(two, open, 20_000);
  expect(await enter(one)).toBe(429);
}, 60_000);

test('messages of one subject over sockets at all are as many as the limit says', async () => {
  const gateways = await startSeveral(MESSAGES);
  const sockets = await Promise.all(gateways.map((gateway) => enterMany(gateway, 2)));
  await expectMessagesWithin(sockets.flat());
}, 60_000);

test('who is revoked at one leaves all, and comes in nowhere, also at a worker that has begun since', async () => {
  const [one, two] = (await startSeveral()) as [Serving, Serving];
  const sockets = [...(await enterMany(one, 6)), ...(await enterMany(two, 6))];
  const others = await enterMany(two, 4, 'bob');
  const codes = endingsOf(sockets);
  expect((await one.ask('/revocations', 'POST', '{"subject": "alice"}')).status).toBe(200);
  await eventually(
    () => codes.length === 12,
    () => `${codes.length} have ended`,
  );
  expect(codes).toEqual(Array(12).fill(3000));
  const [number, pid] = [...two.workers()][0] as [number, number];
  process.kill(pid, 'SIGKILL');
  await eventually(
    () => two.workers().get(number) !== pid,
    () => 'nobody has taken its place',
  );
  for (const gateway of [one, two, one, two]) expect(await enter(gateway)).toBe(401);
  expect(others.some(({ readyState }) => readyState === WebSocket.OPEN)).toBe(true);
  const pages = await Promise.all([one, two].map((gateway) => sessionsOf(gateway)));
  expect(pages.map(({ open }) => open)).toEqual([0, others.filter((each) => each.readyState === 1).length]);
}, 60_000);

test('a ticket, shown to all workers at once, lets in one', async () => {
  const gateways = await startSeveral('', ', token: [ticket, header]');
  const races = Array.from({ length: 20 }, async (_, index) => {
    // From an address of its own: tickets that are spent count.
    const fields = { 'X-Forwarded-For': `203.0.113.${index}`, Origin: 'https://a.test' };
    const { port } = gateways[index % 2] as Serving;
    const answer = await post(port, '/.sallyport/ticket?route=chat', { ...bearer(freshToken()), ...fields });
    expect(answer.status, answer.body).toBe(200);
    const { ticket } = JSON.parse(answer.body) as { ticket: string };
    const shown = [...gateways, ...gateways].map((gateway) =>
      connect(`ws://127.0.0.1:${gateway.port}/chat?ticket=${ticket}`, fields),
    );
    return (await Promise.all(shown)).filter((entered) => typeof entered !== 'number').length;
  });
  expect(await Promise.all(races)).toEqual(Array(20).fill(1));
}, 60_000);

test('while Redis is away each process lets in its part, says so once, and all is shared again afterwards', async () => {
  const [gateway] = (await startSeveral('upgrades: { rate: 40/h, per: origin }', '', 1)) as [Serving];
  await redis.close();
  expect((await enterMany(gateway, 100)).length).toBeLessThanOrEqual(40);
  await eventually(async () => metric(await gateway.metrics(), 'sallyport_store_answering') === 0);
  const told = () => gateway.lines().filter(({ msg }) => msg === 'shared store does not answer');
  // Its log comes by a way of its own.
  await eventually(() => told().length >= 2);
  expect(
    told()
      .map(({ worker }) => worker)
      .sort(),
  ).toEqual([1, 2]);
  redis = await startRedis(redis.port);
  onTestFinished(() => redis.close());
  await eventually(
    async () => {
      await enterMany(gateway, 4);
      const text = await gateway.metrics();
      return metric(text, 'sallyport_store_answering') === 1 && metric(text, 'sallyport_store_hearing') === 1;
    },
    () => 'Redis is not asked again',
    5_000,
  );
}, 60_000);

test('without Redis from the start all processes together let in no more than the limit', async () => {
  const port = redis.port;
  await redis.close();
  const more = `workers: 2\nstore: { redis: "redis://127.0.0.1:${port}" }`;
  const gateway = await startWorkers('upgrades: { rate: 40/h, per: origin }', more);
  expect((await enterMany(gateway, 100)).length).toBe(40);
}, 60_000);

test('who is revoked while Redis is away leaves all workers of the gateway, and is let in again by all', async () => {
  const [gateway] = (await startSeveral('', '', 1)) as [Serving];
  const codes = endingsOf(await enterMany(gateway, 6));
  await redis.close();
  expect((await gateway.ask('/revocations', 'POST', '{"subject": "alice"}')).status).toBe(200);
  await eventually(
    () => codes.length === 6,
    () => `${codes.length} have ended`,
  );
  for (let index = 0; index < 4; index++) expect(await enter(gateway)).toBe(401);
  expect((await gateway.ask('/revocations?subject=alice', 'DELETE')).status).toBe(204);
  for (let index = 0; index < 4; index++) expect(await enter(gateway)).toBeInstanceOf(WebSocket);
}, 60_000);
