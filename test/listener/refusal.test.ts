import { describe, expect, test } from 'vitest';
import { ERROR_CODES, GatewayError } from '../../src/errors.ts';
import { RelayedAnswer } from '../../src/http/relayed-answer.ts';
import type { PendingUpgrade } from '../../src/listener/pending-upgrade.ts';
import { eventually } from '../support/census.ts';
import { closed, deferred, dial, flood, open, say, serverSocket } from '../support/listener.ts';

const UPGRADE =
  'GET /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
const POST = 'POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n';
const GET = 'GET /a HTTP/1.1\r\nHost: x\r\n\r\n';

/** What a client reads whose upgrade is refused with `error`. */
async function refused(error: GatewayError): Promise<string> {
  const listener = await open({ upgrade: (pending) => pending.refuse(error) });
  return say(listener, UPGRADE);
}

test('every sentence is ASCII, as the bytes of a refusal take it to be', () => {
  for (const code of ERROR_CODES) expect(new GatewayError(code).message).toMatch(/^[ -~]+$/);
});

describe('a refused upgrade', () => {
  test('reads the code, the sentence and the headers of the failure, never its cause', async () => {
    const cause = new Error('secret');
    const answer = await refused(new GatewayError('DRAINING', { cause, headers: { 'x-more': '1' } }));
    const [head, body] = answer.split('\r\n\r\n') as [string, string];
    expect(body).toBe('DRAINING: The gateway is restarting.\n');
    expect(head.split('\r\n').filter((line) => !line.startsWith('date: '))).toEqual([
      'HTTP/1.1 503 Service Unavailable',
      'cache-control: no-store',
      'retry-after: 5',
      'x-more: 1',
      'content-type: text/plain; charset=utf-8',
      `content-length: ${body.length}`,
      'connection: close',
    ]);
  });

  test('names Upgrade in Connection when it offers one', async () => {
    const answer = await refused(new GatewayError('UPGRADE_REQUIRED', { headers: { upgrade: 'websocket' } }));
    expect(answer).toContain('\r\nconnection: close, upgrade\r\n');
  });

  test("reads the upstream's own answer, without what belongs to the upstream's connection", async () => {
    const answer = await refused(
      new RelayedAnswer({
        status: 418,
        headers: [
          ['Content-Type', 'application/json'],
          ['Set-Cookie', 'a=1'],
          ['set-cookie', 'b=2'],
          ['CONSTRUCTOR', 'c'],
          ['constructor', 'd'],
          ['__proto__', 'e'],
          ['Cache-CONTROL', 'private'],
          ['Transfer-Encoding', 'chunked'],
          ['Content-Length', '99'],
          ['X-Split', 'a\r\nx-injected: 1'],
        ],
        body: Buffer.from('{}'),
      }),
    );
    expect(answer).toMatch(/^HTTP\/1.1 418 I'm a Teapot\r\n/);
    expect(answer).toContain('\r\nContent-Type: application/json\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\n');
    expect(answer).toContain(
      '\r\nCONSTRUCTOR: c\r\nconstructor: d\r\n__proto__: e\r\nCache-CONTROL: private\r\n',
    );
    expect(answer).not.toContain('no-store');
    expect(answer).toContain('\r\ncontent-length: 2\r\n');
    expect(answer).not.toMatch(/transfer-encoding|x-split|x-injected/);
    expect(answer).toMatch(/\r\n\r\n\{\}$/);
  });

  test('gets no field that would be two', async () => {
    const headers = { 'x-fine': '1', 'x-split': 'a\r\nx-injected: 1', 'x bad': '1' };
    const answer = await refused(new GatewayError('FORBIDDEN', { headers }));
    expect(answer).toContain('\r\nx-fine: 1\r\n');
    expect(answer).not.toMatch(/x-split|x-injected|x bad/);
  });

  test('reads its answer though it is still sending, and is let go when it leaves', async () => {
    const listener = await open(
      { upgrade: (pending) => pending.refuse(new GatewayError('TOKEN_MISSING')) },
      { linger: 60_000 },
    );
    const socket = serverSocket(listener);
    const client = dial(listener);
    client.write(UPGRADE + 'x'.repeat(200_000));
    client.once('end', () => client.end());
    expect((await client.toArray()).join('')).toMatch(
      /^HTTP\/1.1 401 .*TOKEN_MISSING: A token is required.\n$/s,
    );
    await closed(await socket);
  });

  test('is disconnected after the linger deadline if it does not leave', async () => {
    const listener = await open(
      { upgrade: (pending) => pending.refuse(new GatewayError('NO_ROUTE')) },
      { linger: 30 },
    );
    const socket = serverSocket(listener);
    dial(listener).resume().write(UPGRADE);
    await closed(await socket);
  });

  test('that is gone already gives its socket back', async () => {
    const arrived = deferred<PendingUpgrade>();
    const listener = await open({ upgrade: arrived.resolve }, { linger: 60_000 });
    const socket = serverSocket(listener);
    const client = dial(listener);
    client.write(UPGRADE);
    const pending = await arrived.promise;
    client.resetAndDestroy();
    await closed(await socket);
    expect(pending.gone).toBe(true);
    pending.refuse(new GatewayError('NO_ROUTE'));
    pending.refuseByClose(new GatewayError('NO_ROUTE'), undefined);
  });

  test('by a Close reads the code and the sentence behind a 101', async () => {
    const listener = await open({
      upgrade: (pending) => pending.refuseByClose(new GatewayError('NO_ROUTE'), 'bearer'),
    });
    const answer = await say(listener, UPGRADE);
    expect(answer).toMatch(/^HTTP\/1.1 101 .*\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/s);
    expect(answer).toContain('\r\nSec-WebSocket-Protocol: bearer\r\n');
    expect(answer).toMatch(/No route leads here\.$/);
  });
});

describe('a refused request', () => {
  test('reads the refusal while its body is still coming, and is let go when that has come', async () => {
    const listener = await open(
      { request: (pending) => pending.refuse(new GatewayError('TOKEN_EXPIRED')) },
      { linger: 60_000 },
    );
    const socket = serverSocket(listener);
    const client = dial(listener);
    client.write(POST);
    client.once('data', () => client.end('x'.repeat(200_000)));
    expect((await client.toArray()).join('')).toMatch(
      /^HTTP\/1.1 401 .*TOKEN_EXPIRED: The token has expired.\n$/s,
    );
    await closed(await socket);
  });

  test('is disconnected after the linger deadline if its body does not end', async () => {
    const listener = await open(
      { request: (pending) => pending.refuse(new GatewayError('TOKEN_EXPIRED')) },
      { linger: 30 },
    );
    const socket = serverSocket(listener);
    expect(await say(listener, POST)).toMatch(/^HTTP\/1.1 401 /);
    await closed(await socket);
  });

  test('reads fields of any name, and those of its own in the place of the answer’s', async () => {
    const headers = [
      ['Constructor', 'c'],
      ['X-More', '1'],
    ] as const;
    const error = new RelayedAnswer({ status: 404, headers, body: Buffer.from('no') });
    const listener = await open({ request: (pending) => pending.refuse(error, { 'x-more': '2' }) });
    const answer = await say(listener, GET);
    expect(answer).toContain('\r\nConstructor: c\r\n');
    expect(answer.match(/^x-more: .$/gim)).toEqual(['x-more: 2']);
  });

  test('is cut off when its response had begun', async () => {
    const listener = await open({
      request(pending) {
        pending.response.write('half', () => pending.refuse(new GatewayError('UPSTREAM_LOST')));
      },
    });
    expect(await say(listener, GET)).not.toContain('UPSTREAM_LOST');
  });

  test('reads the head alone when it asked for no more', async () => {
    const listener = await open({ request: (pending) => pending.refuse(new GatewayError('NO_ROUTE')) });
    const answer = await say(listener, GET.replace('GET', 'HEAD'));
    expect(answer).toMatch(/^HTTP\/1.1 404 .*\r\ncontent-length: \d\d\r\n.*\r\n\r\n$/s);
  });

  test('waits for its turn behind a request that is still being answered', async () => {
    const listener = await open({
      request(pending) {
        if (pending.head.url === '/a') setImmediate(() => pending.response.end('first'));
        else pending.refuse(new GatewayError('NO_ROUTE'));
      },
    });
    const answer = await say(listener, GET + GET.replace('/a', '/b'));
    expect(answer).toMatch(/^HTTP\/1.1 200 .*first.*HTTP\/1.1 404 .*NO_ROUTE: /s);
  });

  test.each([
    ['request', GET],
    ['upgrade', UPGRADE],
  ])('takes with it the %s pipelined behind it', async (_what, behind) => {
    const asked: (string | undefined)[] = [];
    const listener = await open({
      request(pending) {
        asked.push(pending.head.url);
        pending.refuse(new GatewayError('NO_ROUTE'));
      },
      upgrade: (pending) => asked.push(pending.head.url),
    });
    const answer = await say(listener, GET.replace('/a', '/first') + behind);
    expect(answer).toMatch(/^HTTP\/1.1 404 .*NO_ROUTE: No route leads here.\n$/s);
    expect(asked).toEqual(['/first']);
  });
});

describe('of a flood behind a refusal no more than a part is read', () => {
  const refuseAll = {
    upgrade: (pending: { refuse(error: GatewayError): void }) => pending.refuse(new GatewayError('NO_ROUTE')),
    request: (pending: { refuse(error: GatewayError): void }) => pending.refuse(new GatewayError('NO_ROUTE')),
  };
  const byClose = {
    upgrade: (pending: PendingUpgrade) => pending.refuseByClose(new GatewayError('NO_ROUTE'), undefined),
  };
  const endless = `${POST.replace('200000', '99999999999')}`;
  const chunked = POST.replace('Content-Length: 200000', 'Transfer-Encoding: chunked');

  test.each([
    ['an upgrade, refused by status', 404, refuseAll, UPGRADE],
    ['an upgrade, refused by a Close', 101, byClose, UPGRADE],
    ['a request without a body', 404, refuseAll, GET],
    ['a request whose body is coming', 404, refuseAll, endless],
    ['too large headers', 431, {}, `GET / HTTP/1.1\r\nA: ${'a'.repeat(20_000)}`],
    ['malformed bytes', 400, {}, 'junk\r\n\r\n'],
    ['a broken body', 400, { request: () => {} }, `${chunked}not hex\r\n`],
    ['CONNECT', 405, {}, 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n'],
  ])('%s', async (_what, status, handlers, bytes) => {
    const listener = await open(handlers, { linger: 60_000 });
    const socket = serverSocket(listener);
    const client = dial(listener);
    let heard = '';
    client.on('data', (chunk) => {
      heard += chunk;
    });
    client.write(bytes);
    flood(client);
    const server = await socket;
    await eventually(
      () => server.closed,
      () => `still open after ${server.bytesRead} bytes`,
    );
    expect(server.bytesRead).toBeLessThan(2 ** 20);
    expect(heard).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });
});
