import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Release } from '../../../src/store/index.ts';
import { LocalAuthority } from '../../../src/store/shared/local-authority.ts';
import { SharedPlaces } from '../../../src/store/shared/places.ts';
import { troubled } from '../../support/authority.ts';

const RULE = 'chat/connections/subject';

/** So many gateways that share the places of a rule. */
function gatewaysOf(count: number, refusal?: (cause: unknown) => Error) {
  const kept = new LocalAuthority(() => 0);
  const gateways = Array.from({ length: count }, (_, index) => {
    const name = `gateway ${index}`;
    const link = troubled(kept.for(name));
    const deps = { authority: link.authority, gateways: () => count, now: () => 0, refusal };
    return { name, link, places: new SharedPlaces(RULE, deps) };
  });
  return {
    kept,
    gateways,
    /** What all hold of a key, as those who keep the counts believe. */
    async held(key: string): Promise<number> {
      return (await kept.for('nobody').hold(RULE, key, { held: 0, wanted: 0 }, Infinity)).others;
    },
  };
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

describe('places that gateways share', () => {
  test('are as many as there are, whoever takes them', async () => {
    const { gateways } = gatewaysOf(2);
    const [one, two] = gateways.map(({ places }) => places) as [SharedPlaces, SharedPlaces];
    expect(await one.acquire('alice', 3)).toBeDefined();
    const release = await two.acquire('alice', 3);
    expect(await one.acquire('alice', 3)).toBeDefined();
    expect(await two.acquire('alice', 3)).toBeUndefined();
    expect(await two.acquire('bob', 3)).toBeDefined();
    release?.();
    release?.();
    await settled();
    expect(await one.acquire('alice', 3)).toBeDefined();
    expect(await one.acquire('alice', 3)).toBeUndefined();
  });

  test('that are given back are forgotten', async () => {
    const { gateways, held } = gatewaysOf(1);
    const { places } = gateways[0] as (typeof gateways)[0];
    const releases = await Promise.all(Array.from({ length: 5 }, () => places.acquire('alice', 5)));
    expect(await held('alice')).toBe(5);
    for (const release of releases) release?.();
    await settled();
    expect(await held('alice')).toBe(0);
    expect(places.size).toBe(0);
  });

  test('of a gateway that is gone are free', async () => {
    const { gateways, kept } = gatewaysOf(2);
    const [one, two] = gateways as [(typeof gateways)[0], (typeof gateways)[0]];
    await one.places.acquire('alice', 1);
    expect(await two.places.acquire('alice', 1)).toBeUndefined();
    kept.forget(one.name);
    expect(await two.places.acquire('alice', 1)).toBeDefined();
  });

  test('of a gateway that was taken for gone are its own again when it says so', async () => {
    const { gateways, kept, held } = gatewaysOf(1);
    const { name, places } = gateways[0] as (typeof gateways)[0];
    await places.acquire('alice', 5);
    await places.acquire('alice', 5);
    kept.forget(name);
    await places.restate();
    expect(await held('alice')).toBe(2);
  });
});

describe('where nobody keeps the counts', () => {
  test('each gateway gives its part of those that were free', async () => {
    const { gateways } = gatewaysOf(2);
    const [one, two] = gateways as [(typeof gateways)[0], (typeof gateways)[0]];
    for (let i = 0; i < 4; i++) await one.places.acquire('alice', 10);
    for (let i = 0; i < 2; i++) await two.places.acquire('alice', 10);
    for (const { link } of gateways) link.fail(new Error('gone'));
    const more = async ({ places }: typeof one) => {
      let given = 0;
      while ((await places.acquire('alice', 10)) !== undefined) given += 1;
      return given;
    };
    // What the first one knows of the other is of before: six were free then, for all it knows.
    expect(await more(one)).toBe(3);
    expect(await more(two)).toBe(2);
    expect(await one.places.acquire('new', 1)).toBeDefined();
    expect(await one.places.acquire('new', 1)).toBeUndefined();
  });

  test('who asks after an answer that came too late is judged by it, and what was given meanwhile is told', async () => {
    const { gateways, held } = gatewaysOf(2);
    const [one, two] = gateways as [(typeof gateways)[0], (typeof gateways)[0]];
    for (let i = 0; i < 4; i++) await two.places.acquire('alice', 4);
    const answers = one.link.holdBack();
    expect(await one.places.acquire('alice', 4)).toBeDefined();
    await answers();
    await settled();
    expect(await held('alice')).toBe(5);
    one.link.fail(new Error('gone'));
    expect(await one.places.acquire('alice', 4)).toBeUndefined();
  });

  test('what was given back is not one’s own any more once that was heard, however late', async () => {
    const { gateways } = gatewaysOf(2);
    const [one] = gateways as [(typeof gateways)[0], (typeof gateways)[0]];
    const releases: (Release | undefined)[] = [];
    for (let i = 0; i < 6; i++) releases.push(await one.places.acquire('alice', 6));
    const answers = one.link.holdBack();
    for (const release of releases.slice(2)) {
      release?.();
      await settled();
    }
    await answers();
    one.link.fail(new Error('gone'));
    const taken = [1, 2, 3, 4].map(() => one.places.acquire('alice', 6));
    // Its part of the four that are free.
    expect((await Promise.all(taken)).filter((release) => release !== undefined)).toHaveLength(2);
  });

  test('nobody is let in if that is wished', async () => {
    const { gateways } = gatewaysOf(1, () => new Error('refused'));
    const { places, link } = gateways[0] as (typeof gateways)[0];
    link.fail(new Error('gone'));
    await expect(places.acquire('alice', 10)).rejects.toThrow('refused');
  });

  test('what was taken and given back meanwhile is known when they are back', async () => {
    const { gateways, held } = gatewaysOf(1);
    const { places, link } = gateways[0] as (typeof gateways)[0];
    const first = await places.acquire('alice', 10);
    link.fail(new Error('gone'));
    await places.acquire('alice', 10);
    await places.acquire('alice', 10);
    first?.();
    await settled();
    link.fail(undefined);
    await places.restate();
    expect(await held('alice')).toBe(2);
  });
});

test('what was not heard is said again, and nothing where all was', async () => {
  const { gateways, held } = gatewaysOf(1);
  const { places, link } = gateways[0] as (typeof gateways)[0];
  const release = await places.acquire('alice', 10);
  link.fail(new Error('lost'));
  release?.();
  await settled();
  link.fail(undefined);
  expect(await held('alice')).toBe(1);
  await places.repeat();
  expect([await held('alice'), places.size]).toEqual([0, 0]);
  const before = link.questions;
  await places.repeat();
  expect(link.questions).toBe(before);
});

test('however they come and go, there are never more than there may be, and none is lost', async () => {
  const step = fc.record({
    gateway: fc.integer({ min: 0, max: 2 }),
    act: fc.constantFrom('acquire', 'acquire', 'release', 'wait'),
    turns: fc.integer({ min: 0, max: 6 }),
  });
  const property = fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
    const { gateways, held } = gatewaysOf(3);
    const releases: Release[] = [];
    const asking: Promise<unknown>[] = [];
    let most = 0;
    for (const { gateway, act, turns } of steps) {
      const { places, link } = gateways[gateway] as (typeof gateways)[0];
      link.delay(async () => {
        for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      });
      if (act === 'acquire')
        asking.push(places.acquire('alice', 4).then((release) => release && releases.push(release)));
      if (act === 'release') releases.shift()?.();
      if (act === 'wait') await settled();
      most = Math.max(most, releases.length);
    }
    await Promise.all(asking);
    await settled();
    most = Math.max(most, releases.length);
    expect(most).toBeLessThanOrEqual(4);
    expect(await held('alice')).toBe(releases.length);
    for (const release of releases) release();
    for (let turn = 0; turn < 5; turn++) await settled();
    expect(await held('alice')).toBe(0);
    expect(gateways.map(({ places }) => places.size)).toEqual([0, 0, 0]);
  });
  await fc.assert(property);
});

/** An answer comes between its deadline and what is made of that. */
const AT_THE_DEADLINE = [
  { gateway: 1, act: 'acquire' },
  { gateway: 0, act: 'wait' },
  { gateway: 1, act: 'hold back' },
  { gateway: 0, act: 'release' },
  { gateway: 0, act: 'answer' },
  { gateway: 1, act: 'answer' },
];

test('whatever comes too late, what is held is known in the end, and nothing is kept of it', async () => {
  const step = fc.record({
    gateway: fc.integer({ min: 0, max: 1 }),
    act: fc.constantFrom('acquire', 'acquire', 'release', 'hold back', 'answer', 'wait'),
  });
  const property = fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
    const { gateways, held } = gatewaysOf(2);
    const releases: Release[] = [];
    const answers: (() => Promise<void>)[][] = [[], []];
    for (const { gateway, act } of steps) {
      const { places, link } = gateways[gateway] as (typeof gateways)[0];
      if (act === 'acquire')
        void places.acquire('alice', 4).then((release) => release && releases.push(release));
      if (act === 'release') releases.shift()?.();
      if (act === 'hold back' && answers[gateway]?.length === 0) answers[gateway].push(link.holdBack());
      if (act === 'answer') await answers[gateway]?.pop()?.();
      if (act === 'wait') await settled();
    }
    await settled();
    for (const answer of answers.flat()) await answer();
    await settled();
    for (const { places } of gateways) await places.repeat();
    expect(await held('alice')).toBe(releases.length);
    for (const release of releases) release();
    for (let turn = 0; turn < 5; turn++) await settled();
    expect(await held('alice')).toBe(0);
    expect(gateways.map(({ places }) => places.size)).toEqual([0, 0]);
  });
  await fc.assert(property, { examples: [[AT_THE_DEADLINE]] });
});
