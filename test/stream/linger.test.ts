import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, onTestFinished, test } from 'vitest';
import { linger } from '../../src/stream/linger.ts';
import { eventually } from '../support/census.ts';
import { portOf } from '../support/servers.ts';

/** Both ends of a connection; neither ends because the other does. */
async function pair(): Promise<{ socket: Socket; peer: Socket }> {
  const server: Server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const peer = connect({ port: portOf(server), host: '127.0.0.1', allowHalfOpen: true });
  const [socket] = (await once(server, 'connection')) as [Socket];
  server.close();
  onTestFinished(() => void socket.destroy());
  onTestFinished(() => void peer.on('error', () => {}).destroy());
  return { socket, peer };
}

test('what was written arrives, an end behind it, and it is over when the peer ends as well', async () => {
  const { socket, peer } = await pair();
  socket.write('last words');
  peer.write('x'.repeat(100_000));
  const lingering = linger(socket, 60_000);
  expect(await text(peer)).toBe('last words');
  peer.end();
  await lingering;
  expect(socket.destroyed).toBe(true);
});

test('nobody is handed what still comes', async () => {
  const { socket, peer } = await pair();
  let handed = 0;
  socket.on('data', () => handed++);
  const lingering = linger(socket, 60_000);
  peer.end('more');
  await lingering;
  expect({ handed, read: socket.bytesRead }).toEqual({ handed: 0, read: 4 });
});

test('a peer that goes on and on is read no further than a bound, then cut off', async () => {
  const { socket, peer } = await pair();
  peer.on('error', () => {}).write(Buffer.alloc(64 * 2 ** 20));
  await Promise.race([
    linger(socket, 60_000),
    eventually(
      () => socket.closed,
      () => `still open after ${socket.bytesRead} bytes`,
    ),
  ]);
  expect(socket.bytesRead).toBeLessThan(2 ** 20);
});

test('what is not out yet goes out first', async () => {
  const { socket, peer } = await pair();
  socket.write(Buffer.alloc(16 * 2 ** 20));
  const lingering = linger(socket, 60_000);
  peer.on('error', () => {}).write(Buffer.alloc(2 ** 20));
  await eventually(() => socket.isPaused());
  expect(socket.destroyed).toBe(false);
  peer.resume();
  await lingering;
  expect(socket.writableFinished).toBe(true);
});

test('a silent peer is cut off when its time is up', async () => {
  const { socket, peer } = await pair();
  peer.resume();
  await linger(socket, 20);
  expect(socket.closed).toBe(true);
});

test('a socket that has closed is over at once, and one that is destroyed when it has closed', async () => {
  const { socket } = await pair();
  socket.destroy();
  await linger(socket, 60_000);
  expect(socket.closed).toBe(true);
  await linger(socket, 60_000);
});
