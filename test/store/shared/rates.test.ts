import { describe, expect, test } from 'vitest';
import { createSharedStore } from '../../../src/store/shared/index.ts';
import { LocalAuthority } from '../../../src/store/shared/local-authority.ts';
import { troubled } from '../../support/authority.ts';

const perSecond = { count: 10, perMs: 1_000 };

/** Two gateways that share what is kept, and the clock of all of them. */
function gatewaysOf(refusal?: (cause: unknown) => Error) {
  const clock = { ms: 1_000 };
  const now = () => clock.ms;
  const kept = new LocalAuthority(now);
  const gateways = ['one', 'two'].map((name) => {
    const link = troubled(kept.for(name));
    const store = createSharedStore({ authority: link.authority, gateways: () => 2, now, refusal });
    return { link, store, rates: store.rates('chat/upgrades/subject', perSecond, 4) };
  });
  const [one, two] = gateways as [(typeof gateways)[0], (typeof gateways)[0]];
  return { clock, one, two };
}

describe('rates that gateways share', () => {
  test('let in as many as there may be, whichever gateway is asked', async () => {
    const { clock, one, two } = gatewaysOf();
    const taken = [one, two, one, two, one, two].map(({ rates }) => rates.take('alice'));
    expect((await Promise.all(taken)).toSorted()).toEqual([0, 0, 0, 0, 100, 100]);
    expect(await two.rates.take('bob')).toBe(0);
    clock.ms += 100;
    expect(await two.rates.take('alice')).toBe(0);
    expect(await one.rates.take('alice')).toBe(100);
  });

  test('are not asked about who is known to have none left', async () => {
    const { clock, one } = gatewaysOf();
    for (let i = 0; i < 5; i++) await one.rates.take('alice');
    const before = one.link.questions;
    clock.ms += 30;
    expect(one.rates.take('alice')).toBe(70);
    expect(one.link.questions).toBe(before);
  });

  test('are the same when a route is compiled again, and others under another rate', async () => {
    const { one } = gatewaysOf();
    for (let i = 0; i < 4; i++) await one.rates.take('alice');
    expect(await one.store.rates('chat/upgrades/subject', perSecond, 4).take('alice')).toBe(100);
    expect(await one.store.rates('chat/upgrades/subject', perSecond, 5).take('alice')).toBe(0);
  });
});

describe('where nobody keeps them', () => {
  test('each gateway lets in its part, less what it has let in before', async () => {
    const { clock, one, two } = gatewaysOf();
    await one.rates.take('alice');
    for (const { link } of [one, two]) link.fail(new Error('gone'));
    expect([await one.rates.take('alice'), await one.rates.take('alice')]).toEqual([0, 200]);
    expect([await two.rates.take('alice'), await two.rates.take('alice')]).toEqual([0, 0]);
    expect(await two.rates.take('alice')).toBe(200);
    clock.ms += 200;
    expect(await one.rates.take('alice')).toBe(0);
  });

  test('an answer that comes too late says who has none left', async () => {
    const { one, two } = gatewaysOf();
    for (let i = 0; i < 4; i++) await two.rates.take('alice');
    const answers = one.link.holdBack();
    expect(await one.rates.take('alice')).toBe(0);
    await answers();
    one.link.fail(new Error('gone'));
    expect(await one.rates.take('alice')).toBe(100);
  });

  test('nobody is let in if that is wished', async () => {
    const { one } = gatewaysOf(() => new Error('refused'));
    one.link.fail(new Error('gone'));
    await expect(one.rates.take('alice')).rejects.toThrow('refused');
  });

  test('connections may send their part', async () => {
    const { clock, one } = gatewaysOf();
    one.link.fail(new Error('gone'));
    const bucket = one.store.buckets('chat/messages/subject', perSecond, 4).bucket('alice');
    for (let i = 0; i < 3; i++) bucket.debit(1, clock.ms);
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    expect([1, 2, 3].map((turn) => bucket.msUntil(turn, clock.ms))).toEqual([0, 100, 200]);
  });

  test('a limit smaller than the number of gateways lets in one at a time', async () => {
    const { clock, one } = gatewaysOf();
    one.link.fail(new Error('gone'));
    const rates = one.store.rates('chat/upgrades/route', { count: 1, perMs: 1_000 }, 1);
    expect([await rates.take(''), await rates.take('')]).toEqual([0, 1_000]);
    clock.ms += 1_000;
    expect(await rates.take('')).toBe(0);
  });
});
