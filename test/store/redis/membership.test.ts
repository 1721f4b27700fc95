import { expect, onTestFinished, test } from 'vitest';
import type { RedisLink } from '../../../src/store/redis/link.ts';
import { Membership } from '../../../src/store/redis/membership.ts';

/** Who is alive, as one process believes it. */

/** A process that is told this list at each sign of life, once it has a name. */
function processOf(told: { others: string[]; wasAlive: boolean }) {
  let at = 1_000_000;
  const run = async (_script: unknown, _key: string, name: unknown) => {
    at += 1_000;
    return name === '' ? [0, at, told.others] : [told.wasAlive ? 1 : 0, at, [...told.others, name]];
  };
  const link = { run, isReady: true } as unknown as RedisLink;
  const heard: boolean[] = [];
  const clock = { ms: 1_000 };
  const onHeard = (wasAlive: boolean) => void heard.push(wasAlive);
  const membership = new Membership({ link, prefix: 'test', onHeard, clock: () => clock.ms });
  onTestFinished(() => membership.close());
  return { membership, heard, clock };
}

test('those that are gone from a list in which this process still stands are gone', async () => {
  const told = { others: ['one', 'two'], wasAlive: false };
  const { membership, clock } = processOf(told);
  await membership.beat();
  clock.ms += 3_000;
  expect(membership.living.names).toEqual(['one', 'two', membership.name]);
  Object.assign(told, { others: ['two'], wasAlive: true });
  await membership.beat();
  expect(membership.living.names).toEqual(['two', membership.name]);
  expect(membership.size).toBe(2);
});

test('a list that was lost is believed once all have had time to say that they are alive', async () => {
  const told = { others: ['one', 'two'], wasAlive: false };
  const { membership, heard, clock } = processOf(told);
  await membership.beat();
  clock.ms += 3_000;
  told.others = ['three'];
  await membership.beat();
  const all = ['one', 'three', 'two', membership.name].toSorted();
  expect(membership.living.names.toSorted()).toEqual(all);
  expect(membership.size).toBe(4);
  Object.assign(told, { others: ['one', 'three'], wasAlive: true });
  // One more at once, since there is another connection.
  await membership.beat();
  expect(membership.living.names.toSorted()).toEqual(all);
  clock.ms += 3_000;
  await membership.beat();
  expect(membership.living.names).toEqual(['one', 'three', membership.name]);
  expect(heard).toEqual([false, false, true, true]);
});
