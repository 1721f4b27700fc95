import { getEventListeners, once } from 'node:events';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { collect, type StreamedAnswer } from '../../src/upstream/streamed-answer.ts';
import { Streaming } from '../../src/upstream/streaming.ts';
import { CHUNKED, chunk, closed, LAST, peer, respond } from '../support/http-target.ts';
import { turnsUntil } from '../support/pairs.ts';
import { eventually } from '../support/patience.ts';

const REQUEST = { method: 'GET', path: '/events', headers: {} };
const { signal } = new AbortController();
const LIMITS = { signal, silenceMs: 5_000 };
const EARLY_HINTS = 'HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n';
const HEAD = `HTTP/1.1 200 OK\r\nx-a: b\r\n${CHUNKED}`;

/** Takes one piece after the other. */
function reader({ body }: StreamedAnswer) {
  const pieces = body[Symbol.asyncIterator]();
  return {
    take: async () => {
      const { done, value } = await pieces.next();
      return done ? undefined : String(value);
    },
    leave: () => pieces.return?.(),
  };
}

async function whole({ body }: StreamedAnswer): Promise<string> {
  let text = '';
  for await (const piece of body) text += piece;
  return text;
}

describe('stream', () => {
  test('gives the head before there is a body, and each piece as it comes', async () => {
    const { sockets, target } = await peer((socket) => socket.write(HEAD));
    const answer = await target.stream(REQUEST, LIMITS);
    expect([answer.status, answer.headers['x-a']]).toEqual([200, 'b']);
    const [socket] = sockets;
    const { take } = reader(answer);
    for (const text of ['one', 'two', 'three']) {
      const piece = take();
      socket?.write(chunk(text));
      expect(await piece).toBe(text);
    }
    socket?.write(LAST);
    expect([await take(), await take()]).toEqual([undefined, undefined]);
  });

  test('reads a whole answer that came in one packet', async () => {
    const { target } = await peer((socket) => {
      socket.write(Buffer.concat([Buffer.from(HEAD), chunk('one'), chunk('two'), Buffer.from(LAST)]));
    });
    expect(await whole(await target.stream(REQUEST, LIMITS))).toBe('onetwo');
  });

  test('gives many small pieces together', async () => {
    const small = Buffer.concat(Array<Buffer>(20_000).fill(chunk('x')));
    const { target } = await peer((socket) => {
      socket.write(Buffer.concat([Buffer.from(HEAD), small, Buffer.from(LAST)]));
    });
    const pieces: Buffer[] = [];
    for await (const piece of (await target.stream(REQUEST, LIMITS)).body) pieces.push(piece);
    expect(String(Buffer.concat(pieces))).toBe('x'.repeat(20_000));
    expect(pieces.length).toBeLessThan(200);
  });

  test('uses its connection again when the body has been read', async () => {
    const { sockets, target } = await peer((socket) => socket.write(respond('ok')));
    for (let i = 0; i < 3; i++) {
      await whole(await target.stream(REQUEST, LIMITS));
      await target.exchange(REQUEST, { signal, timeoutMs: 5_000, bodySize: 10 });
    }
    expect(sockets.size).toBe(1);
  });

  test('takes the final head, not a provisional one', async () => {
    const { target } = await peer((socket) => {
      socket.write('HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n');
      socket.write(respond('ok'));
    });
    const answer = await target.stream(REQUEST, LIMITS);
    expect([answer.status, answer.headers.link, await whole(answer)]).toEqual([200, undefined, 'ok']);
  });

  test('reads nothing while nobody takes, and goes on where it was', async () => {
    const size = 16 * 1024 * 1024;
    const { sockets, target } = await peer((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${size}\r\n\r\n`);
      socket.write(Buffer.alloc(size));
    });
    const answer = await target.stream(REQUEST, LIMITS);
    const { take } = reader(answer);
    let received = (await take())?.length ?? 0;
    const [socket] = sockets;
    const stuck = () => (socket?.writableLength ?? 0) > size / 2;
    await eventually(stuck, 'the service to be held back');
    for (let piece = await take(); piece !== undefined; piece = await take()) received += piece.length;
    expect(received).toBe(size);
  });
});

test('a stream loses nothing of a wire that goes on for a while when it has been paused', async () => {
  const control = { pause() {}, resume() {}, abort() {} };
  const { promise, resolve, reject } = Promise.withResolvers<StreamedAnswer>();
  const streaming = new Streaming(LIMITS, resolve, reject);
  streaming.onRequestStart(control);
  streaming.onResponseStart(control, 200, {});
  for (const text of ['one', 'two']) streaming.onResponseData(control, Buffer.from(text));
  streaming.onResponseEnd();
  expect(await whole(await promise)).toBe('onetwo');
});

describe('a stream that fails', () => {
  test('is broken where provisional answers do not end', async () => {
    const { target } = await peer((socket) => void socket.write(EARLY_HINTS.repeat(200)));
    await expect(target.stream(REQUEST, LIMITS)).rejects.toMatchObject({ kind: 'broken' });
  });

  test('before its head rejects as an exchange does', async () => {
    const { server, target } = await peer(() => {});
    server.close();
    await once(server, 'close');
    await expect(target.stream(REQUEST, LIMITS)).rejects.toMatchObject({ kind: 'unreachable', unsent: true });
  });

  test('amid its body gives what had come, then the failure, again and again', async () => {
    const { target } = await peer((socket) => {
      socket.end(Buffer.concat([Buffer.from(HEAD), chunk('one')]));
    });
    const { take } = reader(await target.stream(REQUEST, LIMITS));
    expect(await take()).toBe('one');
    for (let i = 0; i < 2; i++) await expect(take()).rejects.toMatchObject({ kind: 'broken', unsent: false });
  });

  test.each([
    ['before its head', ''],
    ['before its first piece', HEAD],
    ['amid its body', `${HEAD}3\r\none\r\n`],
  ])('is late with silence %s', async (_, bytes) => {
    const { sockets, target } = await peer((socket) => void (bytes && socket.write(bytes)));
    const reading = target.stream(REQUEST, { signal, silenceMs: 500 }).then(whole);
    await expect(reading).rejects.toMatchObject({ kind: 'timeout', unsent: false });
    await closed(sockets);
  });

  test('is not late while nobody takes, nor while pieces come', async () => {
    const { sockets, target } = await peer((socket) => socket.write(HEAD));
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const { take } = reader(await target.stream(REQUEST, { signal, silenceMs: 1_000 }));
    vi.advanceTimersByTime(60_000);
    for (let i = 0; i < 3; i++) {
      const piece = take();
      vi.advanceTimersByTime(900);
      sockets.forEach((socket) => void socket.write(chunk('one')));
      expect(await piece).toBe('one');
    }
    vi.advanceTimersByTime(60_000);
    const late = take();
    vi.advanceTimersByTime(1_001);
    await expect(late).rejects.toMatchObject({ kind: 'timeout' });
  });

  test.each(['takes', 'does not take'])('is aborted with its signal while somebody %s', async (how) => {
    const leaving = new AbortController();
    const { sockets, target } = await peer((socket) => socket.write(HEAD));
    const { take } = reader(await target.stream(REQUEST, { ...LIMITS, signal: leaving.signal }));
    const piece = how === 'takes' ? take() : undefined;
    leaving.abort(new Error('gone'));
    await expect(piece ?? take()).rejects.toMatchObject({ kind: 'aborted', cause: new Error('gone') });
    await closed(sockets);
  });

  test('aborted before it is sent is never sent', async () => {
    const { received, target } = await peer((socket) => socket.write(respond('ok')));
    const stream = target.stream(REQUEST, { ...LIMITS, signal: AbortSignal.abort() });
    await expect(stream).rejects.toMatchObject({ kind: 'aborted', unsent: true });
    await whole(await target.stream({ ...REQUEST, path: '/other' }, LIMITS));
    expect(received).toHaveLength(1);
  });
});

describe('leaving a stream', () => {
  test('ends its request, also amid a wait for the next piece', async () => {
    const { sockets, target } = await peer((socket) => socket.write(HEAD));
    const { take, leave } = reader(await target.stream(REQUEST, LIMITS));
    const piece = take();
    await leave();
    expect([await piece, await take()]).toEqual([undefined, undefined]);
    await closed(sockets);
  });

  test.each(['ended', 'left', 'cut'])('holds on to nothing when it has %s', async (how) => {
    const leaving = new AbortController();
    const { target } = await peer((socket) => {
      socket.write(Buffer.concat([Buffer.from(HEAD), chunk('one')]));
      if (how === 'ended') socket.write(LAST);
      if (how === 'cut') socket.end();
    });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const answer = await target.stream(REQUEST, { signal: leaving.signal, silenceMs: 86_400_000 });
    const { take, leave } = reader(answer);
    expect(await take()).toBe('one');
    if (how === 'left') await leave();
    if (how === 'ended') expect(await take()).toBeUndefined();
    if (how === 'cut') await expect(take()).rejects.toMatchObject({ kind: 'broken' });
    await target.close();
    await turnsUntil(() => vi.getTimerCount() === 0, 'no timer');
    expect(getEventListeners(leaving.signal, 'abort')).toEqual([]);
  });
});

describe('collect', () => {
  const READING = { timeoutMs: 5_000, bodySize: 10 };

  test('makes an answer of a stream', async () => {
    const { target } = await peer((socket) => {
      socket.write(Buffer.concat([Buffer.from(HEAD), chunk('one'), chunk('two'), Buffer.from(LAST)]));
    });
    const { status, headers, body } = await collect(await target.stream(REQUEST, LIMITS), READING);
    expect([status, headers['x-a'], String(body)]).toEqual([200, 'b', 'onetwo']);
  });

  test.each([
    ['too big', chunk('x'.repeat(11)), 5_000],
    ['timeout', chunk('x'), 50],
  ])('ends the request of an answer that is %s', async (kind, bytes, timeoutMs) => {
    const { sockets, target } = await peer((socket) => {
      socket.write(Buffer.concat([Buffer.from(HEAD), bytes]));
    });
    const answer = await target.stream(REQUEST, LIMITS);
    await expect(collect(answer, { ...READING, timeoutMs })).rejects.toMatchObject({ kind });
    await closed(sockets);
  });
});
