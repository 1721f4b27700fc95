import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
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

async function closing({ ours }: Pair): Promise<void> {
  if (!ours.closed) await within(once(ours, 'close'), 'our own close');
}

test('the peer sees a reset, and no FIN before it', async () => {
  using pair = await pairs.open();
  const seen = seenBy(pair.peer);
  resetSocket(pair.ours);
  expect(await seen).toEqual(['ECONNRESET']);
  await closing(pair);
});

test('also behind what was written, and with something unread', async () => {
  using pair = await pairs.open();
  pair.peer.write('unread');
  pair.ours.pause();
  await new Promise((resolve) => pair.ours.write('written', resolve));
  const seen = seenBy(pair.peer);
  resetSocket(pair.ours);
  expect(await seen).toEqual(['ECONNRESET']);
});

test('behind a FIN no reset is sent: the socket is destroyed, and lets go of its handle', async () => {
  using pair = await pairs.open();
  const ended = within(once(pair.peer, 'end'), 'a FIN');
  pair.peer.resume();
  pair.ours.end();
  await ended;
  resetSocket(pair.ours);
  await closing(pair);
  expect([pair.ours.destroyed, handleOf(pair.ours)]).toEqual([true, null]);
});

test('twice, or on a socket that is destroyed, is once', async () => {
  using pair = await pairs.open();
  const seen = seenBy(pair.peer);
  resetSocket(pair.ours);
  resetSocket(pair.ours);
  expect(await seen).toEqual(['ECONNRESET']);
  await closing(pair);
  resetSocket(pair.ours);
  expect(handleOf(pair.ours)).toBeNull();
});

test('a stream that is no socket is destroyed', async () => {
  const { ours } = connection();
  resetSocket(ours as Socket);
  await within(once(ours, 'close'), 'the end of a stream');
});

/** What a socket holds open. */
function handleOf(socket: Socket): unknown {
  return (socket as unknown as { _handle: unknown })._handle;
}
