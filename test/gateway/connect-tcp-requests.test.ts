import { readFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { folderWith } from '../support/cli.ts';
import { type Asking, CapsulePeer, capsule } from '../support/connect-tcp.ts';
import { freshToken, TOKEN_ENV, TOKEN_ISSUER } from '../support/fresh.ts';
import { startGateway } from '../support/gateway.ts';
import { certificate } from '../support/listener.ts';
import { freePort } from '../support/ports.ts';
import { portOf } from '../support/servers.ts';
import { listenAt } from '../support/sockets.ts';
import { echo, type Service, tcpScene } from '../support/tcp-v1-scene.ts';

/** Who asks for connect-tcp: what is let in, what is refused, and where it leads to. */

const ON = ', connectTcp: true';
const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

async function serviceOf(service: Service): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, service);
  await listenAt({ port: 0, host: '127.0.0.1' }, server);
  return portOf(server);
}

async function gatewayWith(routes: string, listeners = '') {
  const gateway = await startGateway(`${listeners}${TOKEN_ISSUER}\nroutes:\n${routes}`, TOKEN_ENV);
  onTestFinished(() => gateway.close());
  return gateway;
}

describe('is refused', () => {
  const AUTH = '{ issuer: main, require: { scope: sql } }';

  test.each<[string, number, string, Asking]>([
    ['without a token', 401, 'http_request_denied', {}],
    [
      'with one that does not suffice',
      403,
      'http_request_denied',
      { headers: bearer(freshToken({ scope: 'x' })) },
    ],
    [
      'from a page of somewhere else',
      403,
      'http_request_denied',
      { headers: { Origin: 'https://evil.example' } },
    ],
    ['where no route leads', 404, 'http_request_denied', { path: '/elsewhere' }],
  ])('%s: %i', async (_name, status, error, asking) => {
    const { gateway, listening } = await tcpScene(echo, {
      auth: AUTH,
      upstream: ON,
      route: 'refuse: close,',
    });
    const client = await CapsulePeer.answered(gateway.port, asking);
    expect(client.status).toBe(status);
    expect(client.headers).toMatchObject({
      'proxy-status': `sallyport; error=${error}`,
      connection: 'close',
    });
    expect(listening.count).toBe(0);
    await gateway.logged(({ msg }) => msg === 'upgrade refused');
  });

  test('where nobody listens: 502', async () => {
    const { gateway } = await tcpScene(echo, { upstream: ON, target: `127.0.0.1:${await freePort()}` });
    const client = await CapsulePeer.answered(gateway.port);
    expect(client.status).toBe(502);
    expect(client.headers['proxy-status']).toBe('sallyport; error=connection_refused');
    expect(client.body).toMatch(/^UPSTREAM_REFUSED: /);
  });

  test.each<[string, number, Asking]>([
    ['by POST', 405, { method: 'POST' }],
    // No offer then, but a plain request.
    ['without Connection', 426, { headers: { Connection: 'keep-alive' } }],
    ['with a body', 400, { headers: { 'Content-Length': '3' } }],
    ['without a Host', 400, { headers: { Host: undefined } }],
  ])('that is malformed, %s: %i', async (_name, status, asking) => {
    const { gateway } = await tcpScene(echo, { upstream: ON });
    expect((await CapsulePeer.answered(gateway.port, asking)).status).toBe(status);
  });

  test.each(['connect-tcp', 'connect-tcp-06'])('in a version that is not spoken, %s: 426', async (token) => {
    const { gateway } = await tcpScene(echo, { upstream: ON });
    const client = await CapsulePeer.answered(gateway.port, { headers: { Upgrade: token } });
    expect(client.status).toBe(426);
    expect(client.headers).toMatchObject({
      upgrade: 'connect-tcp-12, connect-tcp-08, connect-tcp-07',
      connection: 'close, upgrade',
    });
    expect(client.body).toMatch(/This version of connect-tcp is not spoken here/);
  });

  test('where the route does not say that it is spoken: 426', async () => {
    const { gateway, listening } = await tcpScene(echo);
    const client = await CapsulePeer.answered(gateway.port);
    expect([client.status, client.headers.upgrade]).toEqual([426, 'websocket']);
    expect(listening.count).toBe(0);
  });

  test('on a route with another upstream: 426', async () => {
    const gateway = await gatewayWith(
      '  - { name: r, match: { path: /tcp }, auth: none, upstream: { websocket: "ws://127.0.0.1:1" } }',
    );
    expect((await CapsulePeer.answered(gateway.port)).status).toBe(426);
  });
});

test('it is let in by its token, and the log has who it is', async () => {
  const { gateway } = await tcpScene(echo, { upstream: ON, auth: '{ issuer: main }' });
  await CapsulePeer.open(gateway.port, { headers: bearer(freshToken({ sub: 'ann' })) });
  const line = await gateway.logged(({ msg }) => msg === 'session opened');
  expect(line).toMatchObject({ subject: 'ann', protocol: 'connect-tcp-12' });
});

test('it comes to a server of the program’s own, too', async () => {
  const { gateway } = await tcpScene(echo, { upstream: ON });
  const server = createHttpServer();
  gateway.gateway.attach(server);
  await listenAt({ port: 0, host: '127.0.0.1' }, server);
  const client = await CapsulePeer.open(portOf(server));
  client.final('hello');
  await client.until(() => client.isFinal && client.text === 'hello', 'an echo');
});

describe('Expect: 100-continue', () => {
  const headers = { Expect: '100-continue' };

  test('is answered before the service is there', async () => {
    const { gateway } = await tcpScene(echo, { upstream: ON });
    const client = await CapsulePeer.open(gateway.port, { headers });
    expect(client.interim).toEqual([100]);
  });

  test('is answered though the service turns out not to be', async () => {
    const { gateway } = await tcpScene(echo, { upstream: ON, target: `127.0.0.1:${await freePort()}` });
    const client = await CapsulePeer.answered(gateway.port, { headers });
    expect([client.interim, client.status]).toEqual([[100], 502]);
  });

  test('is not answered to who is not let in, nor to who does not ask', async () => {
    const { gateway } = await tcpScene(echo, { upstream: ON, auth: '{ issuer: main }' });
    const refused = await CapsulePeer.answered(gateway.port, { headers });
    expect([refused.interim, refused.status]).toEqual([[], 401]);
    const silent = await CapsulePeer.open(gateway.port, { headers: bearer(freshToken()) });
    expect(silent.interim).toEqual([]);
  });
});

describe('what is sent before the answer', () => {
  const early = Buffer.concat([capsule(0x2028d7f2, 'in haste'), capsule(0x2028d7f3)]);

  test('waits for the service', async () => {
    const { gateway } = await tcpScene(echo, { upstream: ON });
    const client = await CapsulePeer.open(gateway.port, { early });
    await client.until(() => client.isFinal, 'FINAL_DATA');
    expect(client.text).toBe('in haste');
  });

  test('is never taken for a request where it is refused', async () => {
    const { gateway } = await tcpScene(echo, { upstream: ON, auth: '{ issuer: main }' });
    const smuggled = Buffer.from('GET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n');
    const client = await CapsulePeer.answered(gateway.port, { early: smuggled });
    expect([client.status, client.body.includes('HTTP/1.1')]).toEqual([401, false]);
    expect(gateway.log.filter(({ path }) => path === '/smuggled')).toEqual([]);
  });
});

describe('where it leads to', () => {
  const allow = 'allow: ["127.0.0.0/8:*"], connectTcp: true';

  test('the default template', async () => {
    const port = await serviceOf(echo);
    const gateway = await gatewayWith(
      `  - { name: r, match: { path: "/.well-known/masque/tcp/{target_host}/{target_port}/" }, auth: none, upstream: { tcp: "{path.target_host}:{path.target_port}", ${allow} } }`,
    );
    const path = `/.well-known/masque/tcp/127.0.0.1/${port}/`;
    const client = await CapsulePeer.open(gateway.port, { path });
    client.final('hello');
    await client.until(() => client.isFinal && client.text === 'hello', 'an echo');
    const line = await gateway.logged(({ msg }) => msg === 'session opened');
    expect(line).toMatchObject({ asked: `127.0.0.1:${port}`, rule: '127.0.0.0/8:*', path });
  });

  test.each([
    ['is not allowed', '10.0.0.1', 403, 'destination_ip_prohibited'],
    ['is malformed', '0x7f.1', 400, 'http_request_error'],
  ])('a target that %s', async (_name, host, status, error) => {
    const gateway = await gatewayWith(
      `  - { name: r, match: { path: /proxy }, auth: none, upstream: { tcp: "{query.target_host}:{query.target_port}", ${allow} } }`,
    );
    const path = `/proxy?target_host=${host}&target_port=80`;
    const client = await CapsulePeer.answered(gateway.port, { path });
    expect([client.status, client.headers['proxy-status']]).toEqual([status, `sallyport; error=${error}`]);
  });

  test('a template with a query', async () => {
    const port = await serviceOf(echo);
    const gateway = await gatewayWith(
      `  - { name: r, match: { path: /proxy }, auth: none, upstream: { tcp: "{query.target_host}:{query.target_port}", ${allow} } }`,
    );
    const path = `/proxy?target_host=127.0.0.1&target_port=${port}`;
    expect((await CapsulePeer.open(gateway.port, { path })).status).toBe(101);
  });
});

describe('over TLS', () => {
  /** A gateway that speaks TLS, with a tap before it that keeps the types of the records it sends. */
  async function secureScene(service: Service) {
    const { cert, key } = await certificate(await folderWith({}), ['localhost']);
    const gateway = await gatewayWith(
      `  - { name: r, match: { path: /tcp }, auth: none, upstream: { tcp: "127.0.0.1:${await serviceOf(service)}"${ON} } }`,
      `listeners: [{ host: 127.0.0.1, port: 0, tls: { certificates: [{ cert: "${cert}", key: "${key}" }] } }]\n`,
    );
    const records: number[] = [];
    const tap = createServer({ allowHalfOpen: true }, (client) => {
      const far = connect({ port: gateway.port, host: '127.0.0.1', allowHalfOpen: true });
      let rest: Buffer = Buffer.alloc(0);
      far.on('data', (chunk: Buffer) => {
        rest = Buffer.concat([rest, chunk]);
        while (rest.length >= 5 && rest.length >= 5 + rest.readUInt16BE(3)) {
          records.push(rest[0] as number);
          rest = rest.subarray(5 + rest.readUInt16BE(3));
        }
      });
      far.on('error', () => client.destroy()).pipe(client);
      client.on('error', () => far.destroy()).pipe(far);
    });
    await listenAt({ port: 0, host: '127.0.0.1' }, tap);
    // What is an alert, TLS 1.3 hides.
    const options = { ca: await readFile(cert, 'utf8'), maxVersion: 'TLSv1.2' } as const;
    return { records, gateway, open: () => CapsulePeer.open(portOf(tap), options) };
  }
  const ALERT = 21;

  test('a good end is told by a closure alert', async () => {
    const { open, records, gateway } = await secureScene(echo);
    const client = await open();
    client.final('hello');
    expect(await client.ended()).toBe('fin');
    expect([client.text, client.isFinal]).toEqual(['hello', true]);
    expect(records.at(-1)).toBe(ALERT);
    client.socket.end();
    expect(await gateway.logged(({ msg }) => msg === 'session ended')).toMatchObject({
      close: 1000,
      clean: true,
    });
  });

  test('a client may end its side of the connection with its last byte', async () => {
    const { open } = await secureScene((socket) => {
      socket.on('error', () => {}).resume();
      socket.on('end', () => socket.end('at last'));
    });
    const client = await open();
    client.final('x');
    client.socket.end();
    expect(await client.ended()).toBe('fin');
    expect([client.text, client.isFinal]).toEqual(['at last', true]);
  });

  test('an abrupt one by none', async () => {
    const { open, records } = await secureScene((socket) => {
      socket.on('error', () => {}).once('data', () => socket.write('half', () => socket.resetAndDestroy()));
    });
    const client = await open();
    client.send('x');
    await client.ended();
    expect([client.text, client.isFinal]).toEqual(['half', false]);
    expect(records).not.toContain(ALERT);
  });
});
