import { once } from 'node:events';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { eventually, metric } from '../support/census.ts';
import { startEcho, type Upstream } from '../support/faulty.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { type RunningServer, startRedis } from '../support/servers.ts';
import { enterAs, expectMessagesWithin, MESSAGES } from '../support/subjects.ts';
import { ISSUER, SECRET } from '../support/tokens.ts';

/** Two gateways and Debian's Redis between them, as their clients meet them. */

let redis: RunningServer;
let echo: Upstream;

beforeEach(async () => {
  redis = await startRedis();
  onTestFinished(() => redis.close());
  echo = await startEcho();
  onTestFinished(() => echo.close());
});

/** One of several that share their limits. */
async function startOne(limits: string, onFailure = 'local'): Promise<TestGateway> {
  const gateway = await startGateway(
    `
store: { redis: "redis://127.0.0.1:${redis.port}", onFailure: ${onFailure} }
issuers:
  main: { issuer: "${ISSUER}", audience: realtime, algorithms: [HS256], secret: "\${SECRET}" }
routes:
  - name: chat
    match: { path: /chat }
    origins: [https://a.test]
    auth: { issuer: main }
    limits: { ${limits} }
    timeouts: { close: 200ms }
    upstream: { websocket: "ws://127.0.0.1:${echo.port}" }`,
    { SECRET },
  );
  onTestFinished(() => gateway.close());
  return gateway;
}

function enter(gateway: TestGateway, subject = 'alice'): Promise<WebSocket | number> {
  return enterAs(subject, gateway.url('/chat'));
}

/** How many clients, by turns of these gateways, were let in. */
async function storm(gateways: readonly TestGateway[], count: number): Promise<number> {
  let open = 0;
  for (let at = 0; at < count; at += 50) {
    const clients = Array.from({ length: 50 }, (_, index) =>
      enter(gateways[index % gateways.length] as TestGateway),
    );
    for (const client of await Promise.all(clients)) if (typeof client !== 'number') open += 1;
  }
  return open;
}

test('a thousand upgrades at both of two gateways are let in as often as the limit says', async () => {
  const limits = 'upgrades: { rate: 100/h, per: origin }';
  const gateways = [await startOne(limits), await startOne(limits)];
  const open = await storm(gateways, 1_000);
  expect(open).toBeGreaterThanOrEqual(98);
  expect(open).toBeLessThanOrEqual(102);
  const refused = await Promise.all(
    gateways.map(async (gateway) =>
      metric(await gateway.metrics(), 'sallyport_limited_total', { limit: 'upgrades' }),
    ),
  );
  expect(refused.reduce((sum, count) => sum + count)).toBe(1_000 - open);
});

test('one subject has as many connections at both as the limit says, and those of others are theirs', async () => {
  const limits = 'connections: { max: 50, per: subject }';
  const gateways = [await startOne(limits), await startOne(limits)];
  expect(await storm(gateways, 100)).toBe(50);
  const [one, two] = gateways as [TestGateway, TestGateway];
  expect(await enter(one)).toBe(429);
  const other = await enter(two, 'bob');
  expect(other).toBeInstanceOf(WebSocket);
  await one.close();
  await eventually(
    async () => typeof (await enter(two)) !== 'number',
    () => 'those of the gateway that has ended are still taken',
  );
});

test('messages of one subject over sockets at both are as many as the limit says', async () => {
  const gateways = [await startOne(MESSAGES), await startOne(MESSAGES)];
  const sockets = await Promise.all(gateways.flatMap((each) => [enter(each), enter(each)]));
  await expectMessagesWithin(sockets as WebSocket[]);
});

describe('while Redis is away', () => {
  test('clients are let in by each gateway’s part, and log and metrics say so', async () => {
    const one = await startOne('upgrades: { rate: 20/h, per: origin }');
    process.kill(redis.pid as number, 'SIGKILL');
    expect(await storm([one], 50)).toBe(20);
    for (let index = 0; index < 3; index++) await storm([one], 1);
    await one.logged((line) => line.msg === 'shared store does not answer');
    expect(metric(await one.metrics(), 'sallyport_store_answering')).toBe(0);
    expect(metric(await one.metrics(), 'sallyport_store_hearing')).toBe(0);
    await one.logged((line) => line.msg === 'what other gateways tell is not heard');
    expect(metric(await one.metrics(), 'sallyport_store_outages_total')).toBe(1);
  });

  test('nobody is let in where that is wished, and told when to come again', async () => {
    const one = await startOne('connections: { max: 20, per: subject }', 'refuse');
    const before = await enter(one);
    expect(before).toBeInstanceOf(WebSocket);
    process.kill(redis.pid as number, 'SIGSTOP');
    onTestFinished(() => void process.kill(redis.pid as number, 'SIGCONT'));
    expect(await enter(one)).toBe(503);
    const refused = await one.logged((line) => line.error === 'STORE_UNAVAILABLE');
    expect(refused).toMatchObject({ status: 503 });
    const socket = before as WebSocket;
    socket.send('still there');
    const [said] = await once(socket, 'message');
    expect(String(said)).toBe('still there');
  });
});
