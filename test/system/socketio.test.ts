import { io, type Socket } from 'socket.io-client';
import { describe, expect, onTestFinished, test } from 'vitest';
import { freshToken, TOKEN_ENV, TOKEN_ISSUER } from '../support/fresh.ts';
import { startGateway } from '../support/gateway.ts';
import { converse, type Events, startEvents } from '../support/socketio.ts';

/** Socket.IO's own client and server, with nothing but the websocket bridge between them. */

async function startFront(events: Events) {
  const gateway = await startGateway(
    `
${TOKEN_ISSUER}
routes:
  - name: events
    match: { path: /socket.io/* }
    auth: { issuer: main, token: [header], forward: { x-user: sub } }
    upstream: { websocket: "ws://127.0.0.1:${events.port}" }`,
    TOKEN_ENV,
  );
  onTestFinished(() => gateway.close());
  return gateway;
}

function connect(port: number, options: object): Socket {
  const alone = { transports: ['websocket'], reconnection: false, forceNew: true };
  const socket = io(`http://127.0.0.1:${port}`, { ...alone, ...options });
  onTestFinished(() => {
    socket.disconnect();
  });
  return socket;
}

describe.each([
  { server: 'on', client: 'on', negotiated: /^permessage-deflate/ },
  { server: 'on', client: 'off', negotiated: /^$/ },
  { server: 'off', client: 'on', negotiated: /^$/ },
])('deflate $server at the server, $client at the client', ({ server, client, negotiated }) => {
  test('events and acknowledgements come through whole, text and octets', async () => {
    const events = await startEvents(server === 'on');
    const gateway = await startFront(events);
    const socket = connect(gateway.port, {
      perMessageDeflate: client === 'on' && { threshold: 0 },
      extraHeaders: { authorization: `Bearer ${freshToken()}` },
    });
    const { transport, outcomes } = await converse(socket);
    expect(transport).toBe('websocket');
    expect(outcomes).toEqual(Array(22).fill('same'));
    expect(events.extensions()).toMatch(negotiated);
    expect(events.handshakes).toMatchObject([{ 'x-user': 'alice' }]);
    expect(events.handshakes[0]).not.toHaveProperty('authorization');
    expect(await gateway.logged((line) => line.msg === 'session ended')).toMatchObject({
      by: 'client',
      bridge: 'websocket',
    });
  });
});

test('a client without a token is refused, and the server never hears of it', async () => {
  const events = await startEvents(false);
  const gateway = await startFront(events);
  await expect(converse(connect(gateway.port, {}))).rejects.toThrow('websocket error');
  expect(await gateway.logged((line) => line.msg === 'upgrade refused')).toMatchObject({
    error: 'TOKEN_MISSING',
    status: 401,
  });
  expect(events.handshakes).toEqual([]);
});
