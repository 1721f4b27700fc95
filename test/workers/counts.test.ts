import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { createSharedStore } from '../../src/store/shared/index.ts';
import { LocalAuthority } from '../../src/store/shared/local-authority.ts';
import { Counts, countsOf } from '../../src/workers/counts.ts';
import { Line } from '../../src/workers/line.ts';
import { wayPair } from '../support/ways.ts';

/** Stores of workers whose counts are their primary's, in one process. */

const HOUR = { count: 10, perMs: 3_600_000 };

let counts: Counts;

beforeEach(() => {
  counts = new Counts(new LocalAuthority(() => 0));
});

function join(name: string) {
  const way = wayPair();
  const gone = counts.serve(new Line(way.near), name);
  const store = createSharedStore({
    authority: countsOf(new Line(way.far)),
    gateways: () => 2,
    now: () => performance.now(),
  });
  onTestFinished(() => way.cut());
  return {
    store,
    die() {
      way.cut();
      gone();
    },
  };
}

test('what one worker lets in another does not', async () => {
  const stores = [join('1').store, join('2').store];
  const rates = stores.map((store) => store.rates('chat/upgrades/origin', HOUR, 10));
  const waits = await Promise.all(Array.from({ length: 40 }, (_, index) => rates[index % 2]?.take('a')));
  expect(waits.filter((wait) => wait === 0)).toHaveLength(10);
});

test('places are as many as there are, over all', async () => {
  const stores = [join('1').store, join('2').store];
  const places = stores.map((store) => store.places('chat/connections/subject'));
  const taken = await Promise.all(
    Array.from({ length: 30 }, (_, index) => places[index % 2]?.acquire('a', 7)),
  );
  expect(taken.filter((release) => release !== undefined)).toHaveLength(7);
});

test('the places of a worker that has died are free at once', async () => {
  const [one, two] = [join('1'), join('2')];
  const places = two.store.places('chat/connections/subject');
  for (let index = 0; index < 3; index++)
    expect(await one.store.places('chat/connections/subject').acquire('a', 3)).toBeDefined();
  expect(await places.acquire('a', 3)).toBeUndefined();
  one.die();
  expect(await places.acquire('a', 3)).toBeDefined();
});

test('a worker whose primary is gone judges by its part', async () => {
  const one = join('1');
  const rates = one.store.rates('chat/upgrades/origin', HOUR, 10);
  one.die();
  const waits = await Promise.all(Array.from({ length: 20 }, () => rates.take('a')));
  expect(waits.filter((wait) => wait === 0)).toHaveLength(5);
});
