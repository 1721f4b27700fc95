import type { Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ConnectionError, type ConnectOptions, connect, type TcpConnection } from '../../src/client/index.ts';
import { eventually, within } from '../support/patience.ts';
import { tcpScene } from '../support/tcp-v1-scene.ts';
import { OPENED, startV1Server, type Visitor } from '../support/v1-server.ts';

/** How a connection of the library ends, from either side, whatever it is about. */

const RESUMABLE = { ...OPENED, resumeId: new Uint8Array(16).fill(7), resumeMs: 5_000 };
const WINDOW_BYTES = 262_144;

function open(url: string, options: ConnectOptions = {}): TcpConnection {
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  return connect(url, { signal: stop.signal, ...options });
}

/** What a promise comes to: undefined, or the code of its error. */
function outcome(promise: Promise<unknown>): Promise<number | undefined> {
  return within(
    promise.then(
      () => undefined,
      (error) => {
        expect(error).toBeInstanceOf(ConnectionError);
        return (error as ConnectionError).code;
      },
    ),
    'an end',
  );
}

/** A connection in a state, and who stands on the other side. */
async function stateOf(state: string, options?: ConnectOptions): Promise<[TcpConnection, Visitor]> {
  const first = state === 'lost' ? RESUMABLE : OPENED;
  const { url, visitor } = await startV1Server(({ say }, index) => {
    if (state !== 'opening' && index === 0) say(first);
    if (state === 'half-open') say({ type: 'FIN' });
  });
  const connection = open(url, { allowHalfOpen: true, ...options });
  if (state !== 'opening') await connection.opened;
  if (state === 'half-open') await within(connection.readable.getReader().read(), 'FIN');
  if (state !== 'lost') return [connection, await visitor()];
  (await visitor()).socket.terminate();
  await (await visitor(1)).hears('RESUME');
  return [connection, await visitor(1)];
}

const STATES = ['opening', 'open', 'half-open', 'lost'];
const CODES = [1000, 1001, 1006, 1008, 1011, 1012, 1013, 1014, 3000, 3003, 4001];

describe.each(STATES)('while %s', (state) => {
  test.each(CODES.filter((code) => state !== 'lost' || ![1001, 1006, 1011, 1012, 1013, 1014].includes(code)))(
    'a Close with %d',
    async (code) => {
      const [connection, { socket }] = await stateOf(state);
      if (code === 1006) socket.terminate();
      else socket.close(code, 'why');
      const isWell = code === 1000 && state === 'half-open';
      expect(await outcome(connection.closed)).toBe(isWell ? undefined : code);
    },
  );

  test('it may be aborted', async () => {
    const controller = new AbortController();
    const [connection, visitor] = await stateOf(state, { signal: controller.signal });
    controller.abort();
    expect(await outcome(connection.closed)).toBe(1000);
    await eventually(() => visitor.closed !== undefined, 'the end of its WebSocket');
    expect(await outcome(connection.close())).toBe(1000);
  });

  test('it may be closed, twice', async () => {
    const [connection, { say, socket, hears }] = await stateOf(state);
    const closed = [connection.close(), connection.close()];
    if (state === 'opening') say(OPENED);
    if (state === 'lost') say({ type: 'RESUMED', offset: 0, credit: 1, expiresAt: 0 });
    expect(await Promise.all(closed.map(outcome))).toEqual([undefined, undefined]);
    expect(socket.readyState).toBeGreaterThan(1);
    void hears;
  });
});

describe('a writer', () => {
  const bytes = new Uint8Array(2 * WINDOW_BYTES);

  test('that is aborted while it waits breaks the connection at once', async () => {
    const [connection, visitor] = await stateOf('open');
    const writer = connection.writable.getWriter();
    const writing = outcome(writer.write(bytes));
    await visitor.hears('DATA');
    await within(writer.abort(new Error('enough')), 'an abort');
    await visitor.hears('RESET');
    expect(visitor.heard.at(-1)).toMatchObject({ type: 'RESET', code: 1000, text: 'enough' });
    expect([await writing, await outcome(connection.closed)]).toEqual([1000, 1000]);
  });

  test('that waits hears of the end', async () => {
    const [connection, visitor] = await stateOf('open');
    const writer = connection.writable.getWriter();
    const writing = outcome(writer.write(bytes));
    await visitor.hears('DATA');
    visitor.socket.terminate();
    expect([await writing, await outcome(writer.closed)]).toEqual([1006, 1006]);
  });

  test('has its writes sent, though nobody waited for them, before a close', async () => {
    const [connection, visitor] = await stateOf('open');
    const writer = connection.writable.getWriter();
    const writes = ['a', 'b', 'c'].map((text) => writer.write(new TextEncoder().encode(text)));
    expect(await outcome(connection.close())).toBe(undefined);
    await Promise.all(writes);
    const texts = visitor.heard.map((message) =>
      message.type === 'DATA' ? new TextDecoder().decode(message.data) : '',
    );
    expect(texts.join('')).toBe('abc');
  });

  test('may give any view of bytes', async () => {
    const [connection, visitor] = await stateOf('open');
    const writer = connection.writable.getWriter();
    const shared = new Uint8Array(new SharedArrayBuffer(4)).fill(1);
    const views = [
      shared.subarray(1, 3),
      new Uint8Array([0, 2, 2, 0]).subarray(1, 3),
      new Uint16Array([0x0303]),
      new DataView(new Uint8Array([0, 4, 4]).buffer, 1),
      new Uint8Array(0),
    ];
    for (const view of views) await writer.write(view as Uint8Array);
    await writer.close();
    await visitor.hears('FIN');
    const all = visitor.heard.flatMap((message) => (message.type === 'DATA' ? [...message.data] : []));
    expect(all).toEqual([1, 1, 2, 2, 3, 3, 4, 4]);
  });

  test.each(['text', new ArrayBuffer(3), 5, undefined])(
    'that gives %s breaks the connection',
    async (chunk) => {
      const [connection, visitor] = await stateOf('open');
      const writer = connection.writable.getWriter();
      expect(await outcome(writer.write(chunk as never))).toBe(1003);
      expect(await outcome(connection.closed)).toBe(1003);
      await visitor.hears('RESET');
    },
  );

  test('that comes after the service has finished is refused', async () => {
    const [connection, visitor] = await stateOf('open', { allowHalfOpen: false });
    const writer = connection.writable.getWriter();
    visitor.say({ type: 'FIN' });
    await visitor.hears('FIN');
    expect(await outcome(writer.write(new Uint8Array(1)))).toBe(1000);
    visitor.socket.close(1000);
    expect(await outcome(connection.closed)).toBe(undefined);
  });
});

test('a reader that is cancelled breaks the connection', async () => {
  const [connection, visitor] = await stateOf('open');
  await connection.readable.cancel(new Error('enough'));
  await visitor.hears('RESET');
  expect(await outcome(connection.closed)).toBe(1000);
});

describe.each([
  ['sallyport.tcp.v1', ''],
  ['plain messages', ', tcpProtocol: off'],
])('with %s', (_, upstream) => {
  const protocols = ['binary'];

  async function scene(service: (socket: Socket) => void): Promise<TcpConnection> {
    const { gateway } = await tcpScene(service, { upstream });
    const connection = open(gateway.url('/tcp'), { protocols });
    await connection.opened;
    return connection;
  }

  test('an abort is a reset for the service', async () => {
    const ended = Promise.withResolvers<string | undefined>();
    const connection = await scene((socket) => {
      socket.on('error', ({ code }: NodeJS.ErrnoException) => ended.resolve(code));
      socket.on('end', () => ended.resolve('FIN')).resume();
    });
    await connection.writable.abort();
    expect(await within(ended.promise, 'an end')).toBe('ECONNRESET');
  });

  test('a close is one for a service that never ends, too', async () => {
    let isEnded = false;
    const connection = await scene((socket) => {
      const flood = () => {
        while (socket.writable && socket.write(Buffer.alloc(16_384)));
      };
      socket.on('error', () => {}).on('drain', flood);
      socket.on('end', () => {
        isEnded = true;
      });
      flood();
      socket.resume();
    });
    const writer = connection.writable.getWriter();
    await writer.write(new Uint8Array(1));
    expect(await outcome(connection.close())).toBe(undefined);
    expect(isEnded).toBe(true);
  });
});

test('plain messages that come while nobody reads are kept in order, to the end', async () => {
  const { url, visitor } = await startV1Server(() => {}, 'binary');
  const connection = open(url, { protocols: ['binary'] });
  const { socket } = await visitor();
  const sent = Array.from({ length: 40 }, (_, index) => Buffer.alloc(50_000, index));
  for (const part of sent) socket.send(part);
  socket.close(1000);
  await connection.opened;
  const all = Buffer.from(await within(new Response(connection.readable as never).arrayBuffer(), 'all'));
  expect(all.equals(Buffer.concat(sent))).toBe(true);
  expect(await outcome(connection.closed)).toBe(undefined);
});

test('more plain messages than may be unread end the connection', async () => {
  const { url, visitor } = await startV1Server(() => {}, 'binary');
  const connection = open(url, { protocols: ['binary'] });
  const { socket } = await visitor();
  for (let sent = 0; sent < 18; sent++) socket.send(Buffer.alloc(1024 * 1024));
  expect(await outcome(connection.closed)).toBe(1009);
});
