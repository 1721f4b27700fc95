import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { resetSocket } from '../../src/stream/reset.ts';
import { connection } from '../support/ends.ts';
import { type Pair, type PairMaker, startPairs } from '../support/pairs.ts';
import { within } from '../support/patience.ts';

let pairs: PairMaker;
beforeAll(async () => {
  pairs = await startPairs('dialled', false);
});
afterAll(() => pairs[Symbol.asyncDispose]());

/** What the peer of a socket sees of its end, in order, until it is closed. */
function seenBy(peer: Socket): Promise<string[]> {
  const seen: string[] = [];
  peer
    .on('end', () => seen.push('end'))
    .on('error', (error) => seen.push((error as NodeJS.ErrnoException).code ?? ''));
  const closed = new Promise<string[]>((resolve) => peer.on('close', () => resolve(seen)));
  peer.resume();
  return within(closed, 'the end of a socket');
}

/** Resolves when a socket says that it is closed, as it does when its handle is; `closed` is true before that. */
function closing({ ours }: Pair): Promise<unknown> {
  return within(new Promise((resolve) => ours.once('close', resolve)), 'our own close');
}

test('the peer sees a reset, and no FIN before it', async () => {
  using pair = await pairs.open();
  const seen = seenBy(pair.peer);
  const closed = closing(pair);
  resetSocket(pair.ours);
  expect(await seen).toEqual(['ECONNRESET']);
  await closed;
});

test('also behind what was written, and with something unread', async () => {
  using pair = await pairs.open();
  const seen = seenBy(pair.peer);
  pair.peer.write('unread');
  pair.ours.pause();
  const arrived = within(once(pair.peer, 'data'), 'what was written');
  pair.ours.write('written');
  await arrived;
  resetSocket(pair.ours);
  expect(await seen).toEqual(['ECONNRESET']);
});

describe('behind a FIN no reset is sent: the socket is destroyed, and lets go of its handle', () => {
  async function expectGone(pair: Pair): Promise<void> {
    const closed = closing(pair);
    resetSocket(pair.ours);
    await closed;
    expect([pair.ours.destroyed, handleOf(pair.ours)]).toEqual([true, null]);
  }

  test('while that is on its way', async () => {
    using pair = await pairs.open();
    pair.ours.end();
    await expectGone(pair);
  });

  test('when it is out', async () => {
    using pair = await pairs.open();
    const ended = within(once(pair.peer.resume(), 'end'), 'a FIN');
    pair.ours.end();
    await ended;
    await expectGone(pair);
  });
});

test.each([
  [true, 'is still open', { writableEnded: false, writableLength: 0 }],
  [
    true,
    'has been ended, while some of what was written has not left it',
    { writableEnded: true, writableLength: 1 },
  ],
  [undefined, 'has its FIN out', { writableEnded: true, writableLength: 0 }],
])('a reset is asked for: %s, where the socket %s', (resetAndClosing, _, state) => {
  const socket = { ...state, _handle: { reset() {} }, destroy: vi.fn(), resetAndClosing: undefined };
  resetSocket(socket as unknown as Socket);
  expect(socket.resetAndClosing).toBe(resetAndClosing);
  expect(socket.destroy).toHaveBeenCalledOnce();
});

test('twice, or on a socket that is destroyed, is once', async () => {
  using pair = await pairs.open();
  const seen = seenBy(pair.peer);
  const closed = closing(pair);
  resetSocket(pair.ours);
  resetSocket(pair.ours);
  expect(await seen).toEqual(['ECONNRESET']);
  await closed;
  resetSocket(pair.ours);
  expect(handleOf(pair.ours)).toBeNull();
});

test('what cannot be reset is destroyed: a Unix socket, a stream in memory', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-reset-'));
  const server = createServer().listen(join(folder, 'socket'));
  onTestFinished(async () => {
    server.close();
    await rm(folder, { recursive: true });
  });
  const socket = connect(join(folder, 'socket'));
  await within(once(socket, 'connect'), 'a connection');
  for (const stream of [socket, connection().ours]) {
    resetSocket(stream as Socket);
    await within(once(stream, 'close'), 'the end of a stream');
  }
});

/** What a socket holds open. */
function handleOf(socket: Socket): unknown {
  return (socket as unknown as { _handle: unknown })._handle;
}
