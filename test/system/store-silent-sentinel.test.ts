import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { store } from '../../src/config/store.ts';
import { openRedis } from '../../src/store/redis/link.ts';

/** Sentinels of which the first takes connections, and says nothing: its process stands still. */

async function listen(): Promise<{ readonly port: number; readonly asked: Promise<unknown> }> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined).resume();
    onTestFinished(() => void socket.destroy());
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, asked: once(server, 'connection') };
}

test('one that is silent is passed over for the next', async () => {
  const [silent, next] = [await listen(), await listen()];
  const redis = [silent, next].map(({ port }) => `redis://127.0.0.1:${port}`);
  const link = openRedis(store.parse({ redis, sentinel: 'main' }));
  onTestFinished(() => link.close());
  await silent.asked;
  expect(await next.asked).toBeDefined();
}, 15_000);
