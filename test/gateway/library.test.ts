import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import WebSocket, { WebSocketServer } from 'ws';
import {
  type ConfigInput,
  createGateway,
  createLogger,
  type Gateway,
  GatewayError,
  type GatewayOptions,
} from '../../src/index.ts';
import { folderWith } from '../support/cli.ts';
import { freshToken } from '../support/fresh.ts';
import { within } from '../support/patience.ts';
import { ISSUER, SECRET } from '../support/tokens.ts';

/** The gateway as a program uses it: through what the package exports, and nothing else. */

let echo: WebSocketServer;
let upstream: string;

beforeAll(async () => {
  echo = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  echo.on('connection', (socket, { headers, url }) => {
    socket.send(JSON.stringify({ url, user: headers['x-user'] }));
    socket.on('message', (data) => socket.send(data));
  });
  await once(echo, 'listening');
  upstream = `ws://127.0.0.1:${(echo.address() as AddressInfo).port}`;
});
afterAll(() => void echo.close());

function config(changes: Partial<ConfigInput> = {}): ConfigInput {
  return {
    listeners: [{ host: '127.0.0.1', port: 0 }],
    routes: [{ name: 'chat', match: { path: '/chat' }, auth: 'none', upstream: { websocket: upstream } }],
    ...changes,
  };
}

async function start(given: ConfigInput | string, options: GatewayOptions = {}): Promise<Gateway> {
  const gateway = await createGateway(given, options);
  onTestFinished(() => gateway.close({ deadlineMs: 0 }));
  return gateway;
}

/** What the service saw of a client that got in; rejects with the status it was refused with. */
async function greeting(port: number | undefined, path = '/chat', headers = {}): Promise<{ user?: string }> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers });
  const [text] = await within(once(socket, 'message'), 'a message');
  socket.close();
  await once(socket, 'close');
  return JSON.parse(String(text)) as { user?: string };
}

const portOf = (gateway: Gateway) => gateway.addresses[0]?.port;

describe('a configuration', () => {
  test('may be plain data', async () => {
    expect(await greeting(portOf(await start(config())))).toMatchObject({ url: '/chat' });
  });

  test('may be YAML, with an environment that the program gives', async () => {
    const yaml = `listeners: [{ host: 127.0.0.1, port: 0 }]
routes: [{ name: a, match: { path: /chat }, auth: none, upstream: { websocket: "\${UPSTREAM}" } }]`;
    const gateway = await start(yaml, { env: { UPSTREAM: upstream } });
    expect(await greeting(portOf(gateway))).toMatchObject({ url: '/chat' });
  });

  test('says all that is wrong with it, and where', async () => {
    const wrong = { ...config(), drain: 'soon', rotes: [] } as unknown as ConfigInput;
    await expect(createGateway(wrong)).rejects.toThrow(
      `configuration has 2 problems:
  configuration drain: "soon" is not a duration like 250ms, 30s, 5m or 12h
  configuration rotes: unknown key; did you mean routes?`,
    );
  });

  test('that is the name of a file is told apart', async () => {
    await expect(createGateway('gate.yaml')).rejects.toThrow(/is the name of a file.*loadConfig/);
  });

  test('gives its warnings to the log', async () => {
    const lines: string[] = [];
    const destination = new Writable({
      write(chunk, _, done) {
        lines.push(String(chunk));
        done();
      },
    });
    const open = { ...config().routes[0], auth: 'none' as const, keepalive: 'off' as const };
    const routes = [open] as ConfigInput['routes'];
    await start(config({ listeners: [], routes }), { logger: createLogger({ destination }) });
    await expect.poll(() => lines.join('')).toContain('a client that vanishes');
    // It is how gateways are made that are attached.
    expect(lines.join('')).not.toContain('nothing listens');
  });
});

describe('events', () => {
  test('tell of sessions, their ends, and refusals', async () => {
    const gateway = await start(config());
    const heard: unknown[] = [];
    gateway.on('session', ({ route }) => heard.push(['session', route]));
    const undo = gateway.on('session', () => heard.push('never'));
    undo();
    const ended = new Promise<void>((resolve) => {
      gateway.on('ended', (session, { code, by }) => {
        heard.push(['ended', session.route, code, by, session.down.messages]);
        resolve();
      });
    });
    gateway.on('refused', ({ path }, { code }) => heard.push(['refused', path, code]));
    await greeting(portOf(gateway));
    await within(ended, 'the end of the session');
    await expect(greeting(portOf(gateway), '/none')).rejects.toThrow('404');
    expect(heard).toEqual([
      ['session', 'chat'],
      ['ended', 'chat', 1005, 'client', 1],
      ['refused', '/none', 'NO_ROUTE'],
    ]);
  });

  test('whose listeners fail touch no connection', async () => {
    const gateway = await start(config());
    const later = vi.fn(() => Promise.reject(new Error('later')));
    gateway.on('session', later);
    gateway.on('session', () => {
      throw new Error('at once');
    });
    expect(await greeting(portOf(gateway))).toMatchObject({ url: '/chat' });
    expect(later).toHaveBeenCalledOnce();
  });
});

describe('authorize', () => {
  const issuers: ConfigInput['issuers'] = {
    main: { issuer: ISSUER, audience: 'realtime', algorithms: ['HS256'], secret: SECRET },
  };
  const guarded = () =>
    config({
      issuers,
      routes: [
        {
          name: 'chat',
          match: { path: '/chat' },
          auth: { issuer: 'main', forward: { 'x-user': '/account/name' } },
          timeouts: { handshake: '1s' },
          upstream: { websocket: upstream },
        },
      ],
    });
  const bearer = () => ({ authorization: `Bearer ${freshToken()}` });

  test('is asked about whom the configuration lets in, and adds to what is known of them', async () => {
    const asked = vi.fn(() => ({ claims: { account: { name: 'Alice' } } }));
    const gateway = await start(guarded(), { authorize: asked });
    await expect(greeting(portOf(gateway))).rejects.toThrow('401');
    expect(asked).not.toHaveBeenCalled();
    expect(await greeting(portOf(gateway), '/chat', bearer())).toMatchObject({ user: 'Alice' });
    expect(asked).toHaveBeenCalledWith(
      expect.objectContaining({ path: '/chat' }),
      expect.objectContaining({ route: 'chat', subject: 'alice', issuer: ISSUER }),
    );
  });

  test.each<[string, NonNullable<GatewayOptions['authorize']>, string]>([
    ['false', () => false, '403'],
    ['false, later', async () => false, '403'],
    [
      'an error of its choice',
      () => {
        throw new GatewayError('ADDRESS_REFUSED');
      },
      '403',
    ],
    ['an error of its own', () => Promise.reject(new Error('out of order')), '500'],
    ['nothing in time', () => new Promise(() => {}), '503'],
  ])('refuses with %s', async (_, authorize, status) => {
    const gateway = await start(guarded(), { authorize });
    await expect(greeting(portOf(gateway), '/chat', bearer())).rejects.toThrow(status);
  });

  test.each<[string, NonNullable<GatewayOptions['authorize']>, string]>([
    ['an end that is no number', () => ({ expiresAt: Number.NaN }), '500'],
    ['an end that has passed', () => ({ expiresAt: Date.now() - 1 }), '401'],
    ['an error that it returns', () => new GatewayError('FORBIDDEN') as unknown as false, '403'],
  ])('refuses with %s', async (_, authorize, status) => {
    const gateway = await start(guarded(), { authorize });
    await expect(greeting(portOf(gateway), '/chat', bearer())).rejects.toThrow(status);
  });

  test('cannot change what is remembered of a token', async () => {
    let times = 0;
    const gateway = await start(guarded(), {
      authorize(_, { claims }) {
        if (times++ === 0) Object.assign(claims, { account: { name: 'Mallory' } });
        return undefined;
      },
    });
    const headers = bearer();
    for (let turn = 0; turn < 2; turn += 1)
      expect(await greeting(portOf(gateway), '/chat', headers)).not.toHaveProperty('user');
  });

  test('lets in with true, or without a word, on routes that ask for nothing else, too', async () => {
    for (const answer of [true, undefined]) {
      const gateway = await start(config(), { authorize: () => answer });
      expect(await greeting(portOf(gateway))).toMatchObject({ url: '/chat' });
    }
  });

  test('may end what it lets in', async () => {
    const routes = guarded().routes;
    const gateway = await start(config({ issuers, routes }), {
      authorize: () => ({ expiresAt: Date.now() + 50 }),
    });
    const ended = new Promise((resolve) => gateway.on('ended', (_, { error }) => resolve(error?.code)));
    const socket = new WebSocket(`ws://127.0.0.1:${portOf(gateway)}/chat`, { headers: bearer() });
    const [code] = await within(once(socket, 'close'), 'the end');
    expect([code, await ended]).toEqual([3000, 'TOKEN_EXPIRED']);
  });
});

describe('route', () => {
  const two = () => {
    const routes = ['stable', 'canary', 'other'].map((name) => ({
      name,
      match: { path: name === 'other' ? '/other' : '/chat' },
      auth: 'none' as const,
      upstream: { websocket: `${upstream}/${name}` },
    }));
    return config({ routes });
  };

  test('chooses among the routes that fit a request', async () => {
    const route: GatewayOptions['route'] = ({ headers }) =>
      headers.some(([name]) => name.toLowerCase() === 'x-canary') ? 'canary' : undefined;
    const gateway = await start(two(), { route });
    expect(await greeting(portOf(gateway))).toMatchObject({ url: '/stable' });
    expect(await greeting(portOf(gateway), '/chat', { 'X-Canary': '1' })).toMatchObject({ url: '/canary' });
  });

  test.each(['other', 'nobody'])('leads nowhere by the name %s, which does not fit', async (name) => {
    const gateway = await start(two(), { route: () => name });
    await expect(greeting(portOf(gateway))).rejects.toThrow('404');
  });
});

describe('attach', () => {
  let server: Server;

  async function listening(): Promise<number> {
    server = createServer((_, response) => response.end('the program’s own page'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    return (server.address() as AddressInfo).port;
  }

  test('takes the upgrades of a server whose pages stay its own', async () => {
    const port = await listening();
    const gateway = await start(config({ listeners: [] }));
    gateway.attach(server);
    expect(await greeting(port)).toMatchObject({ url: '/chat' });
    expect(await (await fetch(`http://127.0.0.1:${port}/chat`)).text()).toBe('the program’s own page');
    await expect(greeting(port, '/none')).rejects.toThrow('404');
  });

  test('leaves to other listeners what no route takes', async () => {
    const port = await listening();
    const own = new WebSocketServer({ noServer: true });
    server.on('upgrade', (request, socket, head) => {
      if (request.url !== '/own') return;
      own.handleUpgrade(request, socket, head, (ws) => ws.send('{"url":"its own"}'));
    });
    const gateway = await start(config({ listeners: [] }));
    gateway.attach(server);
    expect(await greeting(port, '/own')).toMatchObject({ url: 'its own' });
    expect(await greeting(port)).toMatchObject({ url: '/chat' });
  });

  test('of two gateways lets each take its own, and refuses what is neither’s', async () => {
    const port = await listening();
    const other = config({ listeners: [] });
    const routes = other.routes.map((route) => ({ ...route, match: { path: '/other' } }));
    for (const given of [config({ listeners: [] }), { ...other, routes }]) {
      const gateway = await start(given);
      gateway.attach(server);
      gateway.attach(server);
      expect(server.listenerCount('upgrade')).toBe(1);
    }
    expect(await greeting(port)).toMatchObject({ url: '/chat' });
    expect(await greeting(port, '/other')).toMatchObject({ url: '/other' });
    await expect(greeting(port, '/none')).rejects.toThrow('404');
  });

  test('survives a client that resets what nobody takes', async () => {
    const port = await listening();
    server.on('upgrade', () => {});
    const gateway = await start(config({ listeners: [] }));
    gateway.attach(server);
    const socket = connect(port, '127.0.0.1');
    const lost = once(server, 'upgrade');
    socket.write(
      'GET /none HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
    );
    const [{ socket: taken }] = (await lost) as [IncomingMessage];
    const closed = new Promise((resolve) => taken.on('close', resolve));
    socket.resetAndDestroy();
    await within(closed, 'the end of the socket');
    expect(await greeting(port)).toMatchObject({ url: '/chat' });
  });

  test('does not let a 101 overtake an answer', async () => {
    server = createServer(() => {});
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const gateway = await start(config({ listeners: [] }));
    gateway.attach(server);
    const { port } = server.address() as AddressInfo;
    const socket = connect(port, '127.0.0.1');
    const upgrade = `GET /chat HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n`;
    socket.write(`GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n${upgrade}`);
    expect(await text(socket)).toBe('');
    expect(gateway.connections).toBe(0);
    server.close();
  });

  test('takes those that come by a unix socket', async () => {
    const folder = await folderWith({});
    server = createServer();
    server.listen(join(folder, 'app.sock'));
    await once(server, 'listening');
    const gateway = await start(config({ listeners: [] }));
    gateway.attach(server);
    const client = new WebSocket(`ws+unix://${join(folder, 'app.sock')}:/chat`);
    const [greeted] = await within(once(client, 'message'), 'a message');
    expect(JSON.parse(String(greeted))).toMatchObject({ url: '/chat' });
    client.close();
    await once(client, 'close');
    server.close();
  });

  test('takes servers only', async () => {
    const gateway = await start(config());
    expect(() => gateway.attach(process as unknown as Server)).toThrow('http.Server');
    await expect(createGateway(config(), { route: 5 as unknown as () => string })).rejects.toThrow(TypeError);
  });

  test('ends with its undo, and with the gateway', async () => {
    await listening();
    const gateway = await start(config({ listeners: [] }));
    const detach = gateway.attach(server);
    detach();
    expect(server.listenerCount('upgrade')).toBe(0);
    gateway.attach(server);
    await gateway.close();
    expect(server.listenerCount('upgrade')).toBe(0);
  });
});
