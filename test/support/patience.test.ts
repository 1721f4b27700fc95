import { expect, test } from 'vitest';
import { eventually, within } from './patience.ts';

const never = new Promise<never>(() => {});

test('a wait in vain says what it waited for, and how long', async () => {
  await expect(within(never, 'the end', 20)).rejects.toThrow('the end: not within 0.02 s');
  await expect(
    eventually(
      () => false,
      () => 'two of three',
      20,
    ),
  ).rejects.toThrow('two of three: not within');
  const got: number[] = [];
  await expect(eventually(() => got.length === 1, undefined, 20)).rejects.toThrow('got.length === 1');
});

test('a wait that is over gives what it waited for, or fails as it did', async () => {
  expect(await within(Promise.resolve(7), 'seven')).toBe(7);
  await expect(within(Promise.reject(new Error('lost')), 'seven')).rejects.toThrow('lost');
  let looks = 0;
  await eventually(() => ++looks === 3);
  expect(looks).toBe(3);
});

test('a wait fails where its test waits', async () => {
  const error = await within(never, 'the end', 20).catch((thrown: Error) => thrown);
  expect((error as Error).stack).toContain('patience.test.ts');
});
