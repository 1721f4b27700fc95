import { expect, test } from 'vitest';
import { Remembered } from '../../../src/observe/admin/remembered.ts';

/** A memory with a clock of its own; `publish` returns how often it has been called. */
function memory() {
  let now = 0;
  let count = 0;
  const remembered = new Remembered(() => now);
  return {
    pass: (ms: number) => {
      now += ms;
    },
    once: (channel: string, id: string) => remembered.once(channel, id, async () => ++count),
  };
}

test('what was published by an id is not published again, and answered as the first time', async () => {
  const { once } = memory();
  expect([await once('news', '1'), await once('news', '1'), await once('news', '2')]).toEqual([1, 1, 2]);
});

test('an id is that of its channel', async () => {
  const { once } = memory();
  expect([await once('a', 'b,c'), await once('a,b', 'c'), await once('a', '"b')]).toEqual([1, 2, 3]);
});

test('it is forgotten after a minute', async () => {
  const { once, pass } = memory();
  await once('news', '1');
  pass(59_999);
  expect(await once('news', '1')).toBe(1);
  pass(1);
  expect(await once('news', '1')).toBe(2);
});

test('a thousand are remembered, the last ones', async () => {
  const { once } = memory();
  for (let id = 1; id <= 1_001; id++) await once('news', String(id));
  expect(await once('news', '1001')).toBe(1_001);
  expect(await once('news', '3')).toBe(3);
  expect(await once('news', '1')).toBe(1_002);
});
