import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/errors.ts';
import type { PendingRequest } from '../../src/listener/pending-request.ts';
import { openListener } from '../../src/listener/server.ts';
import { deferred, depsOf, dial, gone, open, say } from '../support/listener.ts';

const UPGRADE = 'GET /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
const GET = 'GET /a HTTP/1.1\r\nHost: x\r\n\r\n';

function sayHello({ response }: PendingRequest): void {
  response.end('hello');
}

describe('what a listener hands on', () => {
  test('gives upgrades to `upgrade`, with what the client sent early', async () => {
    const listener = await open({
      upgrade(pending) {
        pending.accept(undefined, []).end(`${pending.head.url} ${pending.early}`);
      },
    });
    expect(await say(listener, `${UPGRADE}early`)).toMatch(/^HTTP\/1.1 101 .*\r\n\r\n\/a early$/s);
  });

  test('gives plain requests to `request`', async () => {
    const listener = await open({ request: sayHello });
    expect(await say(listener, `GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)).toMatch(/hello$/);
  });

  test('passes every header on, however many', async () => {
    const listener = await open({
      upgrade(pending) {
        pending.accept(undefined, []).end(String(pending.head.rawHeaders.length / 2));
      },
    });
    const many = 'a:\r\n'.repeat(2_500);
    expect(await say(listener, UPGRADE.replace('\r\n\r\n', `\r\n${many}\r\n`))).toMatch(/\r\n2503$/);
  });

  test('survives a client that resets right after its upgrade', async () => {
    const taken = deferred<void>();
    const listener = await open({
      upgrade(pending) {
        pending.signal.addEventListener('abort', () => taken.resolve());
        client.resetAndDestroy();
      },
    });
    const client = dial(listener);
    client.write(UPGRADE);
    await taken.promise;
    expect(await say(listener, 'junk\r\n\r\n')).toMatch(/^HTTP\/1.1 400/);
  });

  test('has one request of a connection under way at a time, in their order', async () => {
    const underWay = new Set<string | undefined>();
    const seen: string[] = [];
    const listener = await open({
      request({ head, response }) {
        underWay.add(head.url);
        seen.push([...underWay].join());
        setImmediate(() => {
          underWay.delete(head.url);
          response.end(`answer to ${head.url}`);
        });
      },
    });
    const last = 'GET /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';
    const answers = await say(listener, GET + GET.replace('/a', '/b') + last);
    expect(seen).toEqual(['/a', '/b', '/c']);
    expect(answers).toMatch(/answer to \/a.*answer to \/b.*answer to \/c$/s);
  });

  test('serves all that came whole before what is malformed', async () => {
    const urls: (string | undefined)[] = [];
    const listener = await open({
      request({ head, response }) {
        urls.push(head.url);
        setImmediate(() => response.end('first'));
      },
    });
    const answers = await say(listener, `${GET}${GET.replace('/a', '/b')}junk\r\n\r\n`);
    expect(answers).toMatch(/^HTTP\/1.1 200 .*first.*HTTP\/1.1 400 /s);
    expect(urls).toEqual(['/a', '/b']);
  });

  test('cuts off a client that sends more requests ahead than anybody needs', async () => {
    let begun = 0;
    const listener = await open({
      request() {
        begun += 1;
      },
    });
    const client = dial(listener);
    client.write(GET.repeat(200));
    await gone(client);
    expect(begun).toBe(1);
  });

  test('cuts off an upgrade pipelined behind an unfinished response', async () => {
    const listener = await open({
      request: ({ response }) => response.write('half'),
      upgrade: (pending) => pending.accept(undefined, []).end('switched'),
    });
    const client = dial(listener);
    client.write(GET + UPGRADE);
    let heard = '';
    client.on('data', (chunk) => {
      heard += chunk;
    });
    await gone(client);
    expect(heard).not.toContain('switched');
  });
});

describe('requests that never get through', () => {
  test.each([
    ['malformed bytes', 'junk\r\n\r\n', 400, 'BAD_REQUEST'],
    ['a bare LF in a header', 'GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n', 400, 'BAD_REQUEST'],
    ['a space before the colon', 'GET / HTTP/1.1\r\nHost : x\r\n\r\n', 400, 'BAD_REQUEST'],
    [
      'both Content-Length and Transfer-Encoding',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
      'BAD_REQUEST',
    ],
    ['16 KiB of headers', `GET / HTTP/1.1\r\nA: ${'a'.repeat(16_384)}\r\n\r\n`, 431, 'HEADERS_TOO_LARGE'],
    ['CONNECT', 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n', 405, 'METHOD_NOT_ALLOWED'],
  ])('answers %s with %#', async (_what, bytes, status, code) => {
    const answer = await say(await open({ request: ({ message }) => message.resume() }), bytes);
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    expect(answer).toMatch(/\r\nconnection: close\r\n/);
    expect(answer).toMatch(new RegExp(`\r\n\r\n${code}: .+\n$`));
  });

  test.each([
    ['1', 'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n'],
    ['2', '\r\n\r\n\0\r\nQUIT\n\x21\x11'],
  ])('says what a PROXY header of version %s takes where none is expected', async (_, header) => {
    const answer = await say(await open({}), `${header}GET / HTTP/1.1\r\nHost: x\r\n\r\n`);
    expect(answer).toMatch(
      /\r\n\r\nBAD_REQUEST: The request begins with a PROXY header: .+`proxyProtocol: true`/,
    );
  });

  test('cuts off a response that had begun', async () => {
    const listener = await open({
      request({ message, response }) {
        response.write('half', () => client.write('not hex\r\n'));
        message.resume();
      },
    });
    const client = dial(listener);
    client.write('POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n');
    let heard = '';
    client.on('data', (chunk) => {
      heard += chunk;
    });
    await gone(client);
    expect(heard).not.toContain('400');
  });

  test('answers a client that goes on sending', async () => {
    const closed = deferred<void>();
    const listener = await open({}, { linger: 60_000 });
    const client = dial(listener);
    client.write(`GET / HTTP/1.1\r\nA: ${'a'.repeat(200_000)}`, () => closed.resolve());
    client.once('end', () => client.end());
    expect((await client.toArray()).join('')).toMatch(/^HTTP\/1.1 431 /);
    await closed.promise;
  });

  test('refuses on the response when one is being made', async () => {
    const listener = await open({ request: ({ message }) => message.resume() }, { linger: 40 });
    const answer = await say(
      listener,
      'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nnot hex\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
    expect(answer.match(/HTTP\/1.1/g)).toHaveLength(1);
  });
});

describe('deadlines', () => {
  const short = { headers: 60, check: 20 };

  test.each([
    ['says nothing', ''],
    ['stops in its headers', 'GET / HTTP/1.1\r\nHost:'],
  ])('answers 408 and ends a client that %s', async (_what, bytes) => {
    expect(await say(await open({}, short), bytes)).toMatch(/^HTTP\/1.1 408 .*REQUEST_TIMEOUT: /s);
  });

  test('ends an idle connection after its last response', async () => {
    const listener = await open({ request: sayHello }, { keepAlive: 30 });
    expect(await say(listener, GET)).toMatch(/hello$/);
  });
});

describe('expectations', () => {
  test.each(['100-continue', 'miracles'])('%s is left to the handler', async (expectation) => {
    const listener = await open({
      request: ({ response, message }) => response.end(message.headers.expect),
    });
    const request = `POST / HTTP/1.1\r\nHost: x\r\nExpect: ${expectation}\r\nContent-Length: 4\r\nConnection: close\r\n\r\n`;
    expect(await say(listener, request)).toMatch(new RegExp(`^HTTP/1.1 200 .*${expectation}$`, 's'));
  });
});

describe('Upgrade', () => {
  // Node asks since 22.21.
  const asks = process.versions.node.localeCompare('22.21.0', 'en', { numeric: true }) >= 0;

  test.runIf(asks).each(['h2c', 'TLS/1.0', 'h2c, foo/2', 'websocketish', 'connect-udp', 'connect-tcp-x'])(
    'to %s is passed over, whatever the method',
    async (protocol) => {
      const listener = await open({ request: ({ response, message }) => message.pipe(response) });
      const request = `POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: ${protocol}\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: 4\r\n\r\nbody`;
      expect(await say(listener, request)).toMatch(/^HTTP\/1.1 200 .*body/s);
    },
  );

  test.runIf(asks)('that is passed over ends the connection: what was sent behind it is lost', async () => {
    const urls: (string | undefined)[] = [];
    const listener = await open({
      request({ head, response }) {
        urls.push(head.url);
        setImmediate(() => response.end('hello'));
      },
    });
    const offer = 'GET /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n';
    const answers = await say(listener, `${offer}GET /b HTTP/1.1\r\nHost: x\r\n\r\n`);
    expect(answers).toMatch(/^HTTP\/1.1 200 .*Connection: close.*hello$/s);
    expect(urls).toEqual(['/a']);
  });

  test.each(['websocket', 'WebSocket', 'h2c, websocket', 'websocket/13', 'connect-tcp-12', 'Connect-TCP'])(
    'to %s is a handshake',
    async (protocol) => {
      const listener = await open({ upgrade: (pending) => pending.refuse(new GatewayError('NO_ROUTE')) });
      const request = `GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`;
      expect(await say(listener, request)).toMatch(/NO_ROUTE/);
    },
  );
});

describe('what is wrong behind a request', () => {
  test.each(['junk\r\n\r\n', 'GET / HTTP/1.1\r\nA B: c\r\n\r\n'])(
    'is answered behind its answer: %j',
    async (junk) => {
      const asked = deferred<PendingRequest>();
      const listener = await open({ request: asked.resolve });
      const answers = say(listener, `${GET}${junk}`);
      const { response } = await asked.promise;
      setImmediate(() => response.end('hello'));
      expect(await answers).toMatch(/^HTTP\/1.1 200 OK\r\n.*helloHTTP\/1.1 400 .*BAD_REQUEST/s);
    },
  );

  test('is read no further: a flood behind it waits, and ends with the connection', async () => {
    const asked = deferred<PendingRequest>();
    const listener = await open({ request: asked.resolve }, { linger: 40 });
    const client = dial(listener);
    let heard = '';
    client.on('data', (chunk) => {
      heard += chunk;
    });
    client.write(`${GET}junk\r\n\r\n`);
    const { response, message } = await asked.promise;
    const flood = Buffer.alloc(1_000_000, 'x');
    // Many turns, in each of which as much is read as there is.
    for (let turn = 0; turn < 100; turn += 1) {
      client.write(flood);
      await new Promise((resolve) => setImmediate(resolve));
    }
    response.end('hello');
    await gone(client);
    expect(heard).toContain('hello');
    expect(message.socket.bytesRead).toBeLessThan(10_000_000);
  });

  test('is answered behind those that wait, too', async () => {
    const listener = await open({ request: ({ response }) => setImmediate(() => response.end('hello')) });
    const answers = await say(listener, `${GET}${GET}${GET}junk\r\n\r\n`);
    expect(answers.match(/HTTP\/1.1 \d+/g)).toEqual([
      'HTTP/1.1 200',
      'HTTP/1.1 200',
      'HTTP/1.1 200',
      'HTTP/1.1 400',
    ]);
  });
});

describe('close', () => {
  test('ends connections without a request under way at once', async () => {
    const listener = await open({ request: sayHello }, { close: 60_000 });
    const [fresh, idle] = [dial(listener), dial(listener)];
    idle.write(GET);
    await Promise.all([once(idle, 'data'), once(fresh, 'connect')]);
    // A second round trip: the server has seen both connections.
    await say(listener, 'junk\r\n\r\n');
    await Promise.all([listener.close(), gone(fresh), gone(idle)]);
  });

  test('lets a request under way finish, then ends its connection', async () => {
    const begun = deferred<PendingRequest>();
    const listener = await open({ request: begun.resolve }, { close: 60_000 });
    const answer = say(listener, GET);
    const { response } = await begun.promise;
    const closed = listener.close();
    response.end('done');
    expect(await answer).toMatch(/done$/);
    await closed;
  });

  test('destroys a request that outlives the deadline', async () => {
    const begun = deferred<void>();
    const listener = await open({ request: () => begun.resolve() }, { close: 30 });
    const client = dial(listener);
    client.write(GET);
    await begun.promise;
    await Promise.all([listener.close(), gone(client)]);
  });

  test('leaves upgraded sockets alone and can be called twice', async () => {
    const listener = await open({
      upgrade(pending) {
        const socket = pending.accept(undefined, []);
        socket.pipe(socket);
      },
    });
    const client = dial(listener);
    client.write(UPGRADE);
    await once(client, 'data');
    await Promise.all([listener.close(), listener.close()]);
    client.write('still');
    expect(String((await once(client, 'data'))[0])).toBe('still');
    client.end();
    await once(client.resume(), 'close');
  });
});

test('a taken port is named, with what to do', async () => {
  const { address } = await open();
  const handlers = { upgrade() {}, request() {} };
  const second = openListener({ host: '127.0.0.1', port: address.port }, handlers, depsOf());
  await expect(second).rejects.toThrow(`127.0.0.1:${address.port} is taken: stop the program`);
});

test('a foreign address is named', async () => {
  const opened = openListener({ host: '192.0.2.1', port: 0 }, { upgrade() {}, request() {} }, depsOf());
  await expect(opened).rejects.toThrow('192.0.2.1:0 is not an address of this machine');
});
