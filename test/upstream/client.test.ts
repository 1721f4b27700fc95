import { getEventListeners, once } from 'node:events';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { peer, respond } from '../support/http-target.ts';
import { turnsUntil } from '../support/pairs.ts';
import { eventually } from '../support/patience.ts';

const REQUEST = { method: 'POST', path: '/x', headers: { 'x-a': 'b' }, body: 'hello' };
const { signal } = new AbortController();
const LIMITS = { signal, timeoutMs: 5_000, bodySize: 1000 };

describe('exchange', () => {
  test("sends the request under the target's own path", async () => {
    const { received, target } = await peer((socket) => socket.write(respond('ok', 'X-B: c\r\n')), '/base/');
    const { status, headers, body } = await target.exchange(REQUEST, LIMITS);
    expect([status, headers['x-b'], String(body)]).toEqual([200, 'c', 'ok']);
    expect(received[0]).toMatch(
      /^POST \/base\/x HTTP\/1.1\r\n.*x-a: b\r\n.*content-length: 5\r\n\r\nhello$/s,
    );
  });

  test('takes the final answer, not a provisional one', async () => {
    const { target } = await peer((socket) => {
      socket.write('HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n');
      socket.write(respond('ok'));
    });
    const { status, headers } = await target.exchange(REQUEST, LIMITS);
    expect([status, headers.link]).toEqual([200, undefined]);
  });

  test('waits for no final answer behind provisional ones without end', async () => {
    const { target } = await peer((socket) => {
      socket.write('HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n'.repeat(200));
    });
    await expect(target.exchange(REQUEST, LIMITS)).rejects.toMatchObject({ kind: 'broken' });
  });

  test('gives repeated fields as one, and cookies always as a list', async () => {
    const head = 'Retry-After: 1\r\nRetry-After: 2\r\nSet-Cookie: a=1\r\n';
    const { target } = await peer((socket) => socket.write(respond('', head)));
    const { headers } = await target.exchange(REQUEST, LIMITS);
    expect([headers['retry-after'], headers['set-cookie']]).toEqual(['1, 2', ['a=1']]);
  });

  test('uses the connection of the one before, however soon it follows', async () => {
    const { sockets, target } = await peer((socket) => socket.write(respond('ok')));
    for (let i = 0; i < 5; i++) await target.exchange(REQUEST, LIMITS);
    expect(sockets.size).toBe(1);
  });

  test('keeps nothing of a body that is ignored', async () => {
    const { target } = await peer((socket) => socket.write(respond('x'.repeat(5000))));
    const { body } = await target.exchange(REQUEST, { ...LIMITS, bodySize: 'ignored' });
    expect(body).toHaveLength(0);
  });

  test('does not wait for the end of a body that is ignored, and gives its connection up', async () => {
    const { sockets, target } = await peer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n80000\r\n');
      socket.write(Buffer.alloc(2 ** 19));
    });
    const { status, body } = await target.exchange(REQUEST, { ...LIMITS, bodySize: 'ignored' });
    expect([status, body.length]).toEqual([200, 0]);
    // undici may open another one in its place.
    const [first] = sockets;
    await eventually(() => first?.closed === true, 'the end of the connection');
  });
});

describe('a failed exchange', () => {
  test('that could not connect has sent nothing', async () => {
    const { server, target } = await peer(() => {});
    server.close();
    await once(server, 'close');
    await expect(target.exchange(REQUEST, LIMITS)).rejects.toMatchObject({
      kind: 'unreachable',
      unsent: true,
    });
  });

  test.each([
    ['before an answer', ''],
    ['amid the head', 'HTTP/1.1 200 OK\r\ncontent-le'],
    ['amid the body', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc'],
    ['amid a chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab'],
    ['before the last chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nab\r\n'],
    ['by something that is not HTTP', 'hello\r\n\r\n'],
  ])('cut %s may have been received, and is not sent again', async (_, bytes) => {
    const { received, target } = await peer((socket) => void socket.end(bytes));
    await expect(target.exchange(REQUEST, LIMITS)).rejects.toMatchObject({ kind: 'broken', unsent: false });
    expect(received).toHaveLength(1);
  });

  test('on a kept connection that the peer resets is not sent again either', async () => {
    const { received, target } = await peer((socket) => {
      if (received.length === 1) socket.write(respond('ok'));
      else socket.resetAndDestroy();
    });
    await target.exchange(REQUEST, LIMITS);
    await expect(target.exchange(REQUEST, LIMITS)).rejects.toMatchObject({ kind: 'broken', unsent: false });
    expect(received).toHaveLength(2);
  });

  test.each([
    ['no answer', ''],
    ['a body that never ends', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc'],
  ])('is late with %s', async (_, bytes) => {
    const { sockets, target } = await peer((socket) => void socket.write(bytes));
    const exchange = target.exchange(REQUEST, { ...LIMITS, timeoutMs: 500 });
    await expect(exchange).rejects.toMatchObject({ kind: 'timeout', unsent: false });
    await Promise.all([...sockets].map((socket) => socket.closed || once(socket, 'close')));
  });

  test('holds on to nothing', async () => {
    const leaving = new AbortController();
    const { target } = await peer((socket) => void socket.end());
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const limits = { ...LIMITS, timeoutMs: 86_400_000, signal: leaving.signal };
    await expect(target.exchange(REQUEST, limits)).rejects.toMatchObject({ kind: 'broken' });
    // undici may mean to keep the connection, until it has seen its end.
    await turnsUntil(() => vi.getTimerCount() === 0, 'no timer');
    expect(getEventListeners(leaving.signal, 'abort')).toEqual([]);
  });

  test('ends as soon as the body is too big', async () => {
    const { target } = await peer((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n${'x'.repeat(1001)}`);
    });
    await expect(target.exchange(REQUEST, LIMITS)).rejects.toMatchObject({ kind: 'too big' });
  });

  test('aborted before it is sent is never sent', async () => {
    const { received, target } = await peer((socket) => socket.write(respond('ok')));
    const aborted = AbortSignal.abort(new Error('gone'));
    const exchange = target.exchange({ ...REQUEST, path: '/aborted' }, { ...LIMITS, signal: aborted });
    await expect(exchange).rejects.toMatchObject({ kind: 'aborted', unsent: true, cause: new Error('gone') });
    await target.exchange(REQUEST, LIMITS);
    await target.exchange(REQUEST, LIMITS);
    expect(received.filter((request) => request.includes('/aborted'))).toEqual([]);
  });

  test('may be aborted after it is sent', async () => {
    const leaving = new AbortController();
    const { target } = await peer(() => leaving.abort(new Error('gone')));
    const exchange = target.exchange(REQUEST, { ...LIMITS, signal: leaving.signal });
    await expect(exchange).rejects.toMatchObject({
      kind: 'aborted',
      unsent: false,
      cause: new Error('gone'),
    });
  });

  test.each([
    ['a header that cannot be sent', { ...REQUEST, headers: { 'x-a': 'b\r\nc: d' } }],
    ['a path that cannot be sent', { ...REQUEST, path: '/a b' }],
  ])('for %s rejects like any other', async (_, request) => {
    const { received, target } = await peer(() => {});
    await expect(target.exchange(request, LIMITS)).rejects.toMatchObject({ unsent: true });
    expect(received).toEqual([]);
  });
});

test('close ends what hangs, and may be called twice', async () => {
  const { target } = await peer(() => void target.close());
  await expect(target.exchange(REQUEST, LIMITS)).rejects.toMatchObject({ kind: 'broken' });
  await target.close();
});
