import { describe, expect, test } from 'vitest';
import { type GoodbyeOutcome, Goodbyes } from '../../../src/bridge/poll/goodbyes.ts';
import { type Exchange, exchanges } from '../../support/exchanges.ts';
import { turns } from '../../support/pairs.ts';
import { fastClock } from '../../support/poll-clock.ts';

/** How a service is told of many ends, on one that a test answers for. */

function stand(onRequest?: (exchange: Exchange) => void) {
  const { http, waiting, bodies } = exchanges(onRequest);
  const { clock, slept, pass } = fastClock();
  const outcomes: GoodbyeOutcome[] = [];
  const done: string[] = [];
  const goodbyes = new Goodbyes({
    timeoutMs: 1_000,
    clock,
    onOutcome: (outcome) => outcomes.push(outcome),
  });
  function say(body: string): void {
    const request = { method: 'DELETE', path: '/', headers: {}, body };
    goodbyes.say({ http, request, onDone: () => void done.push(body) });
  }
  return { goodbyes, say, waiting, bodies, slept, pass, outcomes, done };
}

test('are said sixteen at a time, in the order they came', async () => {
  const { say, waiting, bodies, outcomes, done } = stand();
  const names = Array.from({ length: 500 }, (_, index) => String(index));
  for (const name of names) say(name);
  let most = 0;
  while (waiting.length > 0) {
    most = Math.max(most, waiting.length);
    waiting[0]?.answer(204);
    await turns();
  }
  expect(most).toBe(16);
  expect(bodies).toEqual(names);
  expect(done).toEqual(names);
  expect(outcomes).toEqual(Array(500).fill('told'));
});

describe('one that fails', () => {
  test.each([
    ['a connection that fails', (asked: Exchange) => asked.fail('unreachable', true)],
    ['a 503', (asked: Exchange) => asked.answer(503)],
  ])('is said again, four times at most: %s', async (_, act) => {
    const { say, slept, bodies, outcomes, done } = stand(act);
    say('a');
    while (done.length === 0) await turns();
    expect([bodies.length, slept, outcomes]).toEqual([4, [250, 500, 1000], ['failed']]);
  });

  test.each(['broken', 'timeout'] as const)(
    'is not said again where it may have arrived: %s',
    async (how) => {
      const { say, bodies, outcomes } = stand((asked) => asked.fail(how));
      say('a');
      await turns(2);
      expect([bodies.length, outcomes]).toEqual([1, ['failed']]);
    },
  );

  test('is told once the service is back', async () => {
    let asked = 0;
    const { say, outcomes, done } = stand((exchange) => exchange.answer(++asked < 3 ? 502 : 200));
    say('a');
    while (done.length === 0) await turns();
    expect([asked, outcomes]).toEqual([3, ['told']]);
  });

  test.each([404, 410, 429])('is not said again to a service that has answered %i', async (status) => {
    const { say, bodies, outcomes } = stand((asked) => asked.answer(status));
    say('a');
    await turns(2);
    expect([bodies.length, outcomes]).toEqual([1, ['told']]);
  });
});

describe('what nobody wants to hear any more', () => {
  test('is dropped: what has waited for a minute', async () => {
    const { say, waiting, pass, bodies, outcomes } = stand();
    for (let i = 0; i < 17; i++) say(String(i));
    pass(60_001);
    waiting[0]?.answer(204);
    await turns(2);
    expect([bodies.length, outcomes]).toEqual([16, ['told', 'dropped']]);
  });

  test('is dropped: what is more than ten thousand', () => {
    const { say, outcomes, done } = stand();
    for (let i = 0; i < 10_016; i++) say(String(i));
    expect(outcomes).toEqual([]);
    say('last');
    expect([outcomes, done]).toEqual([['dropped'], ['last']]);
  });
});

describe('at the end', () => {
  test('those that are left are waited for', async () => {
    const { goodbyes, say, waiting, outcomes } = stand();
    for (let i = 0; i < 20; i++) say(String(i));
    const closed = goodbyes.close(60_000);
    while (waiting.length > 0) {
      waiting[0]?.answer(204);
      await turns();
    }
    await closed;
    expect(outcomes).toEqual(Array(20).fill('told'));
  });

  test('but not for ever, and each gives its place back', async () => {
    const { goodbyes, say, outcomes, done } = stand();
    for (let i = 0; i < 20; i++) say(String(i));
    await goodbyes.close(10);
    await turns(2);
    expect(done.length).toBe(20);
    expect(outcomes.toSorted()).toEqual([...Array(4).fill('dropped'), ...Array(16).fill('failed')]);
    say('late');
    expect(outcomes.at(-1)).toBe('dropped');
    await goodbyes.close(10);
  });
});
