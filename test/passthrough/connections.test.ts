import type { Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { closeAll, openFront, tcpUpstream } from '../support/passthrough.ts';
import { httpRoute } from '../support/route.ts';

afterEach(closeAll);

const OK = (body: string, field = '') =>
  `HTTP/1.1 200 OK\r\n${field}Content-Length: ${body.length}\r\n\r\n${body}`;

/** A front to an upstream that answers each request with the number of its connection, and then does `after`. */
async function numbered(field = '', after: (socket: Socket) => void = () => {}) {
  const sockets: Socket[] = [];
  const url = await tcpUpstream((socket) => {
    const name = String(sockets.push(socket));
    socket.on('data', () => socket.write(OK(name, field), () => after(socket)));
  });
  const front = await openFront(httpRoute(url));
  const ask = async () => (await fetch(front.url)).text();
  return { front, sockets, ask };
}

test('a connection is used again, the one used last first', async () => {
  const { sockets, ask } = await numbered();
  await Promise.all([ask(), ask(), ask()]);
  const last = await ask();
  for (let round = 0; round < 3; round += 1) expect(await ask()).toBe(last);
  expect(sockets).toHaveLength(3);
});

test('what comes on an idle connection is no answer to the next request', async () => {
  const { sockets, ask } = await numbered('', (socket) => socket.write(OK('stray')));
  expect(await ask()).toBe('1');
  await expect.poll(() => sockets[0]?.destroyed || sockets[0]?.readableEnded).toBe(true);
  expect(await ask()).toBe('2');
});

test('a connection that its service keeps for a second only is not used again', async () => {
  const { ask } = await numbered('Keep-Alive: timeout=1, max=100\r\n');
  expect([await ask(), await ask()]).toEqual(['1', '2']);
});

test('an idle connection ends before its service would end it', async () => {
  const { sockets, ask } = await numbered('Keep-Alive: timeout=2\r\n');
  expect([await ask(), await ask()]).toEqual(['1', '1']);
  await expect.poll(() => sockets[0]?.readableEnded, { timeout: 3_000 }).toBe(true);
});

test('no more than 64 are kept idle', async () => {
  const asked: Socket[] = [];
  const url = await tcpUpstream((socket) => {
    socket.on('data', () => {
      if (asked.push(socket) === 70) for (const each of asked) each.write(OK('all'));
    });
  });
  const front = await openFront(httpRoute(url));
  await Promise.all(Array.from({ length: 70 }, async () => (await fetch(front.url)).text()));
  await expect.poll(() => asked.filter(({ readableEnded }) => !readableEnded).length).toBe(64);
});

test('those in use end with the passthrough too', async () => {
  const sockets: Socket[] = [];
  const url = await tcpUpstream((socket) => void sockets.push(socket.resume()));
  const front = await openFront(httpRoute(url));
  void fetch(front.url).catch(() => undefined);
  await expect.poll(() => sockets.length).toBe(1);
  front.passthrough.close();
  expect(await front.outcome()).toMatchObject({ code: 'UPSTREAM_LOST' });
});
