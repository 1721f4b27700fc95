import { describe, expect, test } from 'vitest';
import type { Message } from '../../../src/bridge/poll/profile.ts';
import { Redelivery } from '../../../src/bridge/poll/redelivery.ts';
import { turns } from '../../support/pairs.ts';

/** What a session keeps for whichever client it has. */

const said = (...texts: string[]): Message[] => texts.map((data) => ({ data, binary: false }));

/** A client that a test has in its hands: what is written to it is taken, and what it is asked confirmed, when the test says so. */
function receiver() {
  const taken = { messages: 0 };
  const got: string[] = [];
  const writes: ((count?: number) => void)[] = [];
  const asked: (() => void)[] = [];
  return {
    taken,
    got,
    writes,
    asked,
    deliver(messages: readonly Message[]): Promise<boolean> {
      return new Promise((resolve) => {
        writes.push((count = messages.length) => {
          taken.messages += count;
          got.push(...messages.slice(0, count).map(({ data }) => String(data)));
          resolve(count === messages.length);
        });
      });
    },
    confirm(signal: AbortSignal): Promise<boolean> {
      return new Promise((resolve) => {
        asked.push(() => resolve(true));
        signal.addEventListener('abort', () => resolve(false));
      });
    },
  };
}

function stand(repeatsUnconfirmed = false, limit = 1_000) {
  return new Redelivery({ limit, repeatsUnconfirmed });
}

/** Whether a promise has resolved, and with what. */
async function stateOf<T>(promise: Promise<T>): Promise<T | 'pending'> {
  const pending = turns(2).then(() => 'pending' as const);
  return Promise.race([promise, pending]);
}

describe('a client that is there', () => {
  test('has messages before they count as delivered, and is asked once for all that it was sent', async () => {
    const redelivery = stand();
    const client = receiver();
    redelivery.attach(client);
    const first = redelivery.deliver(said('a'));
    expect(await stateOf(first)).toBe('pending');
    client.writes[0]?.();
    expect(await first).toBe(true);
    const second = redelivery.deliver(said('b', 'c'));
    client.writes[1]?.();
    await second;
    expect([client.got, client.asked.length]).toEqual([['a', 'b', 'c'], 1]);
    client.asked[0]?.();
    await turns(2);
    expect(client.asked.length).toBe(2);
    client.asked[1]?.();
    await turns(2);
    expect([client.asked.length, redelivery.canResume(2), redelivery.canResume(3)]).toEqual([2, false, true]);
  });

  test('is sent what comes amid a write behind it, and nothing twice', async () => {
    const redelivery = stand();
    await redelivery.deliver(said('a'));
    const client = receiver();
    redelivery.attach(client);
    const done = redelivery.deliver(said('b'));
    expect(client.writes.length).toBe(1);
    client.writes[0]?.();
    await turns(1);
    client.writes[1]?.();
    expect([await done, client.got]).toEqual([true, ['a', 'b']]);
  });

  test('is not sent more than may be kept until it confirms something', async () => {
    const redelivery = stand(false, 100);
    const client = receiver();
    redelivery.attach(client);
    const done = redelivery.deliver(said('x'.repeat(101)));
    client.writes[0]?.();
    expect(await stateOf(done)).toBe('pending');
    client.asked[0]?.();
    expect(await done).toBe(true);
  });
});

describe('while there is none', () => {
  test('as much is taken as may be kept, and one more', async () => {
    const redelivery = stand(false, 600);
    expect(await stateOf(redelivery.deliver(said('a', 'b')))).toBe(true);
    const third = redelivery.deliver(said('c', 'd'));
    expect(await stateOf(third)).toBe('pending');
    const client = receiver();
    redelivery.attach(client, 0);
    client.writes[0]?.();
    await turns(1);
    client.asked[0]?.();
    expect(await third).toBe(true);
    expect(client.got).toEqual(['a', 'b', 'c', 'd']);
  });

  test('nothing is confirmed, and nothing settled', async () => {
    const redelivery = stand();
    await redelivery.deliver(said('a'));
    expect(await stateOf(redelivery.confirmed())).toBe('pending');
    const settled = redelivery.settled();
    expect(await stateOf(settled)).toBe('pending');
    const client = receiver();
    redelivery.attach(client);
    client.writes[0]?.();
    await settled;
    const confirmed = redelivery.confirmed();
    client.asked[0]?.();
    expect(await confirmed).toBe(true);
  });
});

describe('a client that comes back', () => {
  /** Of four messages three are taken, and one is confirmed. */
  async function lostAmid(repeatsUnconfirmed: boolean) {
    const redelivery = stand(repeatsUnconfirmed);
    const client = receiver();
    redelivery.attach(client);
    void redelivery.deliver(said('a'));
    client.writes[0]?.();
    await turns(1);
    client.asked[0]?.();
    await turns(1);
    void redelivery.deliver(said('b', 'c', 'd'));
    client.writes[1]?.(2);
    redelivery.detach();
    await turns(1);
    const next = receiver();
    return { redelivery, next };
  }

  test.each([
    ['what no socket has taken', false, undefined, ['d']],
    ['what is not confirmed', true, undefined, ['b', 'c', 'd']],
    ['what it does not have', false, 2, ['c', 'd']],
    ['what it does not have', true, 3, ['d']],
    ['nothing if it has all', true, 4, []],
  ])('is sent %s', async (_, repeats, received, expected) => {
    const { redelivery, next } = await lostAmid(repeats);
    expect(redelivery.canResume(received)).toBe(true);
    redelivery.attach(next, received);
    next.writes[0]?.();
    await turns(1);
    expect(next.got).toEqual(expected);
  });

  test.each([0, 5])(
    'cannot go on behind %i messages: they are not kept, or there were not so many',
    async (received) => {
      const { redelivery } = await lostAmid(false);
      expect(redelivery.canResume(received)).toBe(false);
    },
  );

  test('is asked itself: what the one before it says is not heard any more', async () => {
    const redelivery = stand();
    const [first, second] = [receiver(), receiver()];
    redelivery.attach(first);
    void redelivery.deliver(said('a'));
    first.writes[0]?.();
    await turns(1);
    first.asked[0]?.();
    redelivery.attach(second, 0);
    await turns(2);
    expect(redelivery.canResume(0)).toBe(true);
    second.writes[0]?.();
    expect(second.got).toEqual(['a']);
  });
});

test('what is over delivers nothing, and nobody waits for it', async () => {
  const redelivery = stand();
  redelivery.attach(receiver());
  const waits = [redelivery.deliver(said('a')), redelivery.confirmed()];
  const settled = redelivery.settled();
  redelivery.end();
  expect(await Promise.all(waits)).toEqual([false, false]);
  await settled;
  expect([await redelivery.deliver(said('b')), redelivery.canResume(0)]).toEqual([false, false]);
});
