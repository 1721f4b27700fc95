import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { opened } from '../../src/cli/tunnel/opening.ts';
import { ConnectionError, type TcpConnection } from '../../src/client/index.ts';
import { Command, dial, endOf } from '../support/commands.ts';
import { freshToken } from '../support/fresh.ts';
import { startGateway } from '../support/gateway.ts';
import { eventually } from '../support/patience.ts';
import { freePort } from '../support/ports.ts';
import { portOf } from '../support/servers.ts';
import { listenAt } from '../support/sockets.ts';
import { echo, mute, type Scene, type Service, tcpScene } from '../support/tcp-v1-scene.ts';

/** What the commands say of a gateway that does not let a connection be made, and when they try again. */

interface Row extends Scene {
  readonly service?: Service;
  readonly path?: string;
  readonly token?: string;
  /** So many connections are there already. */
  readonly before?: number;
  readonly said: RegExp;
}

const AUTH = '{ issuer: main, require: { scope: sql } }';

describe('a real gateway refuses', () => {
  test.each<[string, Row | (() => Promise<Row>)]>([
    [
      'who has no token (401)',
      {
        auth: AUTH,
        said: /the gateway does not accept the token \(A token is required\.\): give it a valid one by --token-file/,
      },
    ],
    [
      'whose token has ended (401)',
      {
        auth: AUTH,
        token: freshToken({ exp: 1 }),
        said: /does not accept the token \(The token has expired\.\): give/,
      },
    ],
    [
      'whose token does not suffice (403)',
      {
        auth: AUTH,
        token: freshToken({ scope: 'chat' }),
        said: /the gateway does not permit this \(The token does not permit this\.\): the token, this address or the target/,
      },
    ],
    [
      'a path that leads nowhere (404)',
      {
        path: '/nowhere',
        said: /the gateway has no route for this URL \(404 .*No route leads here\.\): check its path/,
      },
    ],
    [
      'an address that is no other one (400)',
      {
        path: '/tcp?address=db.example:5432',
        said: /the gateway finds no target in this URL \(This address leads to one service.*\): say HOST:PORT where/,
      },
    ],
    [
      'who comes too often (429)',
      {
        route: 'limits: { upgrades: { rate: 1/m, per: route, burst: 1 } },',
        before: 1,
        said: /too many connections or requests \(Too many upgrades and requests per route; slow down\.\): end some, or try again in \d+ s; the route limits them/,
      },
    ],
    [
      'who has too many (429)',
      {
        route: 'limits: { connections: { max: 1, per: address } },',
        before: 1,
        said: /\(Too many open connections per address\.\): (end some, or )?try again in 5 s/,
      },
    ],
    [
      'where there is no service (502)',
      async () => ({
        target: `127.0.0.1:${await freePort()}`,
        said: /the gateway does not reach the service \(The upstream could not be reached\.\): see whether it runs/,
      }),
    ],
    [
      'where the service breaks at once',
      {
        service: (socket) => void socket.on('error', () => {}).once('data', () => socket.resetAndDestroy()),
        said: /the service has broken the connection \(The upstream ended the connection unexpectedly\.\): its own log/,
      },
    ],
    [
      'when it is full (503)',
      {
        route: 'limits: { connections: { max: 1, per: route } },',
        before: 1,
        said: /the gateway or the service is busy, or restarts \(.*\): try again in \d+ s/,
      },
    ],
  ])('%s', async (_, row) => {
    const {
      service = mute,
      path = '/tcp',
      token,
      before = 0,
      said,
      ...scene
    } = typeof row === 'function' ? await row() : row;
    const { gateway } = await tcpScene(service, scene);
    const env: Record<string, string> = token === undefined ? {} : { SALLYPORT_TOKEN: token };
    const command = new Command(['forward', gateway.url(path)], { env, isErrorTTY: true });
    const [port = 0] = await command.ports();
    for (let count = 0; count < before; count++) dial(port);
    await eventually(() => command.err.split('opened').length > before);
    const client = dial(port);
    client.write('x');
    expect(await endOf(client)).toBe('ECONNRESET');
    await eventually(() => /sallyport: /.test(command.err));
    expect(command.err).toMatch(said);
  });
});

describe('--retry', () => {
  test('tries again until the gateway is there', async () => {
    const port = await freePort();
    const command = new Command(['forward', `ws://127.0.0.1:${port}/tcp`, '--retry', '20s']);
    const client = dial((await command.ports())[0] ?? 0);
    client.end('hello');
    await once(client, 'connect');
    const server = createServer({ allowHalfOpen: true }, echo);
    await listenAt({ port: 0, host: '127.0.0.1' }, server);
    await using _gateway = await startGateway(`listeners: [{ host: 127.0.0.1, port: ${port} }]
drain: 1s
routes: [{ name: tcp, match: { path: /tcp }, auth: none, upstream: { tcp: "127.0.0.1:${portOf(server)}" } }]`);
    expect(await text(client)).toBe('hello');
    expect(command.err).toBe('');
  });

  test('ends with the program that waits for it', async () => {
    const port = await freePort();
    const command = new Command(['forward', `ws://127.0.0.1:${port}/tcp`, '--retry', '1h'], {
      isErrorTTY: true,
    });
    const client = dial((await command.ports())[0] ?? 0);
    await once(client, 'connect');
    client.resetAndDestroy();
    await eventually(() => /left after/.test(command.err));
    expect(await command.end()).toBe(0);
  });

  test('says what Retry-After says, as seconds or as a date', async () => {
    let after = '7';
    const server = createHttpServer().on('upgrade', (_, socket) => {
      socket.end(
        `HTTP/1.1 503 No\r\nRetry-After: ${after}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
      );
    });
    await listenAt({ port: 0, host: '127.0.0.1' }, server);
    const command = new Command(['forward', `ws://127.0.0.1:${portOf(server)}/`]);
    const [port = 0] = await command.ports();
    expect(await endOf(dial(port))).toBe('ECONNRESET');
    after = new Date(Date.now() + 60_000).toUTCString();
    expect(await endOf(dial(port))).toBe('ECONNRESET');
    expect(command.err).toMatch(
      /restarts \(503\): try again in 7 s\n.*restarts \(503\): try again in (5\d|60) s\n$/s,
    );
  });
});

describe('an attempt', () => {
  const never = new AbortController().signal;

  /** Attempts that fail in turn, and then one that goes well; how many there were. */
  async function attempts(failures: readonly Error[], retryMs: number) {
    let count = 0;
    const open = () => {
      const error = failures[count++];
      const opening = error === undefined ? Promise.resolve({}) : Promise.reject(error);
      return { opened: opening } as unknown as TcpConnection;
    };
    const outcome = await opened(open, { retryMs, signal: never }).then(
      () => 'open',
      (error: Error) => error.message,
    );
    return { count, outcome };
  }

  const hour = 3_600_000;
  const busy = (text: string) => new ConnectionError(1013, text);

  test.each<[string, Error[], number, { count: number; outcome: string }]>([
    ['is made once where nobody said otherwise', [busy('no')], 0, { count: 1, outcome: 'no' }],
    ['is made again where that may help', [busy('no')], hour, { count: 2, outcome: 'open' }],
    ['is not made again for a token', [new ConnectionError(3000, 'no')], hour, { count: 1, outcome: 'no' }],
    ['is not made again for a limit', [new ConnectionError(1008, 'no')], hour, { count: 1, outcome: 'no' }],
    ['is not made again for what is no answer', [new Error('no')], hour, { count: 1, outcome: 'no' }],
    [
      'waits as long as it is told to, and not beyond the end',
      [busy('Later. Try again in 9 s.')],
      8_000,
      { count: 1, outcome: 'Later. Try again in 9 s.' },
    ],
    [
      'is made again after a limit that says when',
      [new ConnectionError(1008, 'Too many. Try again in 1 s.')],
      hour,
      { count: 2, outcome: 'open' },
    ],
  ])('%s', async (_, failures, retryMs, expected) => {
    expect(await attempts(failures, retryMs)).toEqual(expected);
  });
});
