import { createHash } from 'node:crypto';
import type { Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  ConnectionError,
  type ConnectOptions,
  connect,
  type TcpConnection,
  type WebSocketLike,
} from '../../src/client/index.ts';
import { freshToken, TOKEN_ISSUER } from '../support/fresh.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { eventually, within } from '../support/patience.ts';
import { freePort } from '../support/ports.ts';
import { startCuttingRelay } from '../support/relays.ts';
import { tcpScene } from '../support/tcp-v1-scene.ts';

/** The client library, by the WebSocket of Node, through a gateway to services on real sockets. */

interface Scene {
  readonly gateway: TestGateway;
  readonly url: string;
  open(options?: ConnectOptions): TcpConnection;
}

async function scene(service: (socket: Socket) => void, upstream = '', auth = 'none'): Promise<Scene> {
  const issuers = TOKEN_ISSUER;
  const { gateway } = await tcpScene((socket) => service(socket.on('error', () => {})), {
    upstream,
    auth,
    issuers,
  });
  const url = gateway.url('/tcp');
  return { gateway, url, open: (options) => opened(url, options) };
}

function opened(url: string, options?: ConnectOptions): TcpConnection {
  const connection = connect(url, options);
  onTestFinished(() => void connection.close().catch(() => {}));
  return connection;
}

const echo = (socket: Socket) => void socket.pipe(socket);

async function write({ writable }: TcpConnection, text: string, isLast = false): Promise<void> {
  const writer = writable.getWriter();
  await writer.write(new TextEncoder().encode(text));
  if (isLast) await writer.close();
  writer.releaseLock();
}

/** All that comes until the end, as text. */
async function textOf({ readable }: TcpConnection): Promise<string> {
  return within(new Response(readable as never).text(), 'the end of a stream');
}

/** Bytes that repeat late, and their digest. */
function numbered(length: number): { bytes: Uint8Array; digest: string } {
  const numbers = new Uint32Array(Math.ceil(length / 4)).map((_, index) => (index * 2_654_435_761) >>> 0);
  const bytes = new Uint8Array(numbers.buffer, 0, length);
  return { bytes, digest: digestOf([bytes]) };
}

function digestOf(chunks: readonly Uint8Array[]): string {
  const hash = createHash('sha256');
  for (const chunk of chunks) hash.update(chunk);
  return hash.digest('hex');
}

async function failureOf(promise: Promise<unknown>): Promise<ConnectionError> {
  const error = await within(
    promise.then(
      () => undefined,
      (thrown) => thrown,
    ),
    'a failure',
  );
  expect(error).toBeInstanceOf(ConnectionError);
  return error as ConnectionError;
}

describe('a connection', () => {
  test('says how it was made, and carries bytes both ways', async () => {
    const { open, gateway } = await scene(echo);
    const connection = open();
    const { id } = await gateway.logged(({ msg }) => msg === 'session opened');
    expect(await connection.opened).toEqual({ session: id, peer: '', protocol: 'sallyport.tcp.v1' });
    await write(connection, 'one two', true);
    expect(await textOf(connection)).toBe('one two');
    await within(connection.closed, 'the end');
  });

  test('may be finished by the client before the service has begun to answer', async () => {
    const { open } = await scene((socket) => {
      let all = '';
      socket.on('data', (chunk) => {
        all += chunk;
      });
      socket.on('end', () => socket.end(all.toUpperCase()));
    });
    const connection = open();
    await write(connection, 'hello', true);
    expect(await textOf(connection)).toBe('HELLO');
    await within(connection.closed, 'the end');
  });

  test('that the service has finished is finished, unless it may be half open', async () => {
    const { open } = await scene((socket) => void socket.end('bye').resume());
    const connection = open();
    expect(await textOf(connection)).toBe('bye');
    await within(connection.closed, 'the end');

    let heard = '';
    const patient = await scene((socket) => {
      socket.end('bye').on('data', (chunk) => {
        heard += chunk;
      });
    });
    const half = patient.open({ allowHalfOpen: true });
    expect(await textOf(half)).toBe('bye');
    await write(half, 'still here', true);
    await within(half.closed, 'the end');
    expect(heard).toBe('still here');
  });

  test('that nobody reads makes the service wait', async () => {
    const { bytes, digest } = numbered(2 * 1024 * 1024);
    let service: Socket | undefined;
    const { open, gateway } = await scene((socket) => {
      service = socket;
      socket.end(bytes);
    });
    const connection = open();
    await connection.opened;
    await eventually(() => (service?.bytesWritten ?? 0) > 256 * 1024);
    const [line] = await Promise.all([
      gateway.logged(({ msg }) => msg === 'session ended'),
      collect(connection).then((chunks) => expect(digestOf(chunks)).toBe(digest)),
    ]);
    expect(line).toMatchObject({ clean: true, down: { bytes: bytes.length } });
  });

  test('carries much, both ways at once', async () => {
    const { bytes, digest } = numbered(3 * 1024 * 1024 + 17);
    const { open } = await scene(echo);
    const connection = open();
    const writer = connection.writable.getWriter();
    const writing = writer.write(bytes).then(() => writer.close());
    expect(digestOf(await collect(connection))).toBe(digest);
    await within(Promise.all([writing, connection.closed]), 'the end');
  });

  test('may be written nothing to', async () => {
    const { open } = await scene(echo);
    const connection = open();
    await write(connection, '');
    await write(connection, 'still here', true);
    expect(await textOf(connection)).toBe('still here');
  });

  test('that is closed while much comes, and may be resumed, drops all of it', async () => {
    const { open, gateway } = await scene(
      (socket) => void socket.end(Buffer.alloc(1024 * 1024)),
      ', resume: 20s',
    );
    const connection = open();
    await connection.opened;
    await within(connection.close(), 'the end');
    expect(await gateway.logged(({ msg }) => msg === 'session ended')).toMatchObject({ clean: true });
  });

  test('that the service resets is broken', async () => {
    const { open } = await scene((socket) => void socket.resetAndDestroy());
    const connection = open();
    expect(await failureOf(textOf(connection))).toMatchObject({ code: 1014 });
    expect(await failureOf(connection.closed)).toMatchObject({ code: 1014, error: 'connection_terminated' });
  });

  test('that is aborted is a reset for the service', async () => {
    let ended = '';
    const { open } = await scene((socket) => {
      socket.on('error', ({ code }: NodeJS.ErrnoException) => {
        ended = code ?? '';
      });
      socket.resume();
    });
    const controller = new AbortController();
    const connection = open({ signal: controller.signal });
    await connection.opened;
    controller.abort();
    await failureOf(connection.closed);
    await eventually(() => ended === 'ECONNRESET');
  });

  test('goes on over other WebSockets, and nothing is lost or doubled', async () => {
    const { bytes, digest } = numbered(1024 * 1024);
    const { gateway } = await scene(echo, ', resume: 20s');
    await using relay = await startCuttingRelay(gateway.port);
    const connection = opened(`ws://127.0.0.1:${relay.port}/tcp`);
    await connection.opened;
    const writer = connection.writable.getWriter();
    const writing = writer.write(bytes).then(() => writer.close());
    const chunks: Uint8Array[] = [];
    const reader = connection.readable.getReader();
    let received = 0;
    for (let next = 100_000; ; ) {
      const { value, done } = await within(reader.read(), 'bytes', 20_000);
      if (done) break;
      chunks.push(value);
      received += value.length;
      if (received < next) continue;
      next += 200_000;
      relay.cut();
    }
    expect(digestOf(chunks)).toBe(digest);
    await within(Promise.all([writing, connection.closed]), 'the end');
    expect(relay.cuts).toBeGreaterThan(2);
  }, 40_000);
});

test('an attempt that is aborted leaves no WebSocket', async () => {
  const { url } = await scene(echo);
  const made: WebSocket[] = [];
  const controller = new AbortController();
  const open = (...where: [string, string[]]) => {
    const socket = new WebSocket(...where);
    made.push(socket);
    // Behind the library's own listener.
    queueMicrotask(() => socket.addEventListener('open', () => controller.abort()));
    return socket as unknown as WebSocketLike;
  };
  await failureOf(connect(url, { open, signal: controller.signal }).closed);
  await eventually(() => made.length === 1 && made[0]?.readyState === WebSocket.CLOSED);
});

describe('another relay, or a gateway that speaks plain messages', () => {
  test('is spoken with', async () => {
    const { open } = await scene(echo, ', tcpProtocol: off');
    const connection = open({ protocols: ['binary'] });
    expect(await connection.opened).toEqual({ session: '', peer: '', protocol: 'binary' });
    await write(connection, 'one');
    const reader = connection.readable.getReader();
    expect(await reader.read()).toEqual({ done: false, value: new TextEncoder().encode('one') });
    reader.releaseLock();
    await within(connection.close(), 'the end');
  });
});

describe('a token', () => {
  const AUTH = '{ issuer: main, token: [subprotocol] }';
  const inMs = (ms: number) => (Date.now() + ms) / 1000;

  test('is shown, and replaced before it ends', async () => {
    const { open, gateway } = await scene(echo, '', AUTH);
    let asked = 0;
    // The first third of what is left, two seconds at least, is the time for a new one.
    const token = async () => freshToken({ exp: inMs(asked++ === 0 ? 2_400 : 60_000) });
    const connection = open({ token });
    expect((await connection.opened).protocol).toBe('sallyport.tcp.v1');
    await eventually(() => asked === 2);
    await write(connection, 'still here', true);
    expect(await textOf(connection)).toBe('still here');
    await gateway.logged(({ msg }) => msg === 'session ended');
    expect(JSON.stringify(gateway.log)).not.toContain('eyJ');
  });

  test('that cannot be had any more ends the connection', async () => {
    const { open } = await scene(echo, '', AUTH);
    let asked = 0;
    const connection = open({
      token() {
        if (asked++ > 0) throw new Error('signed out');
        return freshToken({ exp: inMs(2_300) });
      },
    });
    expect(await failureOf(connection.closed)).toMatchObject({
      code: 3000,
      message: 'no new token: signed out',
    });
  });

  test('that is not accepted is the reason of the end', async () => {
    const { open } = await scene(echo, '', AUTH);
    expect(await failureOf(open({ token: 'x.y.z' }).opened)).toMatchObject({
      code: 3000,
      error: 'http_request_denied',
    });
    expect(await failureOf(open().opened)).toMatchObject({ code: 3000, message: 'A token is required.' });
  });
});

describe('a connection that is not made', () => {
  test('says why: the service is not there', async () => {
    const gateway = await startGateway(`routes:
  - { name: tcp, match: { path: /tcp }, auth: none, upstream: { tcp: "127.0.0.1:${await freePort()}" } }`);
    onTestFinished(() => gateway.close());
    const { opened: opening } = opened(gateway.url('/tcp'));
    const failure = await failureOf(opening);
    expect(failure).toMatchObject({ code: 1014, error: 'connection_refused', mayRetry: true });
    expect(failure.message).toBe('The upstream could not be reached.');
  });

  test('is tried again for as long as it may, where that may help', async () => {
    const port = await freePort();
    const connection = opened(`ws://127.0.0.1:${port}/tcp`, { retryMs: 10_000 });
    const gateway = await startGateway(`
listeners: [{ host: 127.0.0.1, port: ${port} }]
routes:
  - { name: tcp, match: { path: /tcp }, auth: none, upstream: { tcp: "127.0.0.1:${await freePort()}" } }`);
    onTestFinished(() => gateway.close());
    await gateway.logged(({ error }) => error === 'UPSTREAM_REFUSED');
    void connection.close().catch(() => {});
  });

  test('says why: nobody is there', async () => {
    const connection = opened('ws://127.0.0.1:1/');
    expect(await failureOf(connection.opened)).toMatchObject({ code: 1006 });
    expect((await failureOf(connection.closed)).code).toBe(1006);
    expect((await failureOf(textOf(connection))).code).toBe(1006);
    expect((await failureOf(write(connection, 'x'))).code).toBe(1006);
  });

  test('says why: there is no token', async () => {
    const { open } = await scene(echo);
    const connection = open({ token: () => Promise.reject(new Error('nobody is signed in')) });
    expect(await failureOf(connection.opened)).toMatchObject({ code: 3000, message: 'nobody is signed in' });
  });
});

async function collect({ readable }: TcpConnection): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  const reader = readable.getReader();
  for (;;) {
    const { value, done } = await within(reader.read(), 'bytes', 20_000);
    if (done) return chunks;
    chunks.push(value);
  }
}
