import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { backTo, quietCensus } from '../support/census.ts';
import { deadPort, startUpstream, startWebSocket, type Upstream } from '../support/faulty.ts';
import { startGateway } from '../support/gateway.ts';
import { certificate } from '../support/listener.ts';
import { BINARY, handshake, open, say, switching, TEXT, Wire } from '../support/raw.ts';

/** WebSocket upstreams that answer the handshake badly, and how the gateway chooses among several. */

const OFFER = {
  'Sec-WebSocket-Protocol': 'chat, superchat',
  'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits',
};

/** A gateway with one route `/` to these targets. */
function gatewayTo(targets: readonly string[], rest = ''): ReturnType<typeof startGateway> {
  const list = targets.map((target) => `"${target}"`).join(', ');
  return startGateway(`
routes:
  - name: r
    match: { path: /* }
    auth: none
    timeouts: { handshake: 1s }
    upstream: { websocket: [${list}]${rest} }`);
}

/** The answer a client gets when its upstream answers the handshake with what `reply` makes of it. */
async function answerTo(reply: (head: string) => string | Buffer, headers = {}) {
  await using upstream = await startUpstream(async function onWire(wire) {
    await wire.until(() => wire.head !== undefined || wire.end !== undefined, 'a handshake');
    wire.write(reply(wire.head ?? ''));
  });
  await using gateway = await gatewayTo([`ws://127.0.0.1:${upstream.port}`]);
  using client = await say(gateway.port, handshake('/x', headers));
  const answer = await client.answer();
  if (answer.status !== 101) {
    await client.ended();
    // Whatever was wrong, the upstream's connection is given up.
    await (upstream.wires[0] as Wire).ended();
  }
  return answer;
}

describe('an upstream that answers badly', () => {
  const ok =
    (extra = '') =>
    (head: string) =>
      switching(head, extra);
  test.each([
    ['a wrong Accept', (head: string) => ok()(head).replace(/Accept: ./, 'Accept: *'), {}],
    ['no Accept', (head: string) => ok()(head).replace(/Sec-WebSocket-Accept.*\r\n/, ''), {}],
    ['a wrong Upgrade', (head: string) => ok()(head).replace('websocket', 'h2c'), {}],
    ['no Connection: upgrade', (head: string) => ok()(head).replace('Connection: Upgrade\r\n', ''), {}],
    ['a protocol nobody offered', ok('Sec-WebSocket-Protocol: other\r\n'), OFFER],
    ['two protocols', ok('Sec-WebSocket-Protocol: chat, superchat\r\n'), OFFER],
    ['a protocol where none was offered', ok('Sec-WebSocket-Protocol: chat\r\n'), {}],
    ['an extension nobody offered', ok('Sec-WebSocket-Extensions: permessage-deflate\r\n'), {}],
    ['an extension we do not know', ok('Sec-WebSocket-Extensions: x-shrink\r\n'), OFFER],
    [
      'deflate with a window out of range',
      ok('Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99\r\n'),
      OFFER,
    ],
    ['a megabyte of headers', ok(`X-Long: ${'x'.repeat(2 ** 20)}\r\n`), {}],
    ['garbage', () => Buffer.alloc(1000, 0xe9), {}],
    ['HTTP/2', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', {}],
  ] as const)('with %s is refused with 502', async (_name, reply, headers) => {
    const answer = await answerTo(reply, headers);
    expect(answer).toMatchObject({ status: 502, body: expect.stringMatching(/^UPSTREAM_(INVALID|LOST): /) });
  });

  test('is given up at the deadline, silent or dripping', async () => {
    await using silent = await startUpstream();
    await using dripping = await startUpstream((wire) => {
      const bytes = Buffer.from(switching('')).values();
      const drip = setInterval(() => wire.write(Buffer.from([bytes.next().value ?? 32])), 20);
      wire.socket.on('close', () => clearInterval(drip));
    });
    for (const { port, wire } of [silent, dripping]) {
      await using gateway = await gatewayTo([`ws://127.0.0.1:${port}`]);
      using client = await say(gateway.port, handshake('/x'));
      expect((await client.answer()).status).toBe(504);
      await (await wire()).ended();
    }
  });

  test.each([300, 302, 401, 404, 503, 599])(
    'with %i is relayed, its body and its end-to-end fields',
    async (status) => {
      const headers =
        'Content-Type: text/x\r\nRetry-After: 7\r\nSet-Cookie: a=b\r\nX-Own: yes\r\nLocation: /there\r\n' +
        'Connection: X-Hop\r\nX-Hop: no\r\nKeep-Alive: no\r\nProxy-Authenticate: no\r\nSec-WebSocket-Accept: no\r\n';
      const answer = await answerTo(
        () => `HTTP/1.1 ${status} Well\r\n${headers}Content-Length: 4\r\n\r\nbody`,
      );
      expect(answer).toMatchObject({
        status,
        body: 'body',
        headers: { 'content-type': 'text/x', 'retry-after': '7', location: '/there', connection: 'close' },
      });
      expect(answer.headers).toMatchObject({ 'set-cookie': 'a=b', 'x-own': 'yes' });
      expect(Object.values(answer.headers)).not.toContain('no');
    },
  );

  test.each([
    ['200 OK\r\nContent-Type: text/html\r\nContent-Length: 4\r\n\r\npage'],
    ['204 No Content\r\n\r\n'],
    ['000 What\r\n\r\n'],
    ['600 More\r\nContent-Length: 0\r\n\r\n'],
    ['999 Most\r\nContent-Length: 0\r\n\r\n'],
  ])('with no refusal is answered with 502: %j', async (rest) => {
    const answer = await answerTo(() => `HTTP/1.1 ${rest}`);
    expect(answer).toMatchObject({ status: 502, body: expect.stringMatching(/^UPSTREAM_INVALID/) });
  });

  test('with 304 is relayed without a body and a length', async () => {
    const answer = await answerTo(
      () => 'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 9\r\n\r\n',
    );
    expect(answer).toMatchObject({ status: 304, headers: { etag: '"x"' } });
    expect(answer.headers).not.toHaveProperty('content-length');
  });

  test('that never ends is relayed with what has come by the deadline', async () => {
    const answer = await answerTo(() => 'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\n\r\nthis far');
    expect(answer).toMatchObject({ status: 401, body: 'this far', headers: { 'www-authenticate': 'Basic' } });
  });

  test.each([
    ['permessage-deflate; client_max_window_bits=10', 'permessage-deflate'],
    ['permessage-deflate', 'permessage-deflate; server_no_context_takeover'],
  ])('with %s where %s was offered is refused', async (chosen, offered) => {
    const reply = (head: string) => switching(head, `Sec-WebSocket-Extensions: ${chosen}\r\n`);
    expect((await answerTo(reply, { 'Sec-WebSocket-Extensions': offered })).status).toBe(502);
  });

  test('has its body cut at 64 KiB', async () => {
    const body = 'x'.repeat(2 ** 20);
    const answer = await answerTo(() => `HTTP/1.1 401 No\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    expect(answer).toMatchObject({ status: 401, headers: { 'content-length': '65536' } });
    expect(answer.body.length).toBe(65_536);
  });

  test('is believed when it chooses among what was offered', async () => {
    const extra =
      'Sec-WebSocket-Protocol: superchat\r\nSec-WebSocket-Extensions: permessage-deflate\r\nX-Inner: 1\r\n';
    const { status, headers } = await answerTo((head) => switching(head, extra), OFFER);
    expect(status).toBe(101);
    expect(headers).toMatchObject({
      'sec-websocket-protocol': 'superchat',
      'sec-websocket-extensions': 'permessage-deflate',
    });
    expect(headers).toMatchObject({ 'x-inner': '1' });
  });
});

test('gets no byte of the client before its 101 is verified', async () => {
  await using upstream = await startUpstream();
  await using gateway = await gatewayTo([`ws://127.0.0.1:${upstream.port}`]);
  using client = await say(gateway.port, handshake('/x'));
  const wire = await upstream.wire();
  await wire.until(() => wire.head !== undefined, 'a handshake');
  client.send(TEXT, 'early');
  expect(wire.head).not.toMatch(/dGhlIHNhbXBsZSBub25jZQ==/);
  expect((await client.answer()).status).toBe(504);
  await wire.ended();
  expect(wire.received).toBe(wire.head?.length);
});

describe('several targets', () => {
  test('are taken in turn', async () => {
    await using one = await startWebSocket();
    await using two = await startWebSocket();
    await using gateway = await gatewayTo([`ws://127.0.0.1:${one.port}`, `ws://127.0.0.1:${two.port}`]);
    for (let i = 0; i < 6; i++) {
      using _client = await open(gateway.port, '/x');
    }
    expect([one.wires.length, two.wires.length]).toEqual([3, 3]);
  });

  test('are tried in turn when one is dead, silent or answers with no sense', async () => {
    await using live = await startWebSocket();
    await using silent = await startUpstream();
    await using mad = await startUpstream((wire) => wire.write('What?\r\n\r\n'));
    const ports = [await deadPort(), silent.port, mad.port, live.port];
    await using gateway = await gatewayTo(ports.map((port) => `ws://127.0.0.1:${port}`));
    for (let i = 0; i < 4; i++) {
      using _client = await open(gateway.port, '/x');
    }
    expect(live.wires.length).toBe(4);
  });

  test('are not tried further when one has refused', async () => {
    await using no = await startUpstream((wire) =>
      wire.write('HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n'),
    );
    await using yes = await startWebSocket();
    await using gateway = await gatewayTo([`ws://127.0.0.1:${no.port}`, `ws://127.0.0.1:${yes.port}`]);
    using client = await say(gateway.port, handshake('/x'));
    expect((await client.answer()).status).toBe(403);
    expect(yes.wires.length).toBe(0);
  });
});

describe('wss:// upstreams', () => {
  let folder: string;
  let files: { cert: string; key: string };
  let upstream: Upstream;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sallyport-'));
    files = await certificate(folder, ['chat.internal']);
    const [cert, key] = await Promise.all([readFile(files.cert), readFile(files.key)]);
    const server = createTlsServer({ cert, key });
    server.on('secureConnection', async function onSecure(socket) {
      const wire = new Wire(socket);
      await wire.until(() => wire.head !== undefined, 'a handshake');
      wire.write(switching(wire.head ?? ''));
      wire.send(BINARY, 'over TLS');
    });
    upstream = await startUpstream(() => {}, server);
  });
  afterAll(async () => {
    await upstream.close();
    await rm(folder, { recursive: true });
  });

  test('are joined when their certificate fits', async () => {
    const tls = `, tls: { ca: "${files.cert}", servername: chat.internal }`;
    await using gateway = await gatewayTo([`wss://127.0.0.1:${upstream.port}`], tls);
    using client = await open(gateway.port, '/x');
    expect((await client.message()).toString()).toBe('over TLS');
  });

  test.each([
    ['names someone else', (cert: string) => `, tls: { ca: "${cert}", servername: other.internal }`],
    ['names no address, where the target is one', (cert: string) => `, tls: { ca: "${cert}" }`],
    ['is signed by nobody known', () => ', tls: { servername: chat.internal }'],
  ])('are refused when their certificate %s', async (_name, tls) => {
    await using gateway = await gatewayTo([`wss://127.0.0.1:${upstream.port}`], tls(files.cert));
    const before = await quietCensus();
    using client = await say(gateway.port, handshake('/x'));
    expect(await client.answer()).toMatchObject({
      status: 502,
      body: expect.stringMatching(/^UPSTREAM_REFUSED/),
    });
    await client.ended();
    await backTo(before);
  });
});
