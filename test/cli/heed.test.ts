import { describe, expect, test } from 'vitest';
import { heedSignals } from '../../src/cli/heed.ts';

/** Signals as a process would send them, and what a gateway and its log are told by them. */
function heed({ opening = Promise.resolve(), reopens = true, fails = false } = {}) {
  const handlers = new Map<string, (signal: string) => void>();
  const logged: string[] = [];
  const reloads: (() => void)[] = [];

  function register(name: string) {
    return function on(handler: (signal: string) => void) {
      handlers.set(name, handler);
      return () => void handlers.delete(name);
    };
  }
  const gateway = {
    reload(): Promise<void> {
      if (fails) return Promise.reject(new Error('no'));
      return new Promise((resolve) => reloads.push(resolve));
    },
  };
  const log = (level: string) => (_: object, message: string) => void logged.push(`${level} ${message}`);
  const unheed = heedSignals(
    { onReload: register('reload'), onReopen: register('reopen'), onIgnored: register('ignored') },
    opening.then(() => gateway),
    { info: log('info'), error: log('error') },
    () => reopens,
  );
  return {
    logged,
    reloads,
    unheed,
    handlers,
    tell: (name: string) => handlers.get(name)?.('SIGUSR2'),
  };
}

describe('SIGHUP', () => {
  test('makes the gateway look again at its files, one time after the other', async () => {
    const { tell, reloads } = heed();
    tell('reload');
    await expect.poll(() => reloads.length).toBe(1);
    for (let times = 0; times < 5; times += 1) tell('reload');
    expect(reloads).toHaveLength(1);
    reloads[0]?.();
    await expect.poll(() => reloads.length).toBe(2);
    reloads[1]?.();
    tell('reload');
    await expect.poll(() => reloads.length).toBe(3);
  });

  test('waits for a gateway that is still opening', async () => {
    const { promise: opening, resolve: open } = Promise.withResolvers<void>();
    const { tell, reloads } = heed({ opening });
    tell('reload');
    await new Promise(setImmediate);
    expect(reloads).toHaveLength(0);
    open();
    await expect.poll(() => reloads.length).toBe(1);
  });

  test('is heard again after it has failed', async () => {
    const { tell, logged } = heed({ fails: true });
    for (const times of [1, 2]) {
      tell('reload');
      await expect
        .poll(() => logged.filter((line) => line === 'error looking again has failed').length)
        .toBe(times);
    }
  });
});

test('SIGUSR1 has the log file opened again, and says so if there is none', () => {
  const [file, none] = [heed(), heed({ reopens: false })];
  for (const { tell } of [file, none]) tell('reopen');
  expect(file.logged).toEqual([]);
  expect(none.logged).toEqual(['info nothing to reopen']);
});

test('a signal without a meaning is logged, and nothing else', () => {
  const { tell, logged } = heed();
  tell('ignored');
  expect(logged).toEqual(['info ignored: this signal means nothing here']);
});

test('nothing is heeded any more after the undo', () => {
  const { unheed, handlers } = heed();
  expect(handlers.size).toBe(3);
  unheed();
  expect(handlers.size).toBe(0);
});
