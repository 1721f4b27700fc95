import { expect, test } from 'vitest';
import type { Message } from '../../../src/bridge/poll/profile.ts';
import { createPushes } from '../../../src/bridge/poll/pushes.ts';

const message = (text: string): Message => ({ data: Buffer.from(text), binary: false });

/** Pushes to a client that takes one message after the other, as the test says. */
function pushing(limit: number) {
  const taken: { text: string; done: (isOut: boolean) => void }[] = [];
  const push = createPushes(
    limit,
    ([one]) =>
      new Promise((done) => {
        taken.push({ text: String(one?.data), done });
      }),
  );
  return { taken, push: (text: string) => push(message(text)) };
}

test('the next message is given to the client when it has the last one', async () => {
  const { taken, push } = pushing(10_000);
  const [first, second] = [push('a'), push('b')];
  await Promise.resolve();
  expect(taken.map(({ text }) => text)).toEqual(['a']);
  taken[0]?.done(true);
  expect(await first).toBe(true);
  await Promise.resolve();
  expect(taken.map(({ text }) => text)).toEqual(['a', 'b']);
  taken[1]?.done(false);
  expect(await second).toBe(false);
});

test('what waits has a bound, and there is room again when it is out', async () => {
  const { taken, push } = pushing(2 * (1024 + 10));
  const first = push('0123456789');
  const second = push('0123456789');
  expect(push('')).toBe('full');
  await Promise.resolve();
  taken[0]?.done(true);
  expect(await first).toBe(true);
  expect(push('01234567890')).toBe('full');
  expect(push('0123456789')).toBeInstanceOf(Promise);
  expect(second).toBeInstanceOf(Promise);
});

test('one message may be larger than the bound, alone', () => {
  const { push } = pushing(10);
  expect(push('much more than ten bytes')).toBeInstanceOf(Promise);
  expect(push('')).toBe('full');
});
