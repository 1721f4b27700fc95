import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { constants, type ServerHttp2Stream } from 'node:http2';
import { createServer as createSecureServer } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import { text } from 'node:stream/consumers';
import zlib from 'node:zlib';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { collect } from '../../src/upstream/streamed-answer.ts';
import { makeCertificate } from '../support/certificates.ts';
import { type Asked, frame, http2ClientOf, http2Peer, rawHttp2Peer } from '../support/http2-target.ts';
import { eventually } from '../support/patience.ts';
import { portOf } from '../support/servers.ts';
import { listenAt } from '../support/sockets.ts';

const GET = { method: 'GET', path: '/poll', headers: {} };
const POST = { method: 'POST', path: '/x', headers: { host: 'a.example', 'x-a': 'b' }, body: 'hello' };
const { signal } = new AbortController();
const LIMITS = { signal, timeoutMs: 5_000, bodySize: 1000 };
const STREAM = { signal, silenceMs: 5_000 };

function ok({ stream }: Asked): void {
  stream.respond({ ':status': 200 });
  stream.end('ok');
}

function hang(): void {}

/** For what is not to happen: many turns of the loop, in which bytes of this process come and go. */
async function someTime(): Promise<void> {
  for (let i = 0; i < 300; i++) await stat('.');
}

/** What a promise of an exchange came to: the body, or the failure. */
async function outcome(exchange: Promise<{ body: Buffer }>): Promise<unknown> {
  return exchange.then(
    ({ body }) => String(body),
    ({ kind, unsent }) => ({ kind, unsent }),
  );
}

/** `:status: 200` in HPACK. */
const OK = Buffer.from([0x88]);

/** A request without a body, in the first stream. */
const ASKED = frame(1, 5, 1).subarray(3);

/** Streams are looked at up to this one. */
const goaway = (stream: number) => frame(7, 0, 0, Buffer.of(0, 0, 0, stream, 0, 0, 0, 0));

const BROKEN = { kind: 'broken', unsent: false };
const UNTOUCHED = { kind: 'unreachable', unsent: true };

describe('over HTTP/2', () => {
  test('500 hanging polls share a few connections, and each gets its own answer', async () => {
    const { sessions, asked, target } = await http2Peer(hang);
    const polls = Array.from({ length: 500 }, (_, i) => target.exchange({ ...GET, path: `/${i}` }, LIMITS));
    await eventually(() => asked.length === 500, 'all polls');
    expect(sessions.size).toBeLessThanOrEqual(2);
    for (const { stream, headers } of asked) {
      stream.respond({ ':status': 200 });
      stream.end(headers[':path']);
    }
    const bodies = (await Promise.all(polls)).map(({ body }) => String(body));
    expect(bodies).toEqual(polls.map((_, i) => `/${i}`));
  });

  test('no more are sent over a connection than the service takes', async () => {
    const { sessions, asked, target } = await http2Peer(hang, { settings: { maxConcurrentStreams: 2 } });
    for (let i = 0; i < 5; i++) void target.exchange(GET, LIMITS).catch(() => {});
    await eventually(() => asked.length === 5, 'all polls');
    expect(sessions.size).toBe(3);
  });

  test('a connection that takes none is not kept', async () => {
    const { sessions, asked, target } = await http2Peer(ok, { settings: { maxConcurrentStreams: 0 } });
    expect(await outcome(target.exchange(GET, LIMITS))).toEqual(UNTOUCHED);
    await eventually(() => [...sessions].every(({ destroyed }) => destroyed), 'the end of it');
    expect([sessions.size, asked.length]).toEqual([1, 0]);
  });

  test.each([
    ['at once', '', goaway(0)],
    ['with its last answer', ASKED, Buffer.concat([frame(1, 5, 1, OK), goaway(1)])],
  ])(
    'a connection that is to go away is closed, though the service keeps it: %s',
    async (_when, cue, answer) => {
      const { promise: gone, resolve } = Promise.withResolvers<unknown>();
      const server = createTcpServer({ allowHalfOpen: true }, (socket) => {
        const ping = () => void setImmediate(() => socket.write(frame(6, 0, 0, Buffer.alloc(8)), ping));
        socket.on('error', resolve).on('end', ping);
        socket.write(frame(4, 0, 0));
        socket.on('data', (bytes) => {
          if (bytes.includes(cue)) socket.write(answer);
        });
      });
      await listenAt({ port: 0, host: '127.0.0.1' }, server);
      const target = http2ClientOf(`http://localhost:${portOf(server)}`, 'on');
      await outcome(target.exchange(GET, LIMITS));
      expect(await gone).toMatchObject({ syscall: 'write' });
    },
  );

  test('a connection takes another when one has been answered', async () => {
    const { sessions, target } = await http2Peer(ok, { settings: { maxConcurrentStreams: 1 } });
    for (let i = 0; i < 3; i++) {
      expect(await outcome(target.exchange(GET, LIMITS))).toBe('ok');
      await eventually(() => target.isIdle(), 'room');
    }
    expect(sessions.size).toBe(1);
  });

  test('a request goes under the path of its target and by the name it is given', async () => {
    const { asked, target } = await http2Peer(
      async ({ stream }) => {
        const body = await text(stream);
        stream.respond({ ':status': 201, 'set-cookie': ['a=1', 'b=2'], 'x-b': 'c' });
        stream.end(body);
      },
      { path: '/base/' },
    );
    const { status, headers, body } = await target.exchange(POST, LIMITS);
    expect([status, headers['set-cookie'], headers['x-b'], String(body)]).toEqual([
      201,
      ['a=1', 'b=2'],
      'c',
      'hello',
    ]);
    expect(Object.keys(headers).filter((name) => name.startsWith(':'))).toEqual([]);
    expect(asked[0]?.headers).toMatchObject({
      ':method': 'POST',
      ':path': '/base/x',
      ':authority': 'a.example',
      ':scheme': 'https',
      'x-a': 'b',
      'content-length': '5',
    });
  });

  test('answers are decoded, and provisional ones passed over', async () => {
    const { target } = await http2Peer(({ stream }) => {
      stream.additionalHeaders({ ':status': 103, link: 'a' });
      stream.respond({ ':status': 200, 'content-encoding': 'gzip' });
      stream.end(zlib.gzipSync('ok'));
    });
    expect(await outcome(target.exchange(GET, LIMITS))).toBe('ok');
    const { status, headers, body } = await collect(await target.stream(GET, STREAM), LIMITS);
    expect([status, headers.link, String(body)]).toEqual([200, undefined, 'ok']);
  });

  test.each(['headers', 'a body'])('an answer may be nothing but %s', async (what) => {
    const { target } = await http2Peer(({ stream }) => {
      stream.respond({ ':status': 204 }, { endStream: what === 'headers' });
      if (what === 'a body') stream.end();
    });
    expect(await outcome(target.exchange(GET, LIMITS))).toBe('');
    expect(await outcome(target.stream(GET, STREAM).then((answer) => collect(answer, LIMITS)))).toBe('');
  });

  test('a stream is read as it comes, and held back without holding the others', async () => {
    const size = 8 * 1024 * 1024;
    const { sessions, asked, target } = await http2Peer((one) => {
      if (one.headers[':path'] === '/poll') ok(one);
      else one.stream.respond({ ':status': 200 });
    });
    const { body } = await target.stream({ ...GET, path: '/events' }, STREAM);
    const pieces = body[Symbol.asyncIterator]();
    const [events] = asked as [Asked];
    for (const event of ['one', 'two']) {
      events.stream.write(event);
      expect(String((await pieces.next()).value)).toBe(event);
    }
    events.stream.end(Buffer.alloc(size));
    expect(await outcome(target.exchange(GET, LIMITS))).toBe('ok');
    await someTime();
    expect(events.stream.writableLength).toBeGreaterThan(size / 2);
    let received = 0;
    for (let piece = await pieces.next(); !piece.done; piece = await pieces.next())
      received += piece.value.length;
    expect([received, sessions.size]).toEqual([size, 1]);
  });

  test.each([
    ['a header that cannot be sent', { ...GET, headers: { 'x-a': 'b\r\nc: d' } }],
    ['a header of the connection', { ...GET, headers: { connection: 'close' } }],
    ['a path that cannot be sent', { ...GET, path: '/a b' }],
  ])('%s is told as not sent, and the connection stays', async (_, request) => {
    const { sessions, asked, target } = await http2Peer(ok);
    expect(await outcome(target.exchange(request, LIMITS))).toEqual(UNTOUCHED);
    expect(await outcome(target.exchange(GET, LIMITS))).toBe('ok');
    expect([sessions.size, asked.length]).toEqual([1, 1]);
  });
});

describe('over HTTP/2 a request that fails', () => {
  test.each([
    ['aborted', { leaves: true }],
    ['late', { timeoutMs: 30 }],
    ['too big', { bodySize: 1 }],
    ['ignored', { bodySize: 'ignored' as const }],
  ])('because it is %s ends its stream, and nothing else', async (_, { leaves, ...limits }: Trouble) => {
    const leaving = new AbortController();
    const { sessions, asked, target } = await http2Peer((one) => {
      if (one.headers[':path'] === '/other') return;
      if (leaves) leaving.abort();
      else if (limits.bodySize) {
        one.stream.respond({ ':status': 200 });
        one.stream.write(Buffer.alloc(300_000));
      }
    });
    const other = target.exchange({ ...GET, path: '/other' }, LIMITS);
    await eventually(() => asked.length === 1, 'the other one');
    const exchange = outcome(target.exchange(GET, { ...LIMITS, signal: leaving.signal, ...limits }));
    await eventually(() => asked.length === 2, 'the request');
    const [first, second] = asked as [Asked, Asked];
    if (!second.stream.closed) await once(second.stream, 'close');
    expect(second.stream.rstCode).toBe(constants.NGHTTP2_CANCEL);
    ok(first);
    expect([await outcome(other), sessions.size]).toEqual(['ok', 1]);
    if (limits.bodySize !== 'ignored') expect(await exchange).toMatchObject({ unsent: false });
  });

  interface Trouble {
    readonly leaves?: boolean;
    readonly timeoutMs?: number;
    readonly bodySize?: number | 'ignored';
  }

  test('may have left a stream amid its body, whose request then ends', async () => {
    const { sessions, asked, target } = await http2Peer(({ stream }) => {
      stream.respond({ ':status': 200 });
      stream.write('one');
    });
    const { body } = await target.stream(GET, STREAM);
    for await (const piece of body) {
      expect(String(piece)).toBe('one');
      break;
    }
    const [first] = asked as [Asked];
    if (!first.stream.closed) await once(first.stream, 'close');
    expect([first.stream.rstCode, [...sessions].some(({ closed }) => closed)]).toEqual([8, false]);
  });

  test('aborted before there is a connection is never sent', async () => {
    const { asked, target } = await http2Peer(ok);
    const leaving = new AbortController();
    const exchange = target.exchange(GET, { ...LIMITS, signal: leaving.signal });
    leaving.abort();
    await expect(exchange).rejects.toMatchObject({ kind: 'aborted', unsent: true });
    expect(await outcome(target.exchange({ ...GET, path: '/other' }, LIMITS))).toBe('ok');
    expect(asked.map(({ headers }) => headers[':path'])).toEqual(['/other']);
  });

  test.each([
    ['refused', (stream: ServerHttp2Stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM), UNTOUCHED],
    ['cancelled', (stream: ServerHttp2Stream) => stream.close(constants.NGHTTP2_CANCEL), BROKEN],
    ['closed without an answer', (stream: ServerHttp2Stream) => stream.close(0), BROKEN],
    ['reset amid its answer', (stream: ServerHttp2Stream) => reset(stream), BROKEN],
    ['answered with the wrong length', (stream: ServerHttp2Stream) => answerShort(stream), BROKEN],
  ])('because its stream is %s leaves the connection as it was', async (_, act, failure) => {
    const { sessions, target } = await http2Peer((one) => {
      if (one.headers[':path'] === '/x') act(one.stream);
      else ok(one);
    });
    for (const request of [POST, { ...GET, path: '/x' }])
      expect(await outcome(target.exchange(request, LIMITS))).toEqual(failure);
    const streamed = target.stream({ ...GET, path: '/x' }, STREAM).then((answer) => collect(answer, LIMITS));
    expect(await outcome(streamed)).toEqual(failure);
    expect([await outcome(target.exchange(GET, LIMITS)), sessions.size]).toEqual(['ok', 1]);
  });

  test.each(['before an answer', 'amid a body', 'amid a body that nobody takes'])(
    'because the connection is lost %s may have been received, and is not sent again',
    async (when) => {
      const { sessions, asked, target } = await http2Peer(({ stream, headers }) => {
        if (headers[':path'] === '/again') return ok({ stream, headers });
        if (when === 'before an answer') return;
        stream.respond({ ':status': 200 });
        stream.write('one');
      });
      const streamed = target.stream(GET, STREAM);
      const exchanges = [target.exchange(POST, LIMITS), target.exchange(GET, LIMITS)].map(outcome);
      if (when !== 'before an answer') await streamed;
      await eventually(() => asked.length === 3, 'the requests');
      const taken = streamed.then(async (answer) => {
        if (when === 'amid a body that nobody takes') await eventually(() => isGone, 'the loss');
        return collect(answer, LIMITS);
      });
      exchanges.push(outcome(taken));
      let isGone = false;
      for (const session of sessions) session.destroy();
      await Promise.all(exchanges.slice(0, 2));
      isGone = true;
      expect(await Promise.all(exchanges)).toEqual([BROKEN, BROKEN, BROKEN]);
      expect(await outcome(target.exchange({ ...GET, path: '/again' }, LIMITS))).toBe('ok');
      expect([asked.length, sessions.size]).toEqual([4, 2]);
    },
  );

  test.each([0, 2, 8])(
    'because its stream is closed with code %i amid its body is not whole',
    async (code) => {
      const reset = frame(3, 0, 1, Buffer.from([0, 0, 0, code]));
      const answer = Buffer.concat([frame(1, 4, 1, OK), frame(0, 0, 1, 'one'), reset]);
      const read = async () => (await rawHttp2Peer(answer)).exchange(GET, LIMITS);
      expect(await outcome(read())).toEqual(BROKEN);
      const streamed = async () => collect(await (await rawHttp2Peer(answer)).stream(GET, STREAM), LIMITS);
      expect(await outcome(streamed())).toEqual(BROKEN);
    },
  );

  test('because there is no connection has sent nothing', async () => {
    const { server, target } = await http2Peer(ok);
    server.close();
    await once(server, 'close');
    expect(await outcome(target.exchange(GET, LIMITS))).toEqual(UNTOUCHED);
  });

  test('because the service ends its connection at once has sent nothing', async () => {
    const server = createTcpServer((socket) => void socket.end());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const target = http2ClientOf(`http://localhost:${portOf(server)}`, 'on');
    expect(await outcome(target.exchange(GET, { ...LIMITS, timeoutMs: 2_000 }))).toEqual(UNTOUCHED);
  });

  test('because the service does not speak it has sent nothing', async () => {
    const server = createServer((_request, response) => response.end('no'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const target = http2ClientOf(`http://localhost:${portOf(server)}`, 'on');
    expect(await outcome(target.exchange(GET, LIMITS))).toEqual(UNTOUCHED);
  });

  function reset(stream: ServerHttp2Stream): void {
    stream.respond({ ':status': 200 });
    stream.write('one', () => stream.destroy(new Error('broken')));
  }

  function answerShort(stream: ServerHttp2Stream): void {
    stream.respond({ ':status': 200, 'content-length': 10 });
    stream.end('one');
  }
});

describe('a connection that is asked to go away', () => {
  test('brings the answers of what it carries, and says what it has not looked at', async () => {
    const { sessions, asked, target } = await http2Peer(hang);
    const exchanges = [0, 1].map((i) => outcome(target.exchange({ ...GET, path: `/${i}` }, LIMITS)));
    await eventually(() => asked.length === 2, 'the requests');
    const [first, second] = asked as [Asked, Asked];
    first.stream.session?.goaway(0, first.stream.id);
    expect(await exchanges[1]).toEqual(UNTOUCHED);
    const next = outcome(target.exchange({ ...GET, path: '/2' }, LIMITS));
    await eventually(() => asked.length === 3, 'the next one');
    expect(sessions.size).toBe(2);
    ok(first);
    ok(asked[2] as Asked);
    expect([await exchanges[0], await next]).toEqual(['ok', 'ok']);
    expect(second.stream.session).toBe(first.stream.session);
  });

  test('with an error has perhaps acted on what it has seen, and not on the rest', async () => {
    const { asked, target } = await http2Peer(hang);
    const exchanges = [0, 1].map((i) => outcome(target.exchange({ ...GET, path: `/${i}` }, LIMITS)));
    await eventually(() => asked.length === 2, 'the requests');
    const [first] = asked as [Asked];
    first.stream.session?.goaway(constants.NGHTTP2_INTERNAL_ERROR, first.stream.id);
    expect(await Promise.all(exchanges)).toEqual([BROKEN, UNTOUCHED]);
  });
});

describe('which version is spoken', () => {
  test('is the choice of the service', async () => {
    const pair = await makeCertificate({ dns: ['localhost'] });
    let connections = 0;
    const server = createSecureServer(pair, (request, response) => response.end(request.httpVersion));
    server.on('secureConnection', () => connections++);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    const target = http2ClientOf(`https://localhost:${portOf(server)}`, 'auto');
    const exchanges = Array.from({ length: 3 }, () => outcome(target.exchange(GET, LIMITS)));
    expect(await Promise.all(exchanges)).toEqual(['1.1', '1.1', '1.1']);
    expect([await outcome(target.exchange(GET, LIMITS)), connections]).toEqual(['1.1', 3]);
    await target.close();
  });

  test('is HTTP/2 without TLS where that is known', async () => {
    const { target } = await http2Peer(ok, { isPlain: true, mode: 'on' });
    expect(await outcome(target.exchange(POST, LIMITS))).toBe('ok');
  });
});

describe('an HTTP/2 connection', () => {
  test('that carries nothing is closed, and one that carries something is not', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const { sessions, asked, target } = await http2Peer(hang);
    const hanging = outcome(target.exchange(GET, LIMITS));
    await eventually(() => asked.length === 1, 'the request');
    const [session] = sessions;
    for (let i = 0; i < 3; i++) await pinged();
    expect(session?.destroyed).toBe(false);
    ok(asked[0] as Asked);
    expect(await hanging).toBe('ok');
    await pinged();
    vi.advanceTimersByTime(15_000);
    await eventually(() => session?.destroyed === true, 'the end of the connection');

    async function pinged(): Promise<void> {
      const ping = session && once(session, 'ping');
      vi.advanceTimersByTime(15_000);
      await ping;
      // The pong is on its way.
      await someTime();
    }
  });

  test('that answers no ping is given up, with what it carries', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const target = await rawHttp2Peer(frame(1, 4, 1, OK));
    const { body } = await target.stream(GET, STREAM);
    vi.advanceTimersByTime(30_000);
    await expect(body[Symbol.asyncIterator]().next()).rejects.toMatchObject(BROKEN);
  });
});
