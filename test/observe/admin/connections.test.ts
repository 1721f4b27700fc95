import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ChannelHub } from '../../../src/bridge/poll/channels.ts';
import { unheard } from '../../../src/bridge/poll/pushes.ts';
import { asGatewayError } from '../../../src/errors.ts';
import { createBackchannel } from '../../../src/gateway/backchannel.ts';
import { readBody } from '../../../src/observe/admin/body.ts';
import { connectionPage } from '../../../src/observe/admin/connections.ts';
import type { Session } from '../../../src/session/session.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

const MIB = 1024 * 1024;

/** A request that has come as far as these pieces, and to its end unless `cut`. */
function requestOf(pieces: readonly string[], headers: Record<string, string> = {}): IncomingMessage {
  return Object.assign(Readable.from(pieces.map((piece) => Buffer.from(piece))), { headers }) as never;
}

/** Pushes a text, with what the connection makes of it. */
function push(outcome: ReturnType<Session['push']>, query = '') {
  const session = { push: () => outcome } as Partial<Session> as Session;
  const page = connectionPage(createBackchannel({ find: () => session }, new ChannelHub(), unheard));
  const post = page.methods.POST as (typeof page.methods)[string];
  const request = requestOf(['x']);
  const body = () => readBody(request);
  return Promise.resolve(post({ request, name: 'c1', query: new URLSearchParams(query), body }));
}

const codeOf = (failed: Promise<unknown>) =>
  failed.then(
    () => 'nothing failed',
    (error: unknown) => asGatewayError(error).code,
  );

test('a push that takes longer than five seconds is said to be on its way', async () => {
  const late = Promise.withResolvers<boolean>();
  const answered = vi.fn();
  const answer = push(late.promise).then(answered);
  await vi.advanceTimersByTimeAsync(4_999);
  expect(answered).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  await answer;
  expect(answered).toHaveBeenCalledExactlyOnceWith(
    expect.objectContaining({ status: 202, body: 'on its way\n' }),
  );
});

test('a push whose client goes meanwhile is gone', async () => {
  expect(await codeOf(push(Promise.resolve(false)))).toBe('CONNECTION_GONE');
  expect(vi.getTimerCount()).toBe(0);
});

test('a push that need not be waited for is answered at once', async () => {
  expect(await push(new Promise(() => {}), 'wait=none')).toMatchObject({ status: 202 });
});

test('a body is read whole, up to 1 MiB', async () => {
  const half = 'x'.repeat(MIB / 2);
  expect((await readBody(requestOf([half, half]))).length).toBe(MIB);
  expect(await codeOf(readBody(requestOf([half, half, 'x'])))).toBe('PUSH_TOO_BIG');
});

test('a body that is announced as larger is refused before it comes', async () => {
  const request = requestOf([], { 'content-length': String(MIB + 1) });
  request.pause();
  expect(await codeOf(readBody(request))).toBe('PUSH_TOO_BIG');
});

test('a body that is cut is nobody’s message', async () => {
  const request = requestOf(['x', 'y']);
  const read = codeOf(readBody(request));
  request.destroy();
  expect(await read).toBe('CLIENT_LOST');
});

test('a compressed body is refused', async () => {
  expect(await codeOf(readBody(requestOf(['x'], { 'content-encoding': 'gzip' })))).toBe('BAD_REQUEST');
});
