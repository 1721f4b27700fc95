import { afterEach, describe, expect, test } from 'vitest';
import { metric } from '../support/census.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { fixtures, type ServiceHandler, until } from '../support/poll.ts';
import { open, TEXT } from '../support/raw.ts';

/** What an HTTP service, the log and the metrics are told when sessions end, through a whole gateway. */

const { service, undo } = fixtures();
afterEach(undo);

async function backendAndGateway(handler: ServiceHandler) {
  const backend = await service(handler);
  const poll = `{ target: "${backend.url}", poll: { path: /poll }, send: { path: /send }, close: { path: /leave } }`;
  const gateway = await startGateway(
    `routes: [{ name: feed, match: { path: / }, auth: none, timeouts: { close: 300ms }, upstream: { poll: ${poll} } }]`,
  );
  return { backend, gateway };
}

async function counted(gateway: TestGateway): Promise<Record<string, number>> {
  const text = await gateway.metrics();
  const goodbyes = (outcome: string) => metric(text, 'sallyport_goodbyes_total', { route: 'feed', outcome });
  return {
    undelivered: metric(text, 'sallyport_undelivered_messages_total', { route: 'feed' }),
    told: goodbyes('told'),
    failed: goodbyes('failed'),
    dropped: goodbyes('dropped'),
  };
}

describe('an end', () => {
  test('is counted from nought on: what was not delivered, and whether the service was told', async () => {
    const { backend, gateway } = await backendAndGateway((request, response) => {
      if (request.url === '/leave') response.end();
    });
    await using _ = { [Symbol.asyncDispose]: () => gateway.close() };
    expect(await counted(gateway)).toEqual({ undelivered: 0, told: 0, failed: 0, dropped: 0 });
    using wire = await open(gateway.port, '/');
    wire.send(TEXT, 'taken');
    wire.send(TEXT, 'waits');
    await until(() => backend.requests.some(({ url }) => url === '/send'));
    wire.sendClose(1000, 'bye');
    const line = await gateway.logged(({ msg }) => msg === 'session ended');
    expect(line).toMatchObject({ close: 1000, up: { messages: 2 }, undelivered: 2 });
    await until(async () => (await counted(gateway)).told === 1);
    expect(await counted(gateway)).toEqual({ undelivered: 2, told: 1, failed: 0, dropped: 0 });
  });

  test('is told to the service though the gateway stops in that moment', async () => {
    const { backend, gateway } = await backendAndGateway(async (request, response) => {
      if (request.url !== '/leave') return;
      await new Promise((resolve) => setTimeout(resolve, 20));
      response.end();
    });
    for (let i = 0; i < 20; i++) await open(gateway.port, '/');
    await until(() => backend.requests.length === 20);
    await gateway.close();
    const told = backend.requests.filter(({ url }) => url === '/leave');
    expect(new Set(told.map(({ headers }) => headers['x-connection-id'])).size).toBe(20);
  });

  test('of the gateway does not wait for ever for a service that does not answer', async () => {
    const { backend, gateway } = await backendAndGateway(() => {});
    await open(gateway.port, '/');
    await until(() => backend.requests.length === 1);
    const began = performance.now();
    await gateway.close();
    expect(performance.now() - began).toBeLessThan(1_500);
  });
});
