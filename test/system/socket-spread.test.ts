import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { Socket } from '../../src/client/index.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { within } from '../support/patience.ts';
import { freePort } from '../support/ports.ts';

/** A thousand of the library's sockets, and a gateway that restarts. SPREAD_SHOW=1 shows the figures. */

const COUNT = 1_000;
const BUCKET_MS = 100;
/** Of all that come back, in any bucket. */
const MOST = 0.15;

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
drain: 1s
routes:
  - { name: all, match: { path: /all }, auth: none, upstream: { websocket: "ws://127.0.0.1:${service}/" } }`);
  onTestFinished(() => gateway.close());
  return gateway;
}

/** Resolves when each has opened, with how many did in each bucket after the first. */
async function opened(sockets: readonly Socket[]): Promise<number[]> {
  const times = sockets.map(async (socket) => {
    await once(socket, 'open');
    return performance.now();
  });
  const all = await within(Promise.all(times), 'all of them', 60_000);
  const first = Math.min(...all);
  const buckets: number[] = [];
  for (const time of all) {
    const index = Math.floor((time - first) / BUCKET_MS);
    buckets[index] = (buckets[index] ?? 0) + 1;
  }
  return Array.from(buckets, (count) => count ?? 0);
}

test('a thousand sockets come back spread after a restart', async () => {
  const [service, port] = [await startService(), await freePort()];
  const gateway = await startAt(port, service);
  const sockets = Array.from({ length: COUNT }, () => new Socket(`ws://127.0.0.1:${port}/all`));
  onTestFinished(() => {
    for (const socket of sockets) socket.close();
  });
  await opened(sockets);

  const back = opened(sockets);
  await gateway.close();
  await startAt(port, service);
  const buckets = await back;
  if (process.env.SPREAD_SHOW) console.log(`${BUCKET_MS} ms each: ${buckets.join(' ')}`);
  expect(buckets.reduce((sum, count) => sum + count, 0)).toBe(COUNT);
  expect(Math.max(...buckets)).toBeLessThan(COUNT * MOST);
});
