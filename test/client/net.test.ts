import { EventEmitter, once } from 'node:events';
import { createServer, Socket as NodeSocket, type Server } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { Socket as LibrarySocket } from '../../src/client/net.ts';
import { startGateway } from '../support/gateway.ts';
import { eventually, within } from '../support/patience.ts';
import { freePort } from '../support/ports.ts';
import { listenAt } from '../support/sockets.ts';

/** The library's `net` does as Node's: the same scenes on both. */

interface Scene {
  readonly socket: NodeSocket;
  readonly port: number;
  /** What happened to it, in order. */
  readonly events: string[];
}

type Begin = (service: ((socket: NodeSocket) => void) | undefined) => Promise<Scene>;

async function startService(serve: (socket: NodeSocket) => void): Promise<number> {
  const server: Server = createServer({ allowHalfOpen: true }, (socket) =>
    serve(socket.on('error', () => {})),
  );
  await listenAt({ port: 0, host: '127.0.0.1' }, server);
  return (server.address() as { port: number }).port;
}

function watch(socket: NodeSocket): string[] {
  const events: string[] = [];
  for (const name of ['connect', 'ready', 'end', 'timeout', 'close'])
    socket.on(name, () => void events.push(name));
  socket.on('error', ({ code }: NodeJS.ErrnoException) => void events.push(`error ${code}`));
  onTestFinished(() => void socket.destroy());
  return events;
}

const direct: Begin = async (serve) => {
  const port = serve === undefined ? await freePort() : await startService(serve);
  const socket = new NodeSocket();
  return { socket, port, events: watch(socket) };
};

const through: Begin = async (serve) => {
  const port = serve === undefined ? await freePort() : await startService(serve);
  const gateway = await startGateway(`routes:
  - { name: tcp, match: { path: /tcp }, auth: none, upstream: { tcp: "127.0.0.1:${port}" } }`);
  onTestFinished(() => gateway.close());
  const socket = new LibrarySocket({ url: gateway.url('/tcp') }) as unknown as NodeSocket;
  return { socket, port, events: watch(socket) };
};

const until = (events: string[], last: string) =>
  eventually(
    () => events.at(-1) === last,
    () => `${last}, but ${events}`,
  );

describe.each([
  ["Node's", direct],
  ["the library's", through],
])('a socket of %s', (_, begin) => {
  test('connects, is ready, and ends', async () => {
    const { socket, port, events } = await begin((service) => void service.end('hello'));
    expect([socket.pending, socket.connecting, socket.destroyed]).toEqual([true, false, false]);
    let called = 0;
    socket.connect(port, '127.0.0.1', () => void called++);
    expect([socket.connecting, socket.readyState]).toEqual([true, 'opening']);
    await once(socket, 'ready');
    expect([socket.connecting, socket.pending, called]).toEqual([false, false, 1]);
    const texts: string[] = [];
    socket.setEncoding('utf8').on('data', (text: string) => void texts.push(text));
    await until(events, 'close');
    expect([events, texts.join(''), socket.bytesRead]).toEqual([
      ['connect', 'ready', 'end', 'close'],
      'hello',
      5,
    ]);
    expect(socket.readyState).toBe('closed');
  });

  test('writes what it was given before it was connected', async () => {
    const { socket, port } = await begin((service) => void service.pipe(service));
    socket.connect({ port, host: '127.0.0.1' });
    socket.end('early');
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => void chunks.push(chunk));
    await within(once(socket, 'close'), 'a close');
    expect(Buffer.concat(chunks).toString()).toBe('early');
    expect(socket.bytesWritten).toBe(5);
  });

  test('is refused', async () => {
    const { socket, port, events } = await begin(undefined);
    const failed = once(socket, 'error') as Promise<[NodeJS.ErrnoException]>;
    socket.connect(port, '127.0.0.1');
    expect((await failed)[0]).toMatchObject({ code: 'ECONNREFUSED', syscall: 'connect', port });
    await until(events, 'close');
    expect(events).toEqual(['error ECONNREFUSED', 'close']);
  });

  test('is reset', async () => {
    const { socket, port, events } = await begin((service) => {
      service.once('data', () => service.resetAndDestroy());
    });
    socket.connect(port, '127.0.0.1', () => socket.write('go'));
    socket.resume();
    await until(events, 'close');
    expect(events).toEqual(['connect', 'ready', 'error ECONNRESET', 'close']);
  });

  test('tells of silence once, and not when it need not any more', async () => {
    const { socket, port, events } = await begin((service) => void service.resume());
    const listener = () => {};
    socket.connect(port, '127.0.0.1');
    await once(socket, 'ready');
    socket.setTimeout(1, listener);
    await until(events, 'timeout');
    socket.setTimeout(60_000, listener);
    expect([socket.timeout, socket.listenerCount('timeout')]).toEqual([60_000, 2]);
    socket.setTimeout(0, listener);
    expect([socket.timeout, socket.listenerCount('timeout')]).toEqual([0, 1]);
    socket.setTimeout(2 ** 31 - 1);
    socket.destroy();
    await until(events, 'close');
    expect(events.filter((name) => name === 'timeout')).toHaveLength(1);
  });

  test('that is destroyed before it is connected is only closed', async () => {
    const { socket, port, events } = await begin((service) => void service.resume());
    socket.connect(port, '127.0.0.1');
    socket.destroy();
    await until(events, 'close');
    const other = new EventEmitter();
    setTimeout(() => other.emit('later'), 50);
    await once(other, 'later');
    expect([events, socket.connecting]).toEqual([['close'], false]);
  });

  test.each([
    ['destroyed when all has gone is an end', (socket: NodeSocket) => void socket.destroy(), 'end'],
    ['reset is a reset', (socket: NodeSocket) => void socket.resetAndDestroy(), 'ECONNRESET'],
  ])('that is %s for the service', async (__, end, expected) => {
    const heard = Promise.withResolvers<string>();
    const { socket, port } = await begin((service) => {
      service.on('end', () => heard.resolve('end')).resume();
      service.on('error', ({ code }: NodeJS.ErrnoException) => heard.resolve(String(code)));
    });
    socket.connect(port, '127.0.0.1');
    await once(socket, 'ready');
    await new Promise((resolve) => socket.write('all', resolve));
    end(socket);
    expect(await within(heard.promise, 'an end')).toBe(expected);
  });

  test('may be paused, half open, and told what it need not know', async () => {
    const { socket, port } = await begin((service) => void service.pipe(service));
    socket.connect(port, '127.0.0.1');
    await once(socket, 'connect');
    expect(socket.setNoDelay(true).setKeepAlive(true, 1_000).ref().unref().ref()).toBe(socket);
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => void chunks.push(chunk)).pause();
    const sent = Buffer.alloc(300_000, 'x');
    socket.end(sent);
    expect(chunks).toEqual([]);
    socket.resume();
    await within(once(socket, 'close'), 'a close');
    expect(Buffer.concat(chunks).equals(sent)).toBe(true);
  });
});
