import { getEventListeners } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { openSocket } from '../../src/upstream/connect.ts';
import { type Course, race } from '../../src/upstream/race.ts';
import { deadPort } from '../support/faulty.ts';
import { portOf } from '../support/servers.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A race over these candidates; what becomes of each attempt is decided by hand. */
function begin(names: readonly string[], shareMs = 5_000) {
  const waiting = [...names];
  const events: string[] = [];
  const hands = new Map<string, { succeed: () => void; fail: (error: Error) => void }>();
  const whole = new AbortController();
  const course: Course<string, { destroy(): void }> = {
    next: () => waiting.shift(),
    attempt(name, signal) {
      events.push(`${name} starts`);
      return new Promise((resolve, reject) => {
        const prize = { destroy: () => events.push(`${name} destroyed`) };
        hands.set(name, { succeed: () => resolve(prize), fail: reject });
        signal.addEventListener('abort', () => {
          events.push(`${name} given up`);
          reject(new Error(`${name} given up`));
        });
      });
    },
    failed: (name) => events.push(`${name} failed`),
    lost: (name, outpaced) => events.push(`${name} ${outpaced ? 'outpaced' : 'lost'}`),
  };
  const won = race(course, { signal: whole.signal, shareMs }).then(
    ({ candidate, share }) => {
      share.end();
      return candidate;
    },
    (error: Error) => error.message,
  );
  const hand = (name: string) => hands.get(name) ?? { succeed() {}, fail() {} };
  return { won, events, hand, whole };
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe('a race', () => {
  test('has one runner while the first is quick', async () => {
    const { won, events, hand, whole } = begin(['a', 'b']);
    await pass(249);
    hand('a').succeed();
    expect(await won).toBe('a');
    await pass(10_000);
    expect(events).toEqual(['a starts']);
    expect([vi.getTimerCount(), getEventListeners(whole.signal, 'abort')]).toEqual([0, []]);
  });

  test('starts the next after 250 ms, and the earlier attempt lives on', async () => {
    const { won, events, hand } = begin(['a', 'b', 'c']);
    await pass(250);
    expect(events).toEqual(['a starts', 'b starts']);
    hand('b').fail(new Error('refused'));
    await pass(0);
    expect(events).toEqual(['a starts', 'b starts', 'b failed', 'c starts']);
    await pass(100);
    hand('a').succeed();
    expect(await won).toBe('a');
    expect(events.slice(4)).toEqual(['c lost', 'c given up']);
  });

  test('tells of one that lost in spite of its head start', async () => {
    const { won, events, hand } = begin(['a', 'b']);
    await pass(260);
    hand('b').succeed();
    expect(await won).toBe('b');
    expect(events).toContain('a outpaced');
    expect(vi.getTimerCount()).toBe(0);
  });

  test('starts the next at once when one fails', async () => {
    const { won, events, hand } = begin(['a', 'b']);
    hand('a').fail(new Error('refused'));
    await pass(0);
    hand('b').succeed();
    expect(await won).toBe('b');
    expect(events).toEqual(['a starts', 'a failed', 'b starts']);
  });

  test('ends with the last failure', async () => {
    const { won, hand } = begin(['a', 'b']);
    hand('a').fail(new Error('first'));
    await pass(0);
    hand('b').fail(new Error('second'));
    expect(await won).toBe('second');
    expect(vi.getTimerCount()).toBe(0);
  });

  test('gives each its share of the time', async () => {
    const { won, events } = begin(['a', 'b'], 1_000);
    await pass(1_249);
    expect(events).toEqual(['a starts', 'b starts', 'a given up', 'a failed']);
    await pass(1);
    expect(await won).toBe('b given up');
  });

  test('ends with the whole dial', async () => {
    const { won, events, whole } = begin(['a', 'b']);
    whole.abort();
    expect(await won).toBe('a given up');
    expect(events).not.toContain('b starts');
    expect(vi.getTimerCount()).toBe(0);
  });

  test('has one winner when two are done in the same turn', async () => {
    const { won, events, hand } = begin(['a', 'b']);
    await pass(250);
    hand('a').succeed();
    hand('b').succeed();
    expect(await won).toBe('a');
    await pass(0);
    expect(events.slice(2)).toEqual(['b lost', 'b given up', 'b destroyed']);
  });
});

test('an address that answers late beats one that refuses', async () => {
  vi.useRealTimers();
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const port = portOf(server);
  const dead = await deadPort();
  const { signal } = new AbortController();
  const candidates = ['::1', '127.0.0.1'];
  /** `::1` connects after 300 ms: longer than Node's own patience, and than ours before the next starts. */
  async function attempt(address: string, share: AbortSignal) {
    if (address !== '::1') return openSocket({ host: address, port: dead }, share);
    await new Promise((resolve) => setTimeout(resolve, 300));
    return openSocket({ host: '127.0.0.1', port }, share);
  }
  const course = { next: () => candidates.shift(), attempt, failed() {}, lost() {} };
  const { candidate, prize, share } = await race(course, { signal, shareMs: 5_000 });
  expect(candidate).toBe('::1');
  share.end();
  prize.destroy();
  await new Promise((resolve) => server.close(resolve));
});
