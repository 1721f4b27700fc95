import { beforeEach, expect, onTestFinished, test } from 'vitest';
import type { RegisterEntry } from '../../src/store/commons.ts';
import { joinCommons } from '../../src/workers/commons.ts';
import { Hub } from '../../src/workers/hub.ts';
import { Line } from '../../src/workers/line.ts';
import { eventually } from '../support/patience.ts';
import { type WayPair, wayPair } from '../support/ways.ts';

/** What workers know together by their primary, in one process. */

const HOUR = 3_600_000;

let hub: Hub;

beforeEach(() => {
  hub = new Hub();
});

async function join(name: string) {
  const way: WayPair = wayPair();
  const gone = hub.serve(new Line(way.near), name);
  const commons = await joinCommons(new Line(way.far));
  function leave(): void {
    way.cut();
    gone();
  }
  onTestFinished(() => {
    commons.close();
    leave();
  });
  return { ...commons, leave, hang: way.hang };
}

function reading(commons: Awaited<ReturnType<typeof join>>): Map<string, string> {
  const heard = new Map<string, string>();
  commons.register('revoked').listen({
    put: ({ name, text }: RegisterEntry) => void heard.set(name, text),
    removed: (name) => void heard.delete(name),
  });
  return heard;
}

test('of all who take a note one gets it', async () => {
  const all = [await join('1'), await join('2'), await join('3')];
  expect(await all[0]?.notes.put('ticket', 'alice', HOUR)).toBe(true);
  expect(await all[1]?.notes.put('ticket', 'mallory', HOUR)).toBe(false);
  const taken = await Promise.all(
    Array.from({ length: 30 }, (_, index) => all[index % 3]?.notes.take('ticket')),
  );
  expect(taken.filter((text) => text !== undefined)).toEqual(['alice']);
});

test('nobody knows of notes when the primary is gone', async () => {
  const one = await join('1');
  one.leave();
  await expect(one.notes.take('ticket')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
});

test('a question is answered by all, and whoever has left is not waited for', async () => {
  const [one, two, three] = [await join('1'), await join('2'), await join('3')];
  for (const [index, each] of [one, two, three].entries())
    each.broadcast.answer('who', (what) => `${String(what)}${index}`);
  await eventually(
    async () => (await one.broadcast.ask('who', 'w')).length === 3,
    () => 'not all have answered',
  );
  expect([...(await two.broadcast.ask('who', 'w'))].sort()).toEqual(['w0', 'w1', 'w2']);
  three.leave();
  // Behind what the others are told of it.
  await one.notes.take('nothing');
  const since = performance.now();
  expect(await one.broadcast.ask('who', 'w', 20_000)).toEqual(['w0', 'w1']);
  expect(performance.now() - since).toBeLessThan(10_000);
});

test('a worker that hangs is not waited for any longer than was said', async () => {
  const [one, two] = [await join('1'), await join('2')];
  one.broadcast.answer('who', () => 1);
  two.broadcast.answer('who', () => 2);
  two.hang();
  expect(await one.broadcast.ask('who', 'w', 20)).toEqual([1]);
});

test('what one writes all others read, and one that begins later, too', async () => {
  const [one, two] = [await join('1'), await join('2')];
  const heard = reading(two);
  one.register('revoked').put({ name: 'a', text: 'alice', until: Date.now() + HOUR });
  one.register('revoked').put({ name: 'b', text: 'bob', until: Date.now() + HOUR });
  await eventually(
    () => heard.size === 2,
    () => 'it has not been heard',
  );
  two.register('revoked').remove('a');
  const third = await join('3');
  await eventually(
    () => heard.size === 2,
    () => 'who writes does not hear itself',
  );
  const later = reading(third);
  expect([...later]).toEqual([['b', 'bob']]);
});

test('one that begins later reads all there is, however much', async () => {
  const one = await join('1');
  for (let index = 0; index < 2_500; index++)
    one.register('revoked').put({ name: `n${index}`, text: `${index}`, until: Date.now() + HOUR });
  await one.repeat();
  const later = reading(await join('2'));
  expect(later.size).toBe(2_500);
  expect(later.get('n2499')).toBe('2499');
});
