import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { store } from '../../../src/config/store.ts';
import { tryRedis } from '../../../src/store/redis/trial.ts';

test('a cluster whose slots nobody serves is none to share anything in', async () => {
  const server = createServer((socket) => {
    // It knows of no slot.
    socket.on('error', () => undefined).on('data', () => socket.write('*0\r\n'));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const config = store.parse({
    redis: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cluster: true,
  });
  await expect(tryRedis(config, undefined, AbortSignal.timeout(5_000))).rejects.toThrow(
    'see that each of its slots is served',
  );
});

test('a server that says nothing is given up when time is up', async () => {
  const server = createServer((socket) => void socket.on('error', () => undefined)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const redis = `redis://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const trial = tryRedis(store.parse({ redis }), undefined, AbortSignal.timeout(50));
  await expect(trial).rejects.toThrow('timeout');
});
