import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { eventually, metric } from '../support/census.ts';
import { bearer, closeOf, connect, type Fields, opened, post } from '../support/endpoints.ts';
import { startEcho, type Upstream } from '../support/faulty.ts';
import { freshToken, TOKEN_ENV, TOKEN_ISSUER } from '../support/fresh.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { type RunningServer, startRedis } from '../support/servers.ts';

/** Tickets and new tokens at two gateways with Debian's Redis between them. */

let redis: RunningServer;
let echo: Upstream;
let gateways: [TestGateway, TestGateway];

beforeEach(async () => {
  redis = await startRedis();
  onTestFinished(() => redis.close());
  echo = await startEcho();
  onTestFinished(() => echo.close());
  gateways = [await startOne(), await startOne()];
  for (const gateway of gateways)
    await eventually(async () => metric(await gateway.metrics(), 'sallyport_store_gateways') === 2);
});

async function startOne(onFailure = 'refuse'): Promise<TestGateway> {
  const gateway = await startGateway(
    `store: { redis: "redis://127.0.0.1:${redis.port}", onFailure: ${onFailure} }
trustedProxies: [127.0.0.1]
${TOKEN_ISSUER}
routes:
  - name: chat
    match: { path: /chat }
    auth: { issuer: main, token: [ticket, header] }
    upstream: { websocket: "ws://127.0.0.1:${echo.port}" }
  - name: board
    match: { path: /board }
    auth: { issuer: main, require: { role: editor } }
    upstream: { websocket: "ws://127.0.0.1:${echo.port}" }`,
    TOKEN_ENV,
  );
  onTestFinished(() => gateway.close());
  return gateway;
}

async function ticketAt({ port }: TestGateway, fields: Fields): Promise<string> {
  const answer = await post(port, '/.sallyport/ticket?route=chat', {
    ...bearer(freshToken()),
    ...fields,
  });
  expect(answer.status, answer.body).toBe(200);
  return (JSON.parse(answer.body) as { ticket: string }).ticket;
}

test('a hundred tickets, each shown at both at once, let one in each', async () => {
  const [one, two] = gateways;
  for (let round = 0; round < 10; round++) {
    const races = Array.from({ length: 10 }, async (_, index) => {
      // From an address of its own: one of each two shows a ticket that is spent, which counts.
      const from = { 'X-Forwarded-For': `203.0.113.${10 * round + index}` };
      const ticket = await ticketAt(index % 2 === 0 ? one : two, from);
      const [first, second] = await Promise.all(
        [one, two].map(({ url }) => connect(url(`/chat?ticket=${ticket}`), from)),
      );
      return [first, second].filter((entered) => typeof entered !== 'number').length;
    });
    expect(await Promise.all(races)).toEqual(Array(10).fill(1));
  }
}, 120_000);

test('a new token that is shown at one extends sessions at both, and ends those that it does not let in', async () => {
  const [one, two] = gateways;
  const exp = Math.floor(Date.now() / 1000) + 600;
  const old = bearer(freshToken({ exp, role: 'editor' }));
  await opened(one.url('/chat'), old);
  await opened(two.url('/chat'), old);
  const closed = closeOf(await opened(two.url('/board'), old));
  const answer = await post(one.port, '/.sallyport/refresh', bearer(freshToken({ role: 'reader' })));
  expect(JSON.parse(answer.body)).toMatchObject({ extended: 2, ended: 1 });
  expect((await closed)[0]).toBe(3003);
});

test('a client without a place for its ticket hears 503, where the store is away and gateways are to refuse', async () => {
  await redis.close();
  const answer = await post(gateways[0].port, '/.sallyport/ticket', bearer(freshToken()));
  expect(answer).toMatchObject({ status: 503, body: expect.stringContaining('STORE_UNAVAILABLE') });
});
