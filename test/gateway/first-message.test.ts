import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createTcpServer } from 'node:net';
import { Server as EngineIo } from 'engine.io';
import { generate, type IConnectPacket } from 'mqtt-packet';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type WebSocket, WebSocketServer } from 'ws';
import { freshToken, TOKEN_ENV, TOKEN_ISSUER } from '../support/fresh.ts';
import { startGateway } from '../support/gateway.ts';
import { eventually } from '../support/patience.ts';
import { BINARY, CLOSE, dial, frame, handshake, PING, PONG, say, TEXT, type Wire } from '../support/raw.ts';
import { portOf } from '../support/servers.ts';
import { listenAt } from '../support/sockets.ts';

/** Tokens in the first message of a client, through a whole gateway, on raw sockets. */

const TOKEN = freshToken();
const message = (token: unknown, more: object = {}) =>
  JSON.stringify({ type: 'init', ...more, payload: { token } });

const CONNECT: IConnectPacket = {
  cmd: 'connect',
  clientId: 'a',
  clean: true,
  keepalive: 30,
  username: 'anybody',
  protocolId: 'MQTT',
  protocolVersion: 4,
};

interface Changes {
  readonly token?: string;
  readonly auth?: string;
  readonly route?: string;
  readonly top?: string;
  readonly upstream?: string;
  /** What the service does with a WebSocket beside noting what it hears. */
  readonly serve?: (webSocket: WebSocket, request: IncomingMessage) => void;
  readonly protocol?: (offered: Set<string>) => string | false;
}

async function scene(changes: Changes = {}) {
  const { token = '["message:/payload/token"]', auth = '', route = '', top = '', serve } = changes;
  const heard: string[] = [];
  const requests: IncomingMessage[] = [];
  const http = createServer();
  const server = new WebSocketServer({
    server: http,
    ...(changes.protocol && { handleProtocols: changes.protocol }),
  });
  server.on('connection', (webSocket, request) => {
    requests.push(request);
    webSocket.on('message', (data, isBinary) => {
      heard.push(isBinary ? `binary ${String(data)}` : String(data));
      webSocket.send(`heard ${heard.length}`);
    });
    serve?.(webSocket, request);
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  onTestFinished(() => {
    for (const client of server.clients) client.terminate();
    http.close();
  });
  const upstream = changes.upstream ?? `websocket: "ws://127.0.0.1:${portOf(http)}"`;
  const gateway = await startGateway(
    `${top}
${TOKEN_ISSUER}
routes:
  - name: app
    match: { path: /* }
    auth: { issuer: main, token: ${token}, forward: { x-user: sub }, ${auth} }
    ${route}
    upstream: { ${upstream} }`,
    TOKEN_ENV,
  );
  onTestFinished(() => gateway.close());
  async function enter(headers: Record<string, string> = {}, path = '/'): Promise<Wire> {
    const wire = await say(gateway.port, handshake(path, headers));
    onTestFinished(() => void wire.socket.destroy());
    return wire;
  }
  /** Behind the 101. */
  async function open(headers: Record<string, string> = {}, path = '/'): Promise<Wire> {
    const wire = await enter(headers, path);
    expect(await wire.answer()).toMatchObject({ status: 101 });
    return wire;
  }
  const refusal = () => gateway.logged(({ msg }) => msg === 'upgrade refused');
  return { gateway, heard, requests, server, enter, open, refusal };
}

const texts = (wire: Wire) =>
  wire.frames.filter(({ opcode }) => opcode === TEXT).map(({ payload }) => String(payload));
const hears = (wire: Wire, text: string) => wire.until(() => texts(wire).includes(text), text);

describe('a client with a good token in its first message', () => {
  test('is let in, and its service hears that message without the token, and what comes behind it', async () => {
    const { gateway, heard, requests, open } = await scene();
    const wire = await open({ 'Sec-WebSocket-Extensions': 'permessage-deflate' });
    expect((await wire.answer()).headers).not.toHaveProperty('sec-websocket-extensions');
    expect(requests).toHaveLength(0);
    wire.write(Buffer.concat([frame(TEXT, message(TOKEN)), frame(TEXT, 'more')]));
    await hears(wire, 'heard 2');
    expect(heard).toEqual(['{"type":"init","payload":{}}', 'more']);
    expect(requests[0]?.headers).toMatchObject({ 'x-user': 'alice' });
    expect(requests[0]?.headers).not.toHaveProperty('sec-websocket-extensions');
    wire.sendClose(1000);
    await wire.ended();
    expect(await gateway.logged(({ msg }) => msg === 'session ended')).toMatchObject({
      ...{ subject: 'alice', up: { messages: 2 }, down: { messages: 2 }, close: 1000, by: 'client' },
    });
    expect(JSON.stringify(gateway.log)).not.toContain(TOKEN.slice(0, 20));
    expect(await gateway.metrics()).toMatch(/handshake_seconds_count\{route="app",phase="message"\} 1/);
  });

  test.each([
    [
      'in fragments of a byte, with pings between them',
      [...Buffer.from(message(TOKEN))].flatMap((byte, at, all) => [
        frame(at === 0 ? TEXT : 0, Buffer.from([byte]), { fin: at === all.length - 1 }),
        ...(at % 50 === 0 ? [frame(PING, `p${at}`)] : []),
      ]),
    ],
    ['with an empty last fragment', [frame(TEXT, message(TOKEN), { fin: false }), frame(0)]],
    ['byte by byte', [...frame(TEXT, message(TOKEN))].map((byte) => Buffer.from([byte]))],
  ])('may send it %s', async (_, pieces) => {
    const { heard, open } = await scene();
    const wire = await open();
    for (const piece of pieces) wire.write(piece);
    wire.send(TEXT, 'more');
    await hears(wire, 'heard 2');
    expect(heard).toEqual(['{"type":"init","payload":{}}', 'more']);
    const pings = pieces.filter((piece) => piece.length > 1 && piece[0] === 0x89);
    expect(wire.frames.filter(({ opcode }) => opcode === PONG)).toHaveLength(pings.length);
  });

  test('may send it with the handshake', async () => {
    const { heard, gateway } = await scene();
    const wire = await dial(gateway.port);
    onTestFinished(() => void wire.socket.destroy());
    wire.write(
      Buffer.concat([Buffer.from(handshake('/')), frame(TEXT, message(TOKEN)), frame(TEXT, 'more')]),
    );
    await hears(wire, 'heard 2');
    expect(heard[1]).toBe('more');
  });

  test('is none for whom one waits if it has shown a token before: its messages are its own', async () => {
    const { heard, open, requests } = await scene({ token: '[header, "message:/payload/token"]' });
    const wire = await open({ Authorization: `Bearer ${TOKEN}` });
    await eventually(() => requests.length > 0);
    wire.send(TEXT, message('another'));
    await hears(wire, 'heard 1');
    expect(heard).toEqual([message('another')]);
  });

  test.each([
    ['a text that is the token, and goes no further', '["message:"]', '', TOKEN, ['more']],
    ['such a text with its scheme', '[message]', '', `Bearer ${TOKEN}`, ['more']],
    ['such a text where it is to go on', '[message]', 'forwardToken: true', TOKEN, [TOKEN, 'more']],
    ['an item of a list', '["message:/1"]', '', `["AUTH","${TOKEN}",1.50]`, ['["AUTH","",1.50]', 'more']],
    [
      'JSON that is to go on whole',
      '["message:/t"]',
      'forwardToken: true',
      `{"t": "${TOKEN}"}`,
      [`{"t": "${TOKEN}"}`, 'more'],
    ],
    ['JSON that is to be dropped', '["message:/t"]', 'firstMessage: drop', `{"t": "${TOKEN}"}`, ['more']],
  ])('may send %s', async (_, token, auth, text, expected) => {
    const { heard, open } = await scene({ token, auth });
    const wire = await open();
    wire.send(TEXT, text);
    wire.send(TEXT, 'more');
    await hears(wire, `heard ${expected.length}`);
    expect(heard).toEqual(expected);
  });

  test('pays for it as for any other message, and for none that is dropped', async () => {
    const limit = 'limits: { messages: { rate: 2/h, burst: 1, over: close, per: address } }';
    const dropped = await scene({ token: '[message]', route: limit });
    const wire = await dropped.open();
    wire.send(TEXT, TOKEN);
    wire.send(TEXT, 'more');
    await hears(wire, 'heard 1');
    const passed = await scene({ route: limit });
    const other = await passed.open();
    other.send(TEXT, message(TOKEN));
    await hears(other, 'heard 1');
    other.send(TEXT, 'more');
    expect(await other.ended()).toMatchObject({ code: 1008 });
  });
});

test('who says nothing keeps nobody out', async () => {
  const { open } = await scene({
    top: 'limits: { connections: 1 }',
    token: '[header, "message:/payload/token"]',
  });
  const silent = await open();
  await open({ Authorization: `Bearer ${TOKEN}` });
  // Now it is its own turn that has to wait.
  silent.send(TEXT, message(TOKEN));
  expect(await silent.ended()).toEqual({ code: 1013, reason: 'The gateway is full; try again later.' });
});

test('who is refused keeps nobody out until it has left', async () => {
  const { open } = await scene({
    top: 'limits: { connections: 1 }',
    token: '[header, "message:/payload/token"]',
  });
  const refused = await open();
  refused.polite = false;
  refused.send(TEXT, message('no token'));
  await refused.until(() => refused.close !== undefined, 'a Close');
  await open({ Authorization: `Bearer ${TOKEN}` });
});

describe('a client is closed, and its service never hears of it,', () => {
  const expired = freshToken({ exp: 1 });
  test.each([
    ['with a bad token', frame(TEXT, message(`${TOKEN}x`)), 3000, 'TOKEN_INVALID'],
    ['with an expired one', frame(TEXT, message(expired)), 3000, 'TOKEN_EXPIRED'],
    ['that lacks a claim', frame(TEXT, message(freshToken({ room: 2 }))), 3003, 'FORBIDDEN'],
    ['with a token elsewhere', frame(TEXT, JSON.stringify({ token: TOKEN })), 3000, 'TOKEN_MISSING'],
    ['with a token that is no text', frame(TEXT, message(7)), 3000, 'TOKEN_MISSING'],
    ['with a message that is no JSON', frame(TEXT, TOKEN), 3000, 'TOKEN_MISSING'],
    ['with one that is binary', frame(BINARY, message(TOKEN)), 3000, 'TOKEN_MISSING'],
    ['with one that is no UTF-8', frame(TEXT, Buffer.from([0xff])), 1007, 'INVALID_PAYLOAD'],
    [
      'with a frame that is not masked',
      frame(TEXT, message(TOKEN), { masked: false }),
      1002,
      'PROTOCOL_ERROR',
    ],
    ['with more than 16 KiB', frame(TEXT, '', { length: 16_385 }), 1009, 'MESSAGE_TOO_BIG'],
    [
      'with more than that in fragments',
      Buffer.concat([frame(TEXT, 'x'.repeat(16_000), { fin: false }), frame(0, 'x'.repeat(1_000))]),
      1009,
      'MESSAGE_TOO_BIG',
    ],
    [
      'with pings and no end of them',
      Buffer.concat(Array(600).fill(frame(PING, 'x'.repeat(120)))),
      1009,
      'MESSAGE_TOO_BIG',
    ],
  ])('%s', async (_, bytes, code, error) => {
    const { gateway, requests, open, refusal } = await scene({ auth: 'require: { room: 1 }' });
    const wire = await open();
    wire.write(bytes);
    expect(await wire.ended()).toMatchObject({ code });
    const line = await refusal();
    expect(line).toMatchObject({ error, close: code, route: 'app' });
    expect(line).not.toHaveProperty('status');
    expect(requests).toHaveLength(0);
    expect(gateway.gateway.connections).toBe(0);
    expect(await gateway.metrics()).toContain(`upgrades_total{route="app",outcome="${error}"} 1`);
  });

  test('with a CONNECT in pieces without end, each of which has all of it read anew', async () => {
    const { open, refusal } = await scene({
      token: '[stomp]',
      upstream: 'tcp: "127.0.0.1:9", protocols: any',
    });
    const wire = await open({ 'Sec-WebSocket-Protocol': 'v12.stomp' });
    const begun = frame(TEXT, `CONNECT\n${'a:b\n'.repeat(3_990)}`);
    wire.write(Buffer.concat([begun, ...Array(100).fill(frame(TEXT))]));
    expect(await wire.ended()).toMatchObject({
      code: 1009,
      reason: 'The message is too big: it comes in too many pieces.',
    });
    expect(await refusal()).toMatchObject({ error: 'MESSAGE_TOO_BIG' });
  });

  test('with more than its route lets it say', async () => {
    const { open } = await scene({ route: 'limits: { messageSize: 64B }' });
    const wire = await open();
    wire.send(TEXT, message(TOKEN));
    expect(await wire.ended()).toMatchObject({
      code: 1009,
      reason: 'The message is too big: at most 64 bytes.',
    });
  });

  test.each([
    ['says nothing', ''],
    ['begins to say something', frame(TEXT, message(TOKEN)).subarray(0, 40)],
  ])('if it %s in time', async (_, bytes) => {
    const { open, refusal } = await scene({ route: 'timeouts: { handshake: 100ms }' });
    const wire = await open();
    wire.write(bytes);
    expect(await wire.ended()).toEqual({ code: 3000, reason: 'A token is required.' });
    expect(await refusal()).toMatchObject({
      detail: 'the first message did not come within 0.1 s',
      close: 3000,
    });
  });

  test('if it closes, and its Close is answered', async () => {
    const { open, refusal } = await scene();
    const wire = await open();
    wire.polite = false;
    wire.sendClose(4001, 'bye');
    await wire.until(() => wire.close !== undefined, 'a Close');
    expect(wire.close).toEqual({ code: 4001, reason: '' });
    wire.socket.end();
    await wire.ended();
    expect(wire.frames.filter(({ opcode }) => opcode === CLOSE)).toHaveLength(1);
    expect(await refusal()).toMatchObject({ error: 'CLIENT_LOST' });
  });

  test('if it leaves, and its place is free', async () => {
    const { open, enter, refusal } = await scene({
      route: 'limits: { connections: { max: 1, per: address } }',
    });
    const wire = await open();
    expect((await (await enter()).answer()).status).toBe(429);
    wire.socket.destroy();
    expect(await refusal()).toMatchObject({ error: 'TOO_MANY_CONNECTIONS' });
    const isFree = async () => (await (await enter()).answer()).status === 101;
    await eventually(isFree, 'a free place');
  });

  test('if the gateway ends meanwhile', async () => {
    const { open, gateway } = await scene();
    const wire = await open();
    const closed = gateway.close();
    expect(await wire.ended()).toMatchObject({ code: 1001 });
    await closed;
    expect(gateway.log).toContainEqual(expect.objectContaining({ error: 'GOING_AWAY', close: 1001 }));
  });

  test('if the gateway ends while its service is asked', async () => {
    const service = createTcpServer((socket) => socket.on('error', () => undefined).resume());
    await listenAt({ port: 0, host: '127.0.0.1' }, service);
    const { open, gateway } = await scene({ upstream: `websocket: "ws://127.0.0.1:${portOf(service)}"` });
    const wire = await open();
    wire.send(TEXT, message(TOKEN));
    await once(service, 'connection');
    const closed = gateway.close();
    expect(await wire.ended()).toMatchObject({ code: 1012 });
    await closed;
  });

  test('if its service cannot be reached', async () => {
    const { open, refusal } = await scene({ upstream: 'websocket: "ws://127.0.0.1:9"' });
    const wire = await open();
    wire.send(TEXT, message(TOKEN));
    expect(await wire.ended()).toMatchObject({ code: 1014, reason: 'The upstream could not be reached.' });
    expect(await refusal()).toMatchObject({ error: 'UPSTREAM_REFUSED', subject: 'alice', close: 1014 });
  });
});

describe('the subprotocol is named before the service is asked', () => {
  const OFFER = { 'Sec-WebSocket-Protocol': 'bearer, secret, chat, other' };

  test('the first that is no credential, and the service is offered that alone', async () => {
    const { open, requests } = await scene();
    const wire = await open(OFFER);
    expect((await wire.answer()).headers).toMatchObject({ 'sec-websocket-protocol': 'chat' });
    wire.send(TEXT, message(TOKEN));
    await hears(wire, 'heard 1');
    expect(requests[0]?.headers).toMatchObject({ 'sec-websocket-protocol': 'chat' });
  });

  test('and a service that speaks none is none for its client', async () => {
    const { open, refusal } = await scene({ protocol: () => false });
    const wire = await open(OFFER);
    wire.send(TEXT, message(TOKEN));
    expect(await wire.ended()).toMatchObject({ code: 1014 });
    expect(await refusal()).toMatchObject({
      error: 'UPSTREAM_INVALID',
      detail: 'it speaks no subprotocol, and the client has been told chat',
    });
  });
});

describe('who cannot wait with a token', () => {
  test.each([['a plain request', 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n']])(
    '%s is refused as without',
    async (_, head) => {
      const { gateway } = await scene({ upstream: 'http: "http://127.0.0.1:9"' });
      using wire = await say(gateway.port, head);
      expect(await wire.answer()).toMatchObject({
        status: 401,
        headers: { 'www-authenticate': expect.anything() },
      });
    },
  );

  test('a client of sallyport.tcp.v1 is refused in its handshake', async () => {
    const { enter } = await scene({ token: '[mqtt]', upstream: 'tcp: "127.0.0.1:9"' });
    const wire = await enter({ 'Sec-WebSocket-Protocol': 'sallyport.tcp.v1' });
    expect((await wire.answer()).status).toBe(101);
    expect(await wire.ended()).toMatchObject({ code: 3000 });
  });
});

describe('other upstreams', () => {
  test('a service that takes each message by a POST gets the first one without its token', async () => {
    const bodies: string[] = [];
    const service = createServer(async (request, response) => {
      bodies.push(`${request.headers['x-user']} ${(await request.toArray()).join('')}`);
      response.setHeader('content-type', 'text/plain').end(`answer ${bodies.length}`);
    });
    await listenAt({ port: 0, host: '127.0.0.1' }, service);
    const { open } = await scene({
      upstream: `post: { target: "http://127.0.0.1:${portOf(service)}", path: / }`,
    });
    const wire = await open();
    wire.send(TEXT, message(TOKEN));
    await hears(wire, 'answer 1');
    wire.send(TEXT, 'more');
    await hears(wire, 'answer 2');
    expect(bodies).toEqual(['alice {"type":"init","payload":{}}', 'alice more']);
  });

  test('a TCP service gets the bytes of a CONNECT in two messages, without its password', async () => {
    const received: Buffer[] = [];
    const service = createTcpServer((socket) =>
      socket.on('data', (chunk) => {
        received.push(chunk);
        socket.write(Buffer.from([0x20, 2, 0, 0]));
      }),
    );
    await listenAt({ port: 0, host: '127.0.0.1' }, service);
    const { open } = await scene({
      token: '[mqtt]',
      upstream: `tcp: "127.0.0.1:${portOf(service)}"`,
    });
    const wire = await open({ 'Sec-WebSocket-Protocol': 'mqtt' });
    expect((await wire.answer()).headers['sec-websocket-protocol']).toBe('mqtt');
    const connect = (password?: string) =>
      generate({ ...CONNECT, ...(password !== undefined && { password: Buffer.from(password) }) });
    const whole = Buffer.concat([connect(TOKEN), Buffer.from([0xc0, 0])]);
    wire.send(BINARY, whole.subarray(0, 30));
    wire.send(BINARY, whole.subarray(30));
    await wire.message();
    expect(Buffer.concat(received)).toEqual(Buffer.concat([connect(), Buffer.from([0xc0, 0])]));
  });

  test.each([
    ['a program hears that none is spoken', {}, 101],
    ['a page is refused', { Origin: 'http://127.0.0.1' }, 400],
  ])('of subprotocols that a TCP route does not know %s', async (_, fields, status) => {
    const { enter } = await scene({ token: '[mqtt]', upstream: 'tcp: "127.0.0.1:9"' });
    const wire = await enter({ 'Sec-WebSocket-Protocol': 'graphql-ws', ...fields });
    expect(await wire.answer()).toMatchObject({ status });
  });

  test('who is refused gets a CONNACK, and then the Close', async () => {
    const { open, refusal } = await scene({
      token: '[mqtt]',
      upstream: 'tcp: "127.0.0.1:9", protocols: [mqtt]',
    });
    const wire = await open({ 'Sec-WebSocket-Protocol': 'mqtt' });
    wire.send(BINARY, generate(CONNECT));
    expect(await wire.ended()).toMatchObject({ code: 3000 });
    expect(await refusal()).toMatchObject({ detail: 'the first message has no token where mqtt looks' });
    expect(
      wire.frames.map(({ opcode, payload }) => [opcode, payload.subarray(0, 4).toString('hex')]),
    ).toEqual([
      [BINARY, '20020004'],
      [CLOSE, expect.anything()],
    ]);
  });
});

describe('a client of Socket.IO', () => {
  const PATH = '/socket.io/?EIO=4&transport=websocket';
  const OPEN = '0{"sid":"theirs","upgrades":[],"pingInterval":300,"pingTimeout":200,"maxPayload":99}';

  test.each([
    ['at once', (webSocket: WebSocket) => webSocket.send(OPEN)],
    ['late', (webSocket: WebSocket) => void setTimeout(() => webSocket.send(OPEN), 20)],
    [
      'with more behind it',
      (webSocket: WebSocket) => {
        webSocket.send(OPEN);
        webSocket.send('2');
      },
    ],
  ])('is greeted once, where its service greets %s', async (_, serve) => {
    const { open, heard } = await scene({ token: '[socket.io]', serve });
    const wire = await open({}, PATH);
    await wire.message();
    wire.send(TEXT, `40{"token":"${TOKEN}","a":1}`);
    await hears(wire, 'heard 1');
    const greetings = texts(wire).filter((text) => text.startsWith('0'));
    expect(greetings.map((text) => JSON.parse(text.slice(1)))).toMatchObject([{ pingInterval: 25_000 }]);
    expect(heard).toEqual(['40{"a":1}']);
    const next = await open({}, PATH);
    expect(JSON.parse(String(await next.message()).slice(1))).toMatchObject({
      pingInterval: 300,
      maxPayload: 99,
    });
  });

  test.each([
    ['says something else', (webSocket: WebSocket) => webSocket.send('hello'), 'UPSTREAM_INVALID'],
    ['sends octets', (webSocket: WebSocket) => webSocket.send(Buffer.from('0{}')), 'UPSTREAM_INVALID'],
    ['closes', (webSocket: WebSocket) => webSocket.close(1000), 'UPSTREAM_LOST'],
    ['is cut off', (webSocket: WebSocket) => webSocket.terminate(), 'UPSTREAM_LOST'],
    ['says nothing', () => {}, 'UPSTREAM_TIMEOUT'],
  ])('is closed with 1014 where its service %s', async (_, serve, error) => {
    const route = 'timeouts: { handshake: 300ms }';
    const { open, refusal } = await scene({ token: '[socket.io]', serve, route });
    const wire = await open({}, PATH);
    wire.send(TEXT, `40{"token":"${TOKEN}"}`);
    expect(await wire.ended()).toMatchObject({ code: 1014 });
    expect(await refusal()).toMatchObject({ error, close: 1014 });
  });

  test('that goes on from polls shows no token in a message', async () => {
    const { enter } = await scene({ token: '[socket.io]' });
    expect((await (await enter({}, `${PATH}&sid=x`)).answer()).status).toBe(401);
  });

  test('is greeted once where its service is polled', async () => {
    const http = createServer();
    const server = new EngineIo();
    server.attach(http, { path: '/engine.io/' });
    const heard: unknown[] = [];
    server.on('connection', (socket) =>
      socket.on('message', (data: unknown) => {
        heard.push(data);
        socket.send('welcome');
      }),
    );
    await listenAt({ port: 0, host: '127.0.0.1' }, http);
    const { open } = await scene({
      token: '[socket.io]',
      upstream: `poll: { target: "http://127.0.0.1:${portOf(http)}", profile: engine.io, path: /engine.io/ }`,
    });
    const wire = await open({}, '/engine.io/?EIO=4&transport=websocket');
    wire.send(TEXT, `40{"token":"${TOKEN}"}`);
    await hears(wire, '4welcome');
    expect(heard).toEqual(['0{}']);
    expect(texts(wire).filter((text) => text.startsWith('0'))).toHaveLength(1);
    wire.sendClose(1000);
    await wire.ended();
  });
});
