import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer as createPlainServer, type IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import { createServer as createServerOfBytes } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { eventually } from '../support/census.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { certificate } from '../support/listener.ts';
import { handshake, open, say } from '../support/raw.ts';
import { portOf } from '../support/servers.ts';
import { listenAt } from '../support/sockets.ts';

/** Upstreams behind TLS: whom the gateway believes, and who they learn that it is. */

type Files = Awaited<ReturnType<typeof certificate>>;

const DAY_MS = 24 * 60 * 60 * 1000;

let folder: string;
let gate: Files;
let app: Files;
let expired: Files;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-tls-'));
  const past = {
    notBeforeDate: new Date(Date.now() - 2 * DAY_MS),
    notAfterDate: new Date(Date.now() - DAY_MS),
  };
  [gate, app, expired] = await Promise.all([
    certificate(folder, ['gate.internal']),
    certificate(folder, ['app.internal']),
    certificate(folder, ['expired.internal'], past),
  ]);
});
afterAll(() => rm(folder, { recursive: true }));

interface Service {
  readonly port: number;
  /** Every request and handshake: whose certificate it came with, the server name asked for, and what was asked. */
  readonly asked: string[];
}

/** A service that takes those who show `client`, or everybody, and answers each with who it is. */
async function startService({ cert, key }: Files, client?: Files): Promise<Service> {
  const server = createServer({
    cert: await readFile(cert),
    key: await readFile(key),
    ...(client && { ca: await readFile(client.cert), requestCert: true }),
  });
  const asked: string[] = [];
  const note = ({ socket, url }: IncomingMessage) => {
    const { servername } = socket as TLSSocket & { servername: string | false };
    const { subject } = (socket as TLSSocket).getPeerCertificate();
    asked.push(`${subject?.CN ?? 'nobody'} ${servername} ${url}`);
    return asked.at(-1) as string;
  };
  server.on('request', (request, response) => {
    const said = note(request);
    // The second poll is held.
    const isHeld = request.url === '/poll' && asked.filter((line) => line.endsWith('/poll')).length > 1;
    if (!isHeld) response.writeHead(200, { connection: 'close' }).end(said);
  });
  new WebSocketServer({ server }).on('connection', (socket, request) => {
    socket.on('error', () => {}).send(note(request));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
  });
  return { port: portOf(server), asked };
}

const KINDS = ['websocket', 'http', 'poll'] as const;
type Kind = (typeof KINDS)[number];

async function gatewayTo(kind: Kind, port: number, tls: string, rest = ''): Promise<TestGateway> {
  const at = `127.0.0.1:${port}`;
  const upstream = {
    websocket: `websocket: "wss://${at}"`,
    http: `http: "https://${at}"`,
    poll: `poll: { target: "https://${at}", open: { path: /open }, poll: { path: /poll } }`,
  }[kind];
  const gateway = await startGateway(`
routes:
  - { name: r, match: { path: /* }, auth: none, upstream: { ${upstream}, tls: { ${tls} }${rest} } }`);
  onTestFinished(() => gateway.close());
  return gateway;
}

/** What the service says to a client of the gateway; of a poll route, what the first poll brings. */
async function heardOf(kind: Kind, { port }: TestGateway): Promise<string> {
  if (kind === 'http') return (await fetch(`http://127.0.0.1:${port}/page`)).text();
  using client = await open(port, '/page');
  return (await client.message()).toString();
}

/** The log line of a request that the gateway could not bring to the service; the client is not told why. */
async function refusalOf(kind: Kind, gateway: TestGateway): Promise<Record<string, unknown>> {
  if (kind === 'http') {
    const answer = await fetch(`http://127.0.0.1:${gateway.port}/page`);
    expect([answer.status, await answer.text()]).toEqual([
      502,
      expect.stringMatching(/^UPSTREAM_\w+: The u/),
    ]);
  } else {
    using client = await say(gateway.port, handshake('/page'));
    expect(await client.answer()).toMatchObject({
      status: 502,
      body: expect.stringMatching(/^UPSTREAM_\w+: The u/),
    });
  }
  return gateway.logged(({ msg }) => /refused$/.test(String(msg)));
}

const trusting = ({ cert }: Files, servername: string) => `ca: "${cert}", servername: ${servername}`;
const showing = ({ cert, key }: Files) => `cert: "${cert}", key: "${key}"`;

describe('a service that asks for a certificate', () => {
  test.each(KINDS)('gets it: %s', async (kind) => {
    const service = await startService(app, gate);
    const gateway = await gatewayTo(kind, service.port, `${trusting(app, 'app.internal')}, ${showing(gate)}`);
    const path = kind === 'poll' ? '/poll' : '/page';
    expect(await heardOf(kind, gateway)).toBe(`gate.internal app.internal ${path}`);
    // By another connection, for each is used once.
    if (kind !== 'poll') expect(await heardOf(kind, gateway)).toBe(`gate.internal app.internal ${path}`);
  });

  test.each(['websocket', 'http'] as const)('says in the log that it wants one: %s', async (kind) => {
    const service = await startService(app, gate);
    const gateway = await gatewayTo(kind, service.port, trusting(app, 'app.internal'));
    const { cause } = await refusalOf(kind, gateway);
    expect(cause).toBe('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: tlsv13 alert certificate required');
    expect(service.asked).toEqual([]);
  });

  test.each(['websocket', 'http'] as const)('gets it from health checks, too: %s', async (kind) => {
    const service = await startService(app, gate);
    const tls = `${trusting(app, 'app.internal')}, ${showing(gate)}`;
    await gatewayTo(kind, service.port, tls, ', health: { every: 20ms, path: /healthz }');
    await eventually(() => service.asked.includes('gate.internal app.internal /healthz'));
  });
});

describe('verify: off', () => {
  test.each(KINDS)('believes whoever answers, and still asks for a server name: %s', async (kind) => {
    const service = await startService(expired);
    const gateway = await gatewayTo(kind, service.port, 'verify: off, servername: other.internal');
    expect(await heardOf(kind, gateway)).toMatch(/^nobody other.internal /);
  });
});

describe('a certificate that is not believed is named in the log', () => {
  test.each(KINDS)('expired: %s', async (kind) => {
    const service = await startService(expired);
    const gateway = await gatewayTo(kind, service.port, trusting(expired, 'expired.internal'));
    expect(await refusalOf(kind, gateway)).toMatchObject({
      error: 'UPSTREAM_REFUSED',
      cause: expect.stringContaining('CERT_HAS_EXPIRED'),
    });
  });

  test.each(KINDS)('of another name: %s', async (kind) => {
    const service = await startService(app);
    const gateway = await gatewayTo(kind, service.port, trusting(app, 'other.internal'));
    const { cause } = await refusalOf(kind, gateway);
    expect(cause).toMatch(
      /^ERR_TLS_CERT_ALTNAME_INVALID: .* for DNS:app\.internal, not for other\.internal: .* upstream\.tls\.servername$/,
    );
  });

  test.each(KINDS)('signed by nobody known: %s', async (kind) => {
    const service = await startService(app);
    const gateway = await gatewayTo(kind, service.port, 'servername: app.internal');
    expect((await refusalOf(kind, gateway)).cause).toBe(
      'DEPTH_ZERO_SELF_SIGNED_CERT: no authority that is believed has signed its certificate: name it in upstream.tls.ca',
    );
  });
});

describe('who speaks TLS, and who does not, is told in the log', () => {
  test.each([
    ['websocket', 'ws://'],
    ['http', 'http://'],
    ['poll', 'http://'],
  ] as const)('it speaks none: %s', async (kind, right) => {
    const server = createPlainServer((_, response) => response.end());
    await listenAt({ port: 0, host: '127.0.0.1' }, server);
    const gateway = await gatewayTo(kind, portOf(server), 'servername: app.internal');
    expect(await refusalOf(kind, gateway)).toMatchObject({
      error: 'UPSTREAM_REFUSED',
      cause: `ERR_SSL_WRONG_VERSION_NUMBER: it speaks no TLS: write ${right}`,
    });
  });

  test.each([
    ['websocket', { detail: 'it speaks TLS: write wss://' }],
    ['http', { cause: 'HPE_INVALID_CONSTANT: it speaks TLS: write https://' }],
  ] as const)('it answers with an alert: %s', async (kind, told) => {
    // As services do that tell more than Node's (RFC 8446 §6): protocol_version.
    const alert = Buffer.of(0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46);
    const server = createServerOfBytes((socket) => {
      socket.on('error', () => {}).once('data', () => socket.end(alert));
    });
    await listenAt({ port: 0, host: '127.0.0.1' }, server);
    const scheme = kind === 'http' ? 'http' : 'ws';
    const gateway = await startGateway(`
routes: [{ name: r, match: { path: /* }, auth: none, upstream: { ${kind}: "${scheme}://127.0.0.1:${portOf(server)}" } }]`);
    onTestFinished(() => gateway.close());
    expect(await refusalOf(kind, gateway)).toMatchObject({ error: 'UPSTREAM_INVALID', ...told });
  });
});

test('a certificate that does not serve ends the start', async () => {
  const files = { cert: gate.cert, key: app.key };
  await expect(gatewayTo('http', 1, showing(files))).rejects.toThrow(
    /the private key \S+app.internal.key does not belong to the certificate \S+gate.internal.crt/,
  );
});
