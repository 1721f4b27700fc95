import { createServer } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  ConnectionError,
  type ConnectOptions,
  connect,
  Socket,
  type TcpConnection,
  type Token,
} from '../../src/client/index.ts';
import { eventually, within } from '../support/patience.ts';
import { freePort } from '../support/ports.ts';
import { listenAt } from '../support/sockets.ts';
import { OPENED, startV1Server } from '../support/v1-server.ts';

/** What the library waits for, and for how long: tokens, gateways, answers. */

const never = () => new Promise<never>(() => {});
const RESUMABLE = { ...OPENED, resumeId: new Uint8Array(16).fill(7), resumeMs: 2_000 };

function open(url: string, options: ConnectOptions = {}): TcpConnection {
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  return connect(url, { signal: stop.signal, ...options });
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

/** How a socket ends. */
function ended(url: string, token: Token, openTimeoutMs?: number): Promise<string> {
  const socket = new Socket(url, { token, openTimeoutMs, backoff: { firstMs: 60_000 } } as object);
  onTestFinished(() => socket.close());
  return within(
    new Promise<string>((resolve) => {
      socket.onclose = ({ code, reason }) => resolve(`close ${code} ${reason}`);
      socket.onreconnecting = ({ error }) => resolve(`reconnecting ${error.code} ${error.message}`);
    }),
    'an end',
  );
}

/** Takes TCP connections, and says nothing. */
async function startMute(): Promise<string> {
  const server = createServer((socket) => void socket.on('error', () => {}));
  await listenAt({ port: 0, host: '127.0.0.1' }, server);
  return `ws://127.0.0.1:${(server.address() as { port: number }).port}/`;
}

describe('what does not come in time', () => {
  const late = {
    code: 1006,
    error: 'connection_timeout',
    message: 'no answer within 0.05 s',
    mayRetry: true,
  };

  test.each([
    ['an answer to the handshake', startMute, undefined],
    ['OPENED', async () => (await startV1Server(() => {})).url, undefined],
    ['a token', startMute, never],
  ])('is given up: %s', async (_, start, token) => {
    const connection = open(await start(), { openTimeoutMs: 50, token });
    expect(await failureOf(connection.opened)).toMatchObject(late);
    expect(await failureOf(connection.closed)).toMatchObject(late);
  });

  test('leaves no WebSocket', async () => {
    const { url, visitor } = await startV1Server(() => {});
    await failureOf(open(url, { openTimeoutMs: 50 }).opened);
    const { closed } = await visitor();
    await eventually(async () => (await visitor()).closed !== undefined, `a close, not ${closed}`);
  });

  test('ends the connection: AUTH_OK', async () => {
    const expiresAt = Date.now() + 2_050;
    const { url, visitor } = await startV1Server(({ say }) => say({ ...OPENED, expiresAt }));
    const connection = open(url, { openTimeoutMs: 400, token: async () => 't' });
    await connection.opened;
    await (await visitor()).hears('AUTH');
    expect(await failureOf(connection.closed)).toMatchObject({ ...late, message: 'no answer within 0.4 s' });
  });

  test('makes the connection go on over another WebSocket, where it can: AUTH_OK, and RESUMED', async () => {
    const expiresAt = Date.now() + 2_050;
    const { url, visitor } = await startV1Server(({ say }, index) => {
      if (index === 0) say({ ...RESUMABLE, resumeMs: 20_000, expiresAt });
      if (index === 2) say({ type: 'RESUMED', offset: 0, credit: 1, expiresAt: 0 }, { type: 'FIN' });
    });
    const connection = open(url, { openTimeoutMs: 400, token: async () => 't' });
    await (await visitor()).hears('AUTH');
    await (await visitor(1)).hears('RESUME');
    await (await visitor(2)).hears('RESUME');
    await (await visitor(2)).hears('FIN');
    (await visitor(2)).socket.close(1000);
    await within(connection.closed, 'the end');
    expect((await visitor(2)).offered).toBe('sallyport.tcp.v1, sallyport.tcp.resume, bearer, t');
  });

  test('never comes where Infinity is allowed', async () => {
    const { url, visitor } = await startV1Server(() => {});
    const connection = open(url, { openTimeoutMs: Infinity });
    (await visitor()).say(OPENED);
    expect(await within(connection.opened, 'an open connection')).toMatchObject({ session: 's1' });
  });

  test('is tried again by a socket', async () => {
    expect(await ended(await startMute(), 't', 50)).toBe('reconnecting 1006 no answer within 0.05 s');
    expect(await ended(await startMute(), never, 50)).toBe('reconnecting 1006 no answer within 0.05 s');
  });
});

describe('a lost connection that can go on', () => {
  test('is not asked for again and again at a gateway that drops whoever comes', async () => {
    const { url, visitors } = await startV1Server(({ say, socket }, index) => {
      if (index === 0) say(RESUMABLE);
      socket.ping('', false, () => socket.terminate());
    });
    const connection = open(url);
    expect(await failureOf(connection.closed)).toMatchObject({ code: 1006 });
    expect(visitors.length).toBeLessThan(20);
  });

  test('ends where the gateway no longer has it', async () => {
    const { url } = await startV1Server(({ say, socket }, index) => {
      if (index === 0) say(RESUMABLE);
      else say({ type: 'FAILED', code: 4410, error: '', text: 'gone' });
      if (index === 0) socket.ping('', false, () => socket.terminate());
    });
    expect(await failureOf(open(url).closed)).toMatchObject({ code: 4410, reason: 'gone', mayRetry: false });
  });

  test('grants what was read while it was away', async () => {
    const window = 262_144;
    const { url, visitor } = await startV1Server(({ say }, index) => {
      if (index > 0) return;
      say(RESUMABLE);
      for (let sent = 0; sent < window; sent += 65_536) say({ type: 'DATA', data: Buffer.alloc(65_536) });
    });
    const connection = open(url);
    await connection.opened;
    await (await visitor()).hears('ACK');
    (await visitor()).socket.terminate();
    await (await visitor(1)).hears('RESUME');
    expect((await visitor(1)).heard[0]).toMatchObject({ offset: window, credit: 0 });
    const reader = connection.readable.getReader();
    for (let read = 0; read < window; ) read += (await reader.read()).value?.length ?? 0;
    (await visitor(1)).say({ type: 'RESUMED', offset: 0, credit: window, expiresAt: 0 });
    await (await visitor(1)).hears('WINDOW');
    expect((await visitor(1)).heard.at(-1)).toEqual({ type: 'WINDOW', credit: window });
  });
});

describe('a token', () => {
  const throwing = () => {
    throw new Error('signed out');
  };
  test.each([
    ['that is thrown for', throwing, 'signed out'],
    ['that is rejected', () => Promise.reject(new Error('signed out')), 'signed out'],
    ['that is empty', () => '', 'the token is empty'],
    ['that is empty from the start', '', 'the token is empty'],
    ['that is undefined', () => undefined as unknown as string, 'the token is empty'],
  ])('%s ends the attempt with 3000', async (_, token, message) => {
    const { url, visitors } = await startV1Server();
    expect(await failureOf(open(url, { token }).closed)).toMatchObject({ code: 3000, message });
    expect(await ended(url, token)).toBe(`close 3000 ${message}`);
    expect(visitors).toEqual([]);
  });

  test('that cannot be fetched for want of a network is asked for again', async () => {
    const { url } = await startV1Server();
    const nobody = `http://127.0.0.1:${await freePort()}/`;
    const fetched = async () => (await fetch(nobody)).text();
    expect(await ended(url, fetched)).toBe('reconnecting 1006 fetch failed');
    expect(await failureOf(open(url, { token: fetched }).closed)).toMatchObject({
      code: 1006,
      mayRetry: true,
    });
  });

  test('that no subprotocol can carry is in no message', async () => {
    const { url } = await startV1Server();
    const error = await failureOf(open(url, { token: 'se/cret' }).closed);
    expect(error).toMatchObject({ code: 1002, mayRetry: false });
    expect(`${error.message} ${await ended(url, 'se/cret')}`).not.toContain('cret');
  });

  test('may say for itself whether it helps to ask again', async () => {
    const { url } = await startV1Server();
    let asked = 0;
    const token = () => {
      if (asked++ === 0) throw new ConnectionError(1013, 'the identity provider is busy');
      return 't';
    };
    expect(await open(url, { token, retryMs: 5_000 }).opened).toMatchObject({ session: 's1' });
  });

  test('that is over already, and always the same, is asked for in pauses that grow', async () => {
    const expiresAt = Date.now() - 60_000;
    const { url, visitor } = await startV1Server((visitor) => {
      visitor.say({ ...OPENED, expiresAt });
      visitor.socket.on('message', () => visitor.say({ type: 'AUTH_OK', expiresAt }));
    });
    const asked: number[] = [];
    open(url, {
      token() {
        asked.push(performance.now());
        return 't';
      },
    });
    await visitor();
    await eventually(() => asked.length === 4, 'four', 5_000);
    const [first = 0, second = 0, third = 0, fourth = 0] = asked;
    expect(second - first).toBeGreaterThan(200);
    expect(third - second).toBeGreaterThan(400);
    expect(fourth - third).toBeGreaterThan(800);
  });

  test('that is good for months is not asked for before that', async () => {
    const expiresAt = Date.now() + 100 * 24 * 3_600_000;
    const { url, visitor } = await startV1Server(({ say }) => say({ ...OPENED, expiresAt }));
    let asked = 0;
    const connection = open(url, { token: () => `t${++asked}` });
    await connection.opened;
    (await visitor()).say({ type: 'FIN' });
    await (await visitor()).hears('FIN');
    (await visitor()).socket.close(1000);
    await within(connection.closed, 'the end');
    expect(asked).toBe(1);
  });
});

describe('an attempt that may be repeated', () => {
  test.each([1012, 1013, 1014])('is, after FAILED with %d', async (code) => {
    const { url } = await startV1Server(({ say, socket }, index) => {
      if (index > 0) return say(OPENED);
      say({ type: 'FAILED', code, error: '', text: 'later' });
      socket.close(code);
    });
    expect(await within(open(url, { retryMs: 5_000 }).opened, 'an open one')).toMatchObject({
      session: 's1',
    });
  });

  test.each([1008, 3000, 3003, 4410])('is not, after FAILED with %d', async (code) => {
    const { url, visitors } = await startV1Server(({ say, socket }) => {
      say({ type: 'FAILED', code, error: 'http_request_denied', text: 'no' });
      socket.close(code);
    });
    const expected = { code, reason: 'no', error: 'http_request_denied', mayRetry: false };
    expect(await failureOf(open(url, { retryMs: 60_000 }).opened)).toMatchObject(expected);
    expect(visitors.length).toBe(1);
  });
});
