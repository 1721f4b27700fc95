import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Guard } from '../../../src/store/shared/guard.ts';
import { GuardedAuthority } from '../../../src/store/shared/guarded.ts';
import { LocalAuthority } from '../../../src/store/shared/local-authority.ts';
import { troubled } from '../../support/authority.ts';

const rule = { name: 'chat', rate: { count: 1_000, perMs: 1_000 }, burst: 1_000 };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

function guarded() {
  const link = troubled(new LocalAuthority().for('me'));
  const heard: string[] = [];
  const guard = new Guard({
    observer: {
      failed: (cause) => heard.push(`failed: ${(cause as Error).message}`),
      recovered: () => heard.push('recovered'),
    },
  });
  const authority = new GuardedAuthority(link.authority, guard);
  const ask = () => authority.debit(rule, 'alice', 1).catch((cause: Error) => cause.message);
  return { link, guard, heard, ask };
}

test('an answer that does not come within 50 ms is a failure', async () => {
  const { link, ask } = guarded();
  link.delay(() => new Promise(() => undefined));
  const answer = ask();
  await vi.advanceTimersByTimeAsync(49);
  expect(vi.getTimerCount()).toBe(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(await answer).toBe('no answer in 50 ms');
  expect(vi.getTimerCount()).toBe(0);
});

test('what comes after its time is heard all the same, and once', async () => {
  const { link, guard } = guarded();
  link.delay(() => new Promise((resolve) => setTimeout(resolve, 60)));
  const late: unknown[] = [];
  const authority = new GuardedAuthority(link.authority, guard);
  const answer = authority
    .take(rule, 'alice', 1, (taken) => late.push(taken))
    .catch((cause: Error) => cause.message);
  await vi.advanceTimersByTimeAsync(50);
  expect([await answer, late]).toEqual(['no answer in 50 ms', []]);
  await vi.advanceTimersByTimeAsync(10);
  expect(late).toEqual([{ count: 1, wait: 0 }]);
  link.delay(() => Promise.resolve());
  await authority.take(rule, 'alice', 1, (taken) => late.push(taken));
  expect(late).toHaveLength(1);
});

test('an answer in time leaves no timer', async () => {
  const { ask } = guarded();
  expect(await ask()).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
});

test('who has failed three times is asked once a second, by one, until it answers', async () => {
  const { link, guard, heard, ask } = guarded();
  link.fail(new Error('gone'));
  for (let i = 0; i < 2; i++) await ask();
  expect(guard.isAnswering).toBe(true);
  await ask();
  expect(guard.isAnswering).toBe(false);
  expect(await ask()).toBe('gone');
  expect(link.questions).toBe(3);
  await vi.advanceTimersByTimeAsync(1_000);
  await Promise.all([ask(), ask(), ask()]);
  expect(link.questions).toBe(4);
  link.fail(undefined);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(await Promise.all([ask(), ask()])).toEqual([0, 'gone']);
  expect(guard.isAnswering).toBe(true);
  expect(await ask()).toBe(0);
  expect(heard).toEqual(['failed: gone', 'recovered']);
});

test('a failure now and then stops nothing', async () => {
  const { link, guard, ask } = guarded();
  for (let i = 0; i < 10; i++) {
    link.fail(i % 3 === 2 ? undefined : new Error('gone'));
    await ask();
  }
  expect(guard.isAnswering).toBe(true);
});
