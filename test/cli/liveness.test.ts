import { once } from 'node:events';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { WebSocketServer } from 'ws';
import { createWebSockets } from '../../src/cli/tunnel/websocket.ts';
import { eventually, within } from '../support/patience.ts';
import { portOf } from '../support/servers.ts';

/** Gateways that vanish while nothing is said. */

const HALF_A_MINUTE = 30_000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A WebSocket of a command, and its other end, which answers pings or does not. */
async function connected(autoPong: boolean) {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, autoPong });
  await once(server, 'listening');
  const sockets = createWebSockets({ tls: () => ({}), proxyFor: () => undefined });
  const joined = once(server, 'connection');
  const socket = sockets.open(`ws://127.0.0.1:${portOf(server)}/`, []);
  const opened = new Promise((resolve) => socket.addEventListener('open', resolve));
  const [peer] = await joined;
  await within(opened, 'the handshake');
  let pings = 0;
  peer.on('ping', () => pings++);
  const closed = new Promise<number | undefined>((resolve) => {
    socket.addEventListener('close', ({ code }: { code?: number }) => resolve(code));
  });
  async function end(): Promise<void> {
    server.close();
    socket.close();
    await sockets.close();
  }
  return { peer, closed, pings: () => pings, end };
}

/** So many half minutes, each of which ends with a ping that has come there. */
async function pass(count: number, pings: () => number): Promise<void> {
  for (let index = 0; index < count; index++) {
    const wanted = pings() + 1;
    vi.advanceTimersByTime(HALF_A_MINUTE);
    await eventually(() => pings() === wanted);
  }
}

test('who does not answer for half a minute is gone', async () => {
  const { closed, pings, end } = await connected(false);
  await pass(1, pings);
  vi.advanceTimersByTime(HALF_A_MINUTE);
  expect(await within(closed, 'the end')).toBe(1006);
  expect(vi.getTimerCount()).toBe(0);
  await end();
});

test('who says anything else is there', async () => {
  const { peer, closed, pings, end } = await connected(false);
  let isClosed = false;
  void closed.then(() => {
    isClosed = true;
  });
  for (let index = 0; index < 3; index++) {
    await pass(1, pings);
    const heard = once(peer, 'pong');
    // Its own ping is answered: what it has said has come.
    peer.ping();
    await heard;
  }
  expect(isClosed).toBe(false);
  await end();
});

test('a WebSocket that has closed is not asked any more', async () => {
  const { peer, closed, end } = await connected(true);
  peer.close(1000);
  await within(closed, 'the end');
  expect(vi.getTimerCount()).toBe(0);
  await end();
});
