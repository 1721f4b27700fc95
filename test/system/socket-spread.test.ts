import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { type ReconnectingEvent, Socket } from '../../src/client/index.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { within } from '../support/patience.ts';
import { freePort } from '../support/ports.ts';

/** A thousand of the library's sockets, and a gateway that restarts. SPREAD_SHOW=1 shows the figures. */

const COUNT = 1_000;
const BUCKET_MS = 100;
/** Of all that are due, in any bucket. */
const MOST = 0.15;
/** Of all that come back: a machine that was busy for a bucket or two has those of all of them at once. */
const MOST_BACK = 2 * MOST;

async function startService(): Promise<number> {
  const service = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  service.on('connection', (socket) => socket.on('error', () => {}));
  await once(service, 'listening');
  onTestFinished(() => {
    for (const client of service.clients) client.terminate();
    service.close();
  });
  return (service.address() as { port: number }).port;
}

async function startAt(port: number, service: number): Promise<TestGateway> {
  const gateway = await startGateway(`
listeners: [{ host: 127.0.0.1, port: ${port} }]
drain: 10ms
routes:
  - { name: all, match: { path: /all }, auth: none, upstream: { websocket: "ws://127.0.0.1:${service}/" } }`);
  onTestFinished(() => gateway.close());
  return gateway;
}

/** Of these times, how many lie in each bucket from the first on. */
function bucketsOf(times: readonly number[]): number[] {
  const first = Math.min(...times);
  const counts: number[] = [];
  for (const time of times) {
    const index = Math.floor((time - first) / BUCKET_MS);
    counts[index] = (counts[index] ?? 0) + 1;
  }
  return Array.from(counts, (count) => count ?? 0);
}

/** Resolves when each has opened, with when that was. */
function opened(sockets: readonly Socket[]): Promise<number[]> {
  const times = sockets.map(async (socket) => {
    await once(socket, 'open');
    return performance.now();
  });
  return within(Promise.all(times), 'all of them', 60_000);
}

/** Resolves when each was lost, with when it is to come back: a busy machine moves what comes, but not what is due. */
function due(sockets: readonly Socket[]): Promise<number[]> {
  const times = sockets.map(async (socket) => {
    const [{ delayMs }] = (await once(socket, 'reconnecting')) as [ReconnectingEvent];
    return performance.now() + delayMs;
  });
  return within(Promise.all(times), 'the end of all of them', 60_000);
}

test('a thousand sockets come back spread after a restart', async () => {
  const [service, port] = [await startService(), await freePort()];
  const gateway = await startAt(port, service);
  const sockets = Array.from({ length: COUNT }, () => new Socket(`ws://127.0.0.1:${port}/all`));
  onTestFinished(() => {
    for (const socket of sockets) socket.close();
  });
  await opened(sockets);

  const [back, dues] = [opened(sockets), due(sockets)];
  await gateway.close();
  await startAt(port, service);
  const figures = { due: bucketsOf(await dues), back: bucketsOf(await back) };
  if (process.env.SPREAD_SHOW)
    for (const [name, counts] of Object.entries(figures)) console.log(`${name}: ${counts.join(' ')}`);
  expect(Math.max(...figures.due)).toBeLessThan(COUNT * MOST);
  expect(Math.max(...figures.back)).toBeLessThan(COUNT * MOST_BACK);
});
