import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type ClientOptions, WebSocket } from 'ws';
import { fileWith } from '../support/files.ts';
import { freshToken, TOKEN_ENV, TOKEN_ISSUER } from '../support/fresh.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { type KeeperParts, startKeeper } from '../support/keeper.ts';
import { eventually, within } from '../support/patience.ts';

/** The gateway's own credentials at a service: they are sent, the client's are not, and nobody is told. */

const SECRET = 'sk-the-servers-own';
const ENV = { ...TOKEN_ENV, KEY: SECRET };
const VALUE = `value: "\${KEY}"`;
const EVERYWHERE = `[{ header: x-key, prefix: "Key ", ${VALUE} }, { query: apikey, ${VALUE} }, { subprotocol: key., ${VALUE} }]`;

interface Scene {
  readonly upstream?: (port: number) => string;
  readonly credentials?: string;
  readonly auth?: string;
  readonly more?: string;
  readonly service?: KeeperParts;
}

/** A route to a service that asks for a key. */
async function startScene({ upstream = http, credentials = EVERYWHERE, more = '', ...scene }: Scene = {}) {
  const keeper = await startKeeper(scene.service);
  const { auth = '{ issuer: main, token: [header, "query:token"] }' } = scene;
  const gateway = await startGateway(
    `${TOKEN_ISSUER}
routes:
  - name: kept
    match: { path: /* }
    auth: ${auth}
    ${more}
    upstream: { ${upstream(keeper.port)}, credentials: ${credentials} }`,
    ENV,
  );
  onTestFinished(() => gateway.close());
  return { keeper, gateway };
}

const http = (port: number) => `http: "http://127.0.0.1:${port}"`;
const websocket = (port: number) => `websocket: "ws://127.0.0.1:${port}"`;
const poll = (port: number) =>
  `poll: { target: "http://127.0.0.1:${port}", open: { path: "/open?{query}" }, poll: { path: /poll }, send: { path: /send }, close: { path: /close } }`;

interface Said {
  readonly status: number | undefined;
  readonly message: IncomingMessage;
  readonly body: string;
}

/** Asks for a path as alice, with more fields, a body in chunks and trailers behind it if given. */
async function ask(
  { port }: TestGateway,
  path: string,
  {
    headers = {},
    trailers,
    method,
  }: { headers?: object; trailers?: Record<string, string>; method?: string } = {},
): Promise<Said> {
  const own = { authorization: `Bearer ${freshToken()}`, ...headers };
  const request = httpRequest({
    port,
    host: '127.0.0.1',
    path,
    method: method ?? (trailers ? 'POST' : 'GET'),
    headers: own,
  });
  if (trailers !== undefined) {
    request.setHeader('transfer-encoding', 'chunked').setHeader('te', 'trailers');
    request.write('body');
    request.addTrailers(trailers);
  }
  request.end();
  const [message] = (await within(once(request, 'response'), 'an answer')) as [IncomingMessage];
  return { status: message.statusCode, message, body: await text(message) };
}

interface Opened {
  readonly socket: WebSocket;
  /** Of the 101. */
  readonly fields: string;
}

async function open(
  gateway: TestGateway,
  path: string,
  protocols: string[] = [],
  options: ClientOptions = {},
): Promise<Opened> {
  const headers = { authorization: `Bearer ${freshToken()}`, ...options.headers };
  const socket = new WebSocket(gateway.url(path), protocols, { ...options, headers });
  onTestFinished(() => socket.terminate());
  const upgraded = once(socket, 'upgrade') as Promise<[IncomingMessage]>;
  const opened = once(socket, 'open');
  const [{ rawHeaders }] = await within(upgraded, 'a 101');
  await within(opened, 'an open WebSocket');
  return { socket, fields: rawHeaders.join('\n') };
}

/** Nothing that the gateway has written holds the secret. */
async function expectSilence({ log, metrics }: TestGateway): Promise<void> {
  expect(log.length).toBeGreaterThan(0);
  expect(JSON.stringify(log)).not.toContain(SECRET);
  expect(await metrics()).not.toContain(SECRET);
}

describe.each([
  ['websocket', websocket],
  ['http', http],
])('an upgrade to %s', (_kind, upstream) => {
  test('brings the gateway’s credentials, and none of the client’s in their places', async () => {
    const { keeper, gateway } = await startScene({ upstream });
    const headers = { 'X-Key': 'mine', x_key: 'mine', 'x-other': '1' };
    const { socket, fields } = await open(
      gateway,
      '/x?apik%65y=mine&a=%20&apikey=mine',
      ['key.mine', 'chat', 'v2'],
      { headers },
    );
    socket.send('hello');
    expect(String((await within(once(socket, 'message'), 'an echo'))[0])).toBe('hello');
    const [asked] = keeper.asked;
    expect(asked?.url).toBe(`/x?a=%20&apikey=${SECRET}`);
    expect(asked?.headers).toMatchObject({
      'x-key': `Key ${SECRET}`,
      'x-other': '1',
      'sec-websocket-protocol': `chat, v2, key.${SECRET}`,
    });
    expect(asked?.text).not.toMatch(/mine|eyJ/);
    expect(socket.protocol).toBe('chat');
    expect(fields).not.toContain(SECRET);
    await expectSilence(gateway);
  });

  test('has a 101 without the fields that repeat one', async () => {
    const { gateway } = await startScene({ upstream, credentials: `{ header: x-echo, ${VALUE} }` });
    const { fields } = await open(gateway, '/x');
    expect(fields).not.toMatch(/x-echo/i);
    expect(fields).not.toContain(SECRET);
  });

  test.each([
    ['its own first one', ['chat', 'v2'], 'chat'],
    ['none where it offered none', [], ''],
  ])('for which the service chooses the credential is told of %s', async (_name, protocols, chosen) => {
    const choose = (offered: Set<string>) => [...offered].find((item) => item.startsWith('key.')) ?? false;
    const { gateway } = await startScene({ upstream, service: { choose } });
    const { socket, fields } = await open(gateway, '/x', protocols);
    expect(socket.protocol).toBe(chosen);
    expect(fields).not.toContain(SECRET);
    await gateway.logged(({ msg }) => msg === 'session opened');
    await expectSilence(gateway);
  });

  test('that the service refuses, with the credential in its words, is refused without them', async () => {
    const refuse = ({ url }: IncomingMessage) =>
      `HTTP/1.1 403 Forbidden\r\nLocation: ${url}\r\nX-Echo: ${SECRET}\r\nX-B: c\r\nContent-Length: ${10 + SECRET.length}\r\n\r\nwrong key ${SECRET}`;
    const { gateway } = await startScene({ upstream, service: { refuse } });
    const socket = new WebSocket(gateway.url('/x?a=1'), {
      headers: { authorization: `Bearer ${freshToken()}` },
    });
    socket.on('error', () => {});
    const [, answer] = (await within(once(socket, 'unexpected-response'), 'a refusal')) as [
      unknown,
      IncomingMessage,
    ];
    expect([answer.statusCode, answer.headers.location, answer.headers['x-b']]).toEqual([403, '/x?a=1', 'c']);
    expect(answer.rawHeaders.join() + (await text(answer))).not.toContain(SECRET);
    await gateway.logged(({ msg }) => msg === 'upgrade refused');
    await expectSilence(gateway);
  });

  test('asks for what can be looked into, and is refused without a body that cannot', async () => {
    const packed = gzipSync(`wrong key ${SECRET}`);
    const head = `HTTP/1.1 401 No\r\nContent-Encoding: gzip\r\nContent-Length: ${packed.length}\r\n\r\n`;
    const service = { refuse: () => Buffer.concat([Buffer.from(head), packed]) };
    const { keeper, gateway } = await startScene({ upstream, service });
    const own = { authorization: `Bearer ${freshToken()}`, 'accept-encoding': 'gzip', accept_encoding: 'br' };
    const socket = new WebSocket(gateway.url('/x'), { headers: own });
    socket.on('error', () => {});
    const [, answer] = (await within(once(socket, 'unexpected-response'), 'a refusal')) as [
      unknown,
      IncomingMessage,
    ];
    expect([answer.statusCode, answer.headers['content-encoding'], await text(answer)]).toEqual([
      401,
      undefined,
      '',
    ]);
    const [asked] = keeper.asked;
    expect(asked?.headers['accept-encoding']).toBe('identity');
    expect(asked?.text).not.toMatch(/gzip|br$/m);
  });
});

describe('a plain request', () => {
  test('brings the gateway’s credentials, and none of the client’s in their places, trailers among them', async () => {
    const { keeper, gateway } = await startScene();
    const headers = { 'X-Key': 'mine', 'x-other': '1', trailer: 'x-key, x-sum' };
    const trailers = { 'X-Key': 'mine', x_key: 'mine', 'x-sum': '7' };
    expect((await ask(gateway, '/x?apikey=mine', { headers, trailers })).body).toBe('ok');
    const [asked] = keeper.asked;
    expect(asked?.url).toBe(`/x?apikey=${SECRET}`);
    expect(asked?.headers).toMatchObject({ 'x-key': `Key ${SECRET}`, 'x-other': '1' });
    expect(asked?.trailers).toEqual({ 'x-sum': '7' });
    expect(asked?.text).not.toMatch(/mine|eyJ/);
    await gateway.logged(({ msg }) => msg === 'request served');
    await expectSilence(gateway);
  });

  test('brings one in place of its own token', async () => {
    const { keeper, gateway } = await startScene({
      credentials: `{ header: authorization, prefix: "Bearer ", ${VALUE} }`,
    });
    await ask(gateway, '/x');
    await ask(gateway, `/x?token=${freshToken()}`, { headers: { authorization: 'Basic bWluZTptaW5l' } });
    for (const { url, headers } of keeper.asked) {
      expect(headers.authorization).toBe(`Bearer ${SECRET}`);
      expect(url).toBe('/x');
    }
    expect(keeper.asked).toHaveLength(2);
  });

  test('has an answer without what repeats one: fields, trailers, and parameters of places', async () => {
    const answer: KeeperParts['answer'] = ({ url }, response) => {
      const fields = {
        location: `http://127.0.0.1${url}#f`,
        'x-echo': `Key ${SECRET}`,
        'x-b': 'c',
        trailer: 'x-t, x-u',
      };
      response.writeHead(302, fields).write('moved');
      response.addTrailers({ 'x-t': SECRET, 'x-u': '1' });
      response.end();
    };
    const { gateway } = await startScene({ service: { answer } });
    const { status, message } = await ask(gateway, '/x?a=1', { trailers: {} });
    expect([status, message.headers.location, message.headers['x-b']]).toEqual([
      302,
      'http://127.0.0.1/x?a=1#f',
      'c',
    ]);
    expect(message.trailers).toEqual({ 'x-u': '1' });
    expect(message.rawHeaders.join()).not.toContain(SECRET);
  });

  test('has an answer without what repeats one in its reason phrases', async () => {
    const answer: KeeperParts['answer'] = ({ socket }, response) => {
      socket.write(`HTTP/1.1 103 hint ${SECRET}\r\nX-A: b\r\n\r\n`);
      response.writeHead(401, `bad key ${SECRET}`).end();
    };
    const { gateway } = await startScene({ service: { answer } });
    const headers = `Host: 127.0.0.1\r\nAuthorization: Bearer ${freshToken()}\r\nConnection: close`;
    const client = connect(gateway.port, '127.0.0.1', () =>
      client.write(`GET /x HTTP/1.1\r\n${headers}\r\n\r\n`),
    );
    const answered = await within(text(client), 'an answer');
    expect(answered).toMatch(/^HTTP\/1\.1 103 Early Hints\r\nX-A: b\r\n\r\nHTTP\/1\.1 401 Unauthorized\r\n/);
    expect(answered).not.toContain(SECRET);
  });

  test('has trailers without one in their names', async () => {
    const answer: KeeperParts['answer'] = (_request, response) => {
      response.writeHead(200, { 'transfer-encoding': 'chunked', trailer: `x-u` }).write('body');
      response.addTrailers({ [`x-${SECRET}`]: '1', 'x-u': '1' });
      response.end();
    };
    const { gateway } = await startScene({ service: { answer } });
    expect((await ask(gateway, '/x', { trailers: {} })).message.trailers).toEqual({ 'x-u': '1' });
  });

  test('that has itself repeated brings no credential', async () => {
    const answer: KeeperParts['answer'] = ({ url, rawHeaders }, response) =>
      response.end([url, ...rawHeaders].join());
    const { keeper, gateway } = await startScene({ service: { answer } });
    expect((await ask(gateway, '/x?a=1', { method: 'TRACE' })).body).toMatch(/^\/x\?a=1,/);
    expect(keeper.asked).toHaveLength(1);
    expect(keeper.asked[0]?.text).not.toContain(SECRET);
  });

  test.each([
    ['for a route with tokens', undefined, 'origins: ["https://a.example"]'],
    ['for a route that is open', 'none', 'origins: ["https://a.example"]'],
  ])('that is a preflight %s brings no credential, and nothing in its place', async (_name, auth, more) => {
    const { keeper, gateway } = await startScene({ more, ...(auth && { auth }) });
    const preflight = {
      authorization: [],
      origin: 'https://a.example',
      'access-control-request-method': 'PUT',
      'x-key': 'mine',
    };
    expect((await ask(gateway, '/x?apikey=mine', { method: 'OPTIONS', headers: preflight })).status).toBe(
      200,
    );
    expect(keeper.asked).toHaveLength(1);
    expect(keeper.asked[0]?.text).not.toMatch(/mine|sk-/);
  });
});

test('a credential is of clients with the claims that it is for, and others have nothing in its place', async () => {
  const { keeper, gateway } = await startScene({
    credentials: `[{ header: x-key, when: { plan: pro }, prefix: "Pro ", ${VALUE} }, { query: apikey, when: { plan: { anyOf: [pro, team] } }, ${VALUE} }]`,
  });
  for (const plan of ['pro', 'team', 'free']) {
    const headers = { authorization: `Bearer ${freshToken({ plan })}`, 'x-key': 'mine' };
    await ask(gateway, '/x?apikey=mine', { headers });
  }
  expect(keeper.asked.map(({ url, headers }) => [url, headers['x-key']])).toEqual([
    [`/x?apikey=${SECRET}`, `Pro ${SECRET}`],
    [`/x?apikey=${SECRET}`, undefined],
    ['/x', undefined],
  ]);
});

describe('polls', () => {
  const credentials = `[{ header: x-key, prefix: "Key ", ${VALUE} }, { query: apikey, ${VALUE} }]`;

  test('bring the gateway’s credentials, all of them, and none of the client’s', async () => {
    const answer: KeeperParts['answer'] = ({ url = '' }, response) => {
      // Held for ever, as by a service with nothing to say.
      if (!url.startsWith('/poll')) response.end();
    };
    const more = 'timeouts: { close: 1s }';
    const { keeper, gateway } = await startScene({ upstream: poll, credentials, more, service: { answer } });
    const { socket } = await open(gateway, '/x?a=1&apikey=mine', [], { headers: { 'x-key': 'mine' } });
    socket.send('hello');
    await eventually(() => keeper.asked.length === 3);
    socket.close(1000);
    await eventually(() => keeper.asked.length === 4);
    for (const { url, headers, text } of keeper.asked) {
      expect([headers['x-key'], url]).toEqual([
        `Key ${SECRET}`,
        expect.stringMatching(`[?&]apikey=${SECRET}$`),
      ]);
      expect(text).not.toMatch(/mine|eyJ/);
    }
    expect(keeper.asked.map(({ url }) => url.split('apikey')[0]).sort()).toEqual([
      '/close?',
      '/open?a=1&',
      '/poll?',
      '/send?',
    ]);
    await gateway.logged(({ msg }) => msg === 'session ended');
    await expectSilence(gateway);
  });

  test.each([
    ['in its words', {}, `wrong key ${SECRET}`],
    ['cut off in its words', {}, `${'.'.repeat(64 * 1024 - 10)}${SECRET}`],
    ['in compressed words', { 'content-encoding': 'gzip' }, gzipSync(SECRET)],
  ])(
    'of which the first is refused with the credential %s are refused without them',
    async (_name, fields, body) => {
      const answer: KeeperParts['answer'] = (_request, response) => {
        response
          .writeHead(401, { 'www-authenticate': `Key ${SECRET}`, 'retry-after': '9', ...fields })
          .end(body);
      };
      const { gateway } = await startScene({ upstream: poll, credentials, service: { answer } });
      const socket = new WebSocket(gateway.url('/x'), {
        headers: { authorization: `Bearer ${freshToken()}` },
      });
      socket.on('error', () => {});
      const [, refusal] = (await within(once(socket, 'unexpected-response'), 'a refusal')) as [
        unknown,
        IncomingMessage,
      ];
      expect([refusal.statusCode, refusal.headers['retry-after']]).toEqual([401, '9']);
      expect(refusal.rawHeaders.join()).not.toContain(SECRET);
      expect(await text(refusal)).toBe('');
    },
  );
});

test.each([
  ['http', http],
  ['websocket', websocket],
  ['poll', poll],
])('health checks of %s bring what anybody is lent', async (kind, upstream) => {
  const all = `{ header: x-key, ${VALUE} }, { query: apikey, ${VALUE} }, { header: x-pro, when: { plan: pro }, ${VALUE} }`;
  const credentials = kind === 'poll' ? `[${all}]` : `[${all}, { subprotocol: key., ${VALUE} }]`;
  const health = (port: number) => `${upstream(port)}, health: { every: 50ms, path: "/healthz?a" }`;
  const { keeper } = await startScene({ upstream: health, credentials });
  await eventually(() => keeper.asked.length > 0);
  const [asked] = keeper.asked;
  expect([asked?.url, asked?.headers['x-key'], asked?.headers['x-pro']]).toEqual([
    `/healthz?a&apikey=${SECRET}`,
    SECRET,
    undefined,
  ]);
  if (kind === 'websocket') expect(asked?.headers['sec-websocket-protocol']).toBe(`key.${SECRET}`);
});

test('a key that is renewed in its file is sent from then on, and a broken one is not', async () => {
  const file = await fileWith('sk-the-first\n');
  const { keeper, gateway } = await startScene({ credentials: `{ header: x-key, value: "file:${file}" }` });
  const sent = async () => {
    await ask(gateway, '/x');
    return keeper.asked.at(-1)?.headers['x-key'];
  };
  expect(await sent()).toBe('sk-the-first');
  writeFileSync(file, '');
  await gateway.logged(({ msg }) => String(msg).startsWith('credential not renewed'), 10_000);
  expect(await sent()).toBe('sk-the-first');
  writeFileSync(file, 'sk-the-second\n');
  const line = await gateway.logged(({ msg }) => msg === 'credential renewed', 10_000);
  expect(line).toMatchObject({ level: 'info', route: 'kept', file });
  expect(await sent()).toBe('sk-the-second');
  const metrics = await gateway.metrics();
  for (const outcome of ['refused', 'renewed'])
    expect(metrics).toContain(`sallyport_file_reloads_total{kind="credentials",outcome="${outcome}"} 1\n`);
  expect(JSON.stringify(gateway.log)).not.toMatch(/sk-the/);
});

test('a gateway does not start with a key that cannot be used', async () => {
  const file = await fileWith('');
  await expect(startScene({ credentials: `{ header: x-key, value: "file:${file}" }` })).rejects.toThrow(
    `${file} is empty`,
  );
});

test('a route that sends none does nothing to what clients send', async () => {
  const { keeper, gateway } = await startScene({
    credentials: `{ header: x-key, when: { plan: pro }, ${VALUE} }`,
  });
  await ask(gateway, '/x?apikey=mine', { headers: { 'x-api-key': 'mine' } });
  expect(keeper.asked).toMatchObject([{ url: '/x?apikey=mine', headers: { 'x-api-key': 'mine' } }]);
});
