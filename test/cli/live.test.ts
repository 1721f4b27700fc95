import { readFile } from 'node:fs/promises';
import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { externalTrials } from '../../src/cli/live/external.ts';
import { targetTrials } from '../../src/cli/live/targets.ts';
import { reasonOf } from '../../src/cli/live/trial.ts';
import { parseConfig } from '../../src/config/load.ts';
import { createUpstreamContext } from '../../src/upstream/context.ts';
import { Resolver } from '../../src/upstream/names/resolver.ts';
import { folderWith, sallyport } from '../support/cli.ts';
import { startIdentityProvider } from '../support/identity.ts';
import { certificate } from '../support/listener.ts';
import { freePort } from '../support/ports.ts';
import { portOf } from '../support/servers.ts';
import { listenAt, socketPath } from '../support/sockets.ts';
import { jwk, keySet, signingKey } from '../support/tokens.ts';

const LISTENERS = 'listeners: [{ host: 127.0.0.1, port: 8080 }]';

/** The rows that `sallyport check --live` ends with, and its exit code. */
async function live(text: string) {
  const folder = await folderWith({ 'gate.yaml': `${LISTENERS}\n${text}` });
  const { code, out, err } = await sallyport(['check', '--live', join(folder, 'gate.yaml')]);
  const [header, ...rows] = (out.split('\n\n').at(-1) ?? '').trimEnd().split('\n');
  expect(header).toMatch(/^TARGET +OF +RESULT$/);
  return { code, err, rows: rows.map((row) => row.split(/ {2,}/)) };
}

const route = (upstream: string, auth = 'none') =>
  `routes: [{ name: a, match: { path: /a }, auth: ${auth}, upstream: { ${upstream} } }]`;

async function listening(server: Server = createServer()): Promise<number> {
  await listenAt({ port: 0, host: '127.0.0.1' }, server);
  return portOf(server);
}

/** An HTTP service that answers everything with `status`, and shakes hands if it is to; its port. */
function http(status: number, server: Server = createHttpServer()): Promise<number> {
  server.on('request', (_request: IncomingMessage, response: ServerResponse) =>
    response.writeHead(status).end(),
  );
  return listening(server);
}

/** A WebSocket service, and the paths it has been asked for; its port. */
async function shaking(server: Server = createHttpServer()) {
  const asked: (string | undefined)[] = [];
  const service = new WebSocketServer({ server: server as HttpServer });
  service.on('connection', (_socket, request) => asked.push(request.url));
  return { asked, port: await listening(server) };
}

async function secure(names: readonly string[] = ['app.internal']) {
  const { cert, key } = await certificate(await folderWith({}), names);
  return { ca: cert, options: { cert: await readFile(cert), key: await readFile(key) } };
}

const results = async (upstream: string) => {
  const { code, rows } = await live(route(upstream));
  return [code, ...rows.map((row) => row[2])];
};

const CONNECTS = expect.stringMatching(/^connects \(\d+ ms\)$/);
const SHAKES_HANDS = expect.stringMatching(/^shakes hands \(\d+ ms\)$/);
const answers = (status: number) => expect.stringMatching(new RegExp(`^answers ${status} \\(\\d+ ms\\)$`));

describe('upstreams', () => {
  test('of TCP connect, and hear not a word', async () => {
    const path = await socketPath();
    const heard: Buffer[] = [];
    const server = createServer((socket) => socket.on('data', (data) => heard.push(data)));
    await listenAt(path, server);
    const port = await listening();
    expect(await live(route(`tcp: ["localhost:${port}", "unix:${path}"]`))).toEqual({
      code: 0,
      err: expect.any(String),
      rows: [
        [`localhost:${port}`, 'route a, tcp', CONNECTS],
        [`unix:${path}`, 'route a, tcp', CONNECTS],
      ],
    });
    expect(heard).toEqual([]);
  });

  test('of TCP that clients name are not tried, those of a table once each', async () => {
    const port = await listening();
    const dead = await freePort();
    expect(await live(route('tcp: "{query.a}", allow: a:1'))).toMatchObject({
      code: 0,
      rows: [['{query.a}', 'route a, tcp', 'is not tried: clients name it']],
    });
    const table = `{ a: 127.0.0.1:${port}, b: 127.0.0.1:${dead}, c: 127.0.0.1:${port} }`;
    expect(await live(route(`tcp: "{query.a}", targets: ${table}`))).toMatchObject({
      code: 1,
      rows: [
        [`127.0.0.1:${port}`, 'route a, tcp', CONNECTS],
        [`127.0.0.1:${dead}`, 'route a, tcp', 'FAILS: nothing listens there'],
      ],
    });
  });

  test.each([204, 400, 404, 503])('of HTTP are asked, and any answer is good: %i', async (status) => {
    expect(await results(`http: "http://127.0.0.1:${await http(status)}"`)).toEqual([0, answers(status)]);
  });

  test('of WebSocket shake hands, at the path that a client would be led to', async () => {
    const [own, fixed] = [await shaking(), await shaking()];
    const targets = `["ws://127.0.0.1:${own.port}", "ws://127.0.0.1:${fixed.port}/ws/{room}?v=1"]`;
    const text = `routes: [{ name: a, match: { path: "/r/{room}/*" }, auth: none, upstream: { websocket: ${targets} } }]`;
    const { code, rows } = await live(text);
    expect({ code, results: rows.map((row) => row[2]) }).toEqual({
      code: 0,
      results: [SHAKES_HANDS, SHAKES_HANDS],
    });
    expect([own.asked, fixed.asked]).toEqual([['/r/room/'], ['/ws/room/?v=1']]);
  });

  test.each([400, 401, 403, 404])('of WebSocket may want what clients bring: %i', async (status) => {
    const told = expect.stringMatching(
      new RegExp(`^answers ${status}: it may want what clients bring \\(\\d+ ms\\)$`),
    );
    expect(await results(`websocket: "ws://127.0.0.1:${await http(status)}"`)).toEqual([0, told]);
  });

  test.each([
    [200, 'FAILS: it answered 200'],
    [302, 'FAILS: answers 302 to a WebSocket handshake'],
    [503, 'FAILS: answers 503 to a WebSocket handshake'],
  ])('of HTTP are no WebSocket services: %i', async (status, told) => {
    expect(await results(`websocket: "ws://127.0.0.1:${await http(status)}"`)).toEqual([1, told]);
  });

  test('that refuse plain text, and take TLS for more of it, are not waited for', async () => {
    const server = createServer((socket) => {
      socket
        .on('error', () => {})
        .once('data', (bytes) => {
          if (bytes[0] !== 0x16) socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n');
        });
    });
    const told = expect.stringMatching(/^answers 400 \([01]\d{3} ms\)$/);
    expect(await results(`http: "http://127.0.0.1:${await listening(server)}"`)).toEqual([0, told]);
  });

  test('that are not there are told apart, and end with 1', async () => {
    const [there, away, path] = [await http(200), await freePort(), await socketPath()];
    const targets = `["http://127.0.0.1:${away}", "http://127.0.0.1:${there}", "unix:${path}"]`;
    expect(await results(`http: ${targets}`)).toEqual([
      1,
      'FAILS: nothing listens there',
      answers(200),
      'FAILS: there is no such socket',
    ]);
  });

  test('that speak no HTTP, or close, are told', async () => {
    const babbling = await listening(createServer((socket) => void socket.on('error', () => {}).end('220 ')));
    const closing = await listening(createServer((socket) => void socket.on('error', () => {}).end()));
    expect(await results(`http: ["http://127.0.0.1:${babbling}", "http://127.0.0.1:${closing}"]`)).toEqual([
      1,
      expect.stringMatching(/^FAILS: Parse Error/),
      'FAILS: it closes the connection without an answer',
    ]);
  });

  test('that poll, and one of several addresses that is away', async () => {
    const port = await http(200);
    const { config } = parseConfig(
      `${LISTENERS}\n${route(`poll: { target: "http://app.test:${port}", poll: { path: / } }`)}`,
    );
    const lookups = { dns: async () => ({ addresses: ['127.0.0.1', '127.0.0.2'], ttlMs: 1000 }) };
    const resolver = new Resolver({ lookups: { ...lookups, system: lookups.dns } as never });
    onTestFinished(() => resolver.close());
    const [trial] = targetTrials(config, createUpstreamContext({ resolver }));
    expect(await trial?.run(AbortSignal.timeout(3_000))).toBe(
      'answers 200, but not at 127.0.0.2 (nothing listens there)',
    );
  });
});

describe('TLS', () => {
  test('is believed as the route believes it, and what is missing is named', async () => {
    const { ca, options } = await secure();
    const { port } = await shaking(createHttpsServer(options));
    const target = `websocket: "wss://127.0.0.1:${port}"`;
    expect(await results(target)).toEqual([
      1,
      'FAILS: no authority that is believed has signed its certificate: name it in upstream.tls.ca',
    ]);
    expect(await results(`${target}, tls: { ca: ${ca} }`)).toEqual([
      1,
      'FAILS: its certificate is for DNS:app.internal, not for 127.0.0.1: write the one that counts in upstream.tls.servername',
    ]);
    expect(await results(`${target}, tls: { ca: ${ca}, servername: app.internal }`)).toEqual([
      0,
      SHAKES_HANDS,
    ]);
  });

  test.each([
    ['websocket', 'wss', 'ws'],
    ['http', 'https', 'http'],
  ])('is not what a service speaks: %s', async (kind, written, right) => {
    const told = `FAILS: it speaks no TLS: write ${right}://`;
    expect(await results(`${kind}: "${written}://127.0.0.1:${await http(200)}"`)).toEqual([1, told]);
  });

  test('is not what a TCP service speaks', async () => {
    const target = `tcp: "127.0.0.1:${await listening(createServer((socket) => void socket.on('error', () => {}).write('220 x\r\n')))}"`;
    expect(await results(`${target}, tls: on`)).toEqual([
      1,
      'FAILS: it speaks no TLS: write upstream without tls, or with the protocol in which it is asked for, such as tls: postgres',
    ]);
  });

  test.each([
    ['on', 'during its TLS handshake: does it speak TLS there?'],
    ['postgres', 'while asking for TLS'],
  ])('is waited for in vain where a TCP service is silent: tls: %s', async (tls, stage) => {
    const silent = await listening(createServer((socket) => void socket.on('error', () => {})));
    const keys = `tcp: "127.0.0.1:${silent}", tls: ${tls} }, timeouts: { handshake: 100ms`;
    expect(await results(keys)).toEqual([1, `FAILS: no answer in time ${stage}`]);
  });

  test.each([
    ['websocket', 'ws', 'wss'],
    ['http', 'http', 'https'],
  ])('is what a service speaks that closes, or says so in plain text: %s', async (kind, written, right) => {
    const { options } = await secure();
    const closing = await listening(createTlsServer(options));
    const explaining = await listening(
      createServer((socket) => {
        socket
          .on('error', () => {})
          .once('data', (bytes) => {
            if (bytes[0] !== 0x16)
              return void socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n');
            const behind = connect(closing, '127.0.0.1').on('error', () => {});
            behind.write(bytes);
            socket.pipe(behind).pipe(socket);
          });
      }),
    );
    const targets = [closing, explaining].map((port) => `"${written}://127.0.0.1:${port}"`);
    const told = `FAILS: it speaks TLS: write ${right}://`;
    expect(await results(`${kind}: [${targets}]`)).toEqual([1, told, told]);
  });
});

describe('services that are asked about clients', () => {
  const external = async (url: string) => {
    const { code, rows } = await live(
      route('websocket: "unix:/none"', `{ external: { url: "${url}", forward: [authorization] } }`),
    );
    expect({ code, of: rows[0]?.[1] }).toEqual({ code: 1, of: 'route a, auth.external' });
    return rows[0]?.filter((_, column) => column !== 1);
  };

  test.each([
    [200, 'answers 200'],
    [401, 'answers 401'],
    [404, 'answers 404, for which clients get 503'],
  ])('are told by their status: %i', async (status, told) => {
    const origin = `http://127.0.0.1:${await http(status)}`;
    expect(await external(`${origin}/auth?key=secret`)).toEqual([`${origin}/auth`, told]);
  });

  test('are not there, or not believed, or speak no TLS', async () => {
    const { options } = await secure();
    expect(await external(`http://127.0.0.1:${await freePort()}`)).toContain('FAILS: nothing listens there');
    expect(await external(`https://127.0.0.1:${await http(200, createHttpsServer(options))}`)).toContain(
      'FAILS: no authority that is believed has signed its certificate: name it in auth.external.tls.ca',
    );
    expect(await external(`https://127.0.0.1:${await http(200)}`)).toContain(
      'FAILS: it speaks no TLS: write http://',
    );
  });

  test('are given up in time', async () => {
    const port = await listening();
    const { config } = parseConfig(
      `${LISTENERS}\n${route('websocket: "unix:/none"', `{ external: { url: "http://127.0.0.1:${port}", forward: [authorization] } }`)}`,
    );
    const [trial] = externalTrials(config);
    await expect(trial?.run(AbortSignal.timeout(50))).rejects.toMatchObject({ name: 'TimeoutError' });
  });
});

describe('key sets', () => {
  const auth = (jwks: string) => `issuers:
  main: { issuer: "https://id.example/", audience: a, algorithms: [ES256], jwks: "${jwks}" }
${route('websocket: "unix:/none"', '{ issuer: main }')}`;

  async function keysAt(answer: Parameters<typeof startIdentityProvider>[0]) {
    const provider = await startIdentityProvider(answer);
    onTestFinished(provider.close);
    const { code, rows } = await live(auth(provider.url));
    expect(rows[0]?.slice(0, 2)).toEqual([provider.url, 'issuer main']);
    expect(code).toBe(1);
    return rows[0]?.[2];
  }

  test('that are there are counted', async () => {
    const keys = [signingKey('ES256'), signingKey('ES256'), signingKey('RS256')];
    expect(await keysAt(keySet(...keys.map((key) => jwk(key))))).toBe('2 keys for ES256');
  });

  test.each([
    [
      '{"issuer":"x","jwks_uri":"https://id.example/k"}',
      /^FAILS: this is a discovery document: write discovery: true/,
    ],
    ['<html>', /^FAILS: this is a page, not JSON$/],
    ['{"keys":[]}', /^FAILS: no public key for ES256$/],
  ])('that are none are told: %s', async (text, expected) => expect(await keysAt(text)).toMatch(expected));

  test('that are not to be had are told', async () => {
    expect(await keysAt((_, response) => response.writeHead(404).end())).toMatch(/^FAILS: .* answered 404$/);
    const { code, rows } = await live(auth(`http://127.0.0.1:${await freePort()}/keys`));
    expect({ code, result: rows[0]?.[2] }).toEqual({ code: 1, result: 'FAILS: nothing listens there' });
    const plain = await live(auth(`https://127.0.0.1:${await http(200)}/keys`));
    expect(plain.rows[0]?.[2]).toBe('FAILS: it speaks no TLS: write http://');
  });

  test('are told without the query that may carry a key', async () => {
    const place = `http://127.0.0.1:${await freePort()}/keys`;
    const { rows } = await live(auth(`${place}?key=s3cr3t`));
    expect(rows[0]?.[0]).toBe(`${place}?…`);
  });
});

test('who never answers is given up', async () => {
  const error = AbortSignal.timeout(0);
  await expect.poll(() => error.aborted).toBe(true);
  expect(reasonOf(error.reason)).toBe('no answer in time');
});

test('without --live the network is not asked', async () => {
  const folder = await folderWith({ 'gate.yaml': `${LISTENERS}\n${route('http: "http://127.0.0.1:9"')}` });
  const { code, out } = await sallyport(['check', join(folder, 'gate.yaml')]);
  expect(code).toBe(0);
  expect(out).not.toContain('RESULT');
});

test('what is wrong by itself ends before the network is asked', async () => {
  const folder = await folderWith({ 'gate.yaml': 'listeners: []' });
  const { code, out } = await sallyport(['check', '--live', join(folder, 'gate.yaml')]);
  expect({ code, out }).toEqual({ code: 2, out: '' });
});
