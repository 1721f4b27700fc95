import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { folderWith, sallyport } from '../support/cli.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { certificate } from '../support/listener.ts';
import { freePort } from '../support/ports.ts';

const ROUTES = `routes: [{ name: a, match: { path: /* }, auth: none, upstream: { http: "http://127.0.0.1:9" } }]\n`;

/** What `sallyport health` says of a gateway that its configuration finds at these places. */
async function healthOf(top: string, ...options: string[]) {
  const folder = await folderWith({ 'gate.yaml': `${top}\n${ROUTES}` });
  return sallyport(['health', join(folder, 'gate.yaml'), ...options]);
}

const plain = (port: number, host = '127.0.0.1') => `listeners: [{ host: "${host}", port: ${port} }]`;
const withAdmin = (port: number) => `${plain(1)}\nadmin: { port: ${port} }`;

async function gateway(text = ''): Promise<TestGateway> {
  const gate = await startGateway(text || ROUTES);
  onTestFinished(gate.close);
  return gate;
}

async function portOf(server: Server): Promise<number> {
  onTestFinished(() => void server.close());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return (server.address() as AddressInfo).port;
}

describe('with an admin listener', () => {
  test('a gateway that runs is alive, and ready', async () => {
    const port = (await gateway()).gateway.adminAddress?.port ?? 0;
    expect(await healthOf(withAdmin(port))).toEqual({
      code: 0,
      out: `alive: http://127.0.0.1:${port}/livez: 200 alive\n`,
      err: '',
    });
    expect(await healthOf(withAdmin(port), '--ready')).toMatchObject({
      code: 0,
      out: `ready: http://127.0.0.1:${port}/readyz: 200 ready\n`,
    });
  });

  test('one without keys is alive, and not ready', async () => {
    const away = await portOf(createServer((_, response) => response.writeHead(500).end()));
    const gate = await gateway(`issuers:
  main: { issuer: x, audience: y, algorithms: [ES256], jwks: "http://127.0.0.1:${away}/" }
routes: [{ name: a, match: { path: /* }, auth: { issuer: main }, upstream: { http: "http://127.0.0.1:9" } }]`);
    const top = withAdmin(gate.gateway.adminAddress?.port ?? 0);
    expect(await healthOf(top)).toMatchObject({ code: 0 });
    const { code, out, err } = await healthOf(top, '--ready');
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toMatch(/^sallyport: not ready: http:\S+\/readyz: 503 not ready: no keys yet of main\n$/);
  });

  test('another program at its place is no sign of life', async () => {
    const port = await portOf(createServer((_, response) => response.writeHead(404).end('nothing here')));
    expect(await healthOf(withAdmin(port))).toMatchObject({
      code: 1,
      err: `sallyport: not alive: http://127.0.0.1:${port}/livez: 404 nothing here\n`,
    });
  });
});

describe('without one', () => {
  test('a gateway that runs is alive, and neither upstreams nor the log hear of the question', async () => {
    const asked: string[] = [];
    const upstream = await portOf(
      createServer((request, response) => {
        asked.push(`${request.url}`);
        response.end();
      }),
    );
    const { port, log } = await gateway(ROUTES.replace(':9"', `:${upstream}"`));
    const before = log.length;
    expect(await healthOf(plain(port))).toMatchObject({
      code: 0,
      out: `alive: http://127.0.0.1:${port} answers\n`,
    });
    await (await fetch(`http://127.0.0.1:${port}/after`)).text();
    expect(log.slice(before).map(({ path }) => path)).toEqual(['/after']);
    expect(asked).toEqual(['/after']);
  });

  test.each(['::', '0.0.0.0', '0:0:0:0:0:0:0:0'])(
    'one that listens on %s is asked over loopback',
    async (host) => {
      const { port } = await gateway(`listeners: [{ host: "${host}", port: 0 }]\n${ROUTES}`);
      expect(await healthOf(plain(port, host))).toMatchObject({ code: 0 });
    },
  );

  test('over TLS, whatever its certificate says', async () => {
    const { cert, key } = await certificate(await folderWith({}), ['app.example.com']);
    const tls = (port: number) =>
      `listeners: [{ host: 127.0.0.1, port: ${port}, tls: { certificates: [{ cert: ${cert}, key: ${key} }] } }]`;
    const { port } = await gateway(`${tls(0)}\n${ROUTES}`);
    expect(await healthOf(tls(port))).toMatchObject({
      code: 0,
      out: `alive: https://127.0.0.1:${port} answers\n`,
    });
    const required = (port: number) => tls(port).replace(' }] }', ` }], clientCa: ${cert} }`);
    const { port: mutual } = await gateway(`${required(0)}\n${ROUTES}`);
    expect(await healthOf(required(mutual))).toMatchObject({ code: 0, err: '' });
    const strict = createSecureServer({
      cert: await readFile(cert),
      key: await readFile(key),
      requestCert: true,
      rejectUnauthorized: true,
    });
    expect(await healthOf(tls(await portOf(strict)))).toMatchObject({
      code: 0,
      out: expect.stringContaining(' asks for a certificate\n'),
    });
  });

  test('readiness is not known, and that is said', async () => {
    const { code, err } = await healthOf(plain(1), '--ready');
    expect(code).toBe(1);
    expect(err).toMatch(/^sallyport: --ready asks the admin listener, and \S+gate.yaml has none: add admin:/);
  });
});

test.each([plain, withAdmin])('where nothing listens it is not alive (%#)', async (top) => {
  const { code, err } = await healthOf(top(await freePort()));
  expect(code).toBe(1);
  expect(err).toMatch(/^sallyport: not alive: http:\/\/127.0.0.1:\d+(\/livez)?: nothing listens there\n$/);
});

test('who says nothing is given up after the timeout', async () => {
  const port = await portOf(createTcpServer((socket) => socket.on('error', () => {}).resume()));
  const { code, err } = await healthOf(plain(port), '--timeout', '50ms');
  expect(code).toBe(1);
  expect(err).toMatch(/no answer within 50 ms\n$/);
});

test.each([
  [plain(0), 'the port of the first listener is 0'],
  [withAdmin(0), 'admin.port is 0'],
])('a port that is any free one cannot be known: %s', async (top, sentence) => {
  const { code, err } = await healthOf(top);
  expect(code).toBe(1);
  expect(err).toContain(`sallyport: ${sentence}, any free one, and only the gateway's log says which`);
});

test('a configuration that is wrong ends with 1, which is all that Docker knows', async () => {
  const { code, err } = await healthOf('listeners: {}');
  expect(code).toBe(1);
  expect(err).toContain('listeners: a mapping');
});

test('without a listener of its own there is nothing to ask', async () => {
  const { code, err } = await healthOf('listeners: []');
  expect(code).toBe(1);
  expect(err).toContain('nothing to ask: there is neither a listener nor admin');
});

test('the configuration may be named by the environment', async () => {
  const { port } = await gateway();
  const folder = await folderWith({ 'gate.yaml': `${plain(port)}\n${ROUTES}` });
  const env = { SALLYPORT_CONFIG: join(folder, 'gate.yaml') };
  expect(await sallyport(['health'], env)).toMatchObject({ code: 0 });
});
