import { io, type Socket } from 'socket.io-client';
import { expect, onTestFinished, test } from 'vitest';
import { type Guarded, startGuardedExample } from '../support/example.ts';
import { within } from '../support/patience.ts';
import { startPython } from '../support/python.ts';

/** Debian's python3-socketio, that is only polled, and Socket.IO's own client, behind the cookie that the example asks for. */

const COUNT = 500;
const octets = (size: number) => Buffer.from(Array.from({ length: size }, (_, index) => (index * 31) % 251));

async function startScene(): Promise<Guarded> {
  const { port } = await startPython('polled.py');
  return startGuardedExample('engine-io', {
    'target: http://127.0.0.1:3000 }': `target: "http://127.0.0.1:${port}" }`,
    'http: http://127.0.0.1:3000': `http: "http://127.0.0.1:${port}"`,
  });
}

function connect({ gateway, ca, token }: Guarded, transport: 'websocket' | 'polling'): Socket {
  const socket = io(`https://localhost:${gateway.port}`, {
    ca: ca.toString(),
    transports: [transport],
    reconnection: false,
    forceNew: true,
    extraHeaders: { cookie: `session=${token}`, origin: 'https://app.example.com' },
  });
  onTestFinished(() => {
    socket.disconnect();
  });
  return socket;
}

function heard(socket: Socket, event: string): Promise<unknown[]> {
  const next = new Promise<unknown[]>((resolve) => {
    socket.once(event, (...given) => resolve(given));
  });
  return within(next, event, 10_000);
}

// Behind aiohttp, this service takes of a larger body what has come first.
test.each([
  ['a text', 'κόσμε 𝄞 \u0000 \u2028'],
  ['a long text', 'long '.repeat(10_000)],
  ['octets', octets(30_000)],
  ['no octets', octets(0)],
  ['a mixture', { parts: [octets(10), 'between', octets(300), null] }],
])('%s comes there and back', async (_, value) => {
  const socket = connect(await startScene(), 'websocket');
  expect(await within(socket.emitWithAck('echo', value), 'the acknowledgement')).toEqual(value);
  const shouted = heard(socket, 'shouted');
  socket.emit('shout', value, 'second');
  expect(await shouted).toEqual([value, 'second']);
  expect(socket.io.engine.transport.name).toBe('websocket');
});

test('one that polls by itself is in the same room', async () => {
  const scene = await startScene();
  const [polled, bridged] = [connect(scene, 'polling'), connect(scene, 'websocket')];
  await Promise.all([heard(polled, 'connect'), heard(bridged, 'connect')]);
  const both = [heard(polled, 'shouted'), heard(bridged, 'shouted')];
  bridged.emit('shout', 'hello');
  expect(await Promise.all(both)).toEqual([['hello'], ['hello']]);
});

test('many messages come each way in order, and the service has the last word', async () => {
  const scene = await startScene();
  const socket = connect(scene, 'websocket');
  const numbers = Array.from({ length: COUNT }, (_, index) => index);
  const texts: unknown[] = [];
  const all = new Promise<void>((resolve) => {
    socket.on('shouted', (number) => {
      if (texts.push(number) === COUNT) resolve();
    });
  });
  for (const number of numbers) socket.emit('shout', number);
  await within(all, 'all of them', 20_000);
  expect(texts).toEqual(numbers);
  const left = heard(socket, 'disconnect');
  socket.emit('leave');
  expect((await left)[0]).toBe('io server disconnect');
});
