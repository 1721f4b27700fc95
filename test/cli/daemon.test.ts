import { describe, expect, test } from 'vitest';
import type { Context } from '../../src/cli/context.ts';
import { untilStopped } from '../../src/cli/daemon.ts';

/** A daemon under test: `signal` and `crash` are what its process is told, `closed` ends its gateway. */
function daemon(flush = (done: () => void) => done()) {
  const signals = new Set<(signal: string) => void>();
  const crashes = new Set<(error: unknown) => void>();
  const logged: string[] = [];
  const { promise: closing, resolve: closed, reject: failed } = Promise.withResolvers<void>();
  let closes = 0;

  function register<T>(handlers: Set<T>, handler: T): () => void {
    handlers.add(handler);
    return () => handlers.delete(handler);
  }
  const code = untilStopped(
    {
      onSignal: (handler) => register(signals, handler),
      onCrash: (handler) => register(crashes, handler),
    } as Context,
    {
      close() {
        closes += 1;
        return closing;
      },
    },
    {
      info: (_, message) => logged.push(`info ${message}`),
      fatal: (_, message) => logged.push(`fatal ${message}`),
      flush,
    },
  );
  return {
    code,
    logged,
    closed,
    failed,
    closes: () => closes,
    handlers: () => signals.size + crashes.size,
    signal(name: string): void {
      for (const handler of signals) handler(name);
    },
    crash(error: unknown): void {
      for (const handler of crashes) handler(error);
    },
  };
}

describe('untilStopped', () => {
  test('closes the gateway at the first signal, and ends with 0 when that is done', async () => {
    const { code, signal, closed, closes, handlers } = daemon();
    signal('SIGTERM');
    expect(closes()).toBe(1);
    closed();
    expect(await code).toBe(0);
    expect(handlers()).toBe(0);
  });

  test('ends with 1 at the second signal, without waiting', async () => {
    const { code, signal, closes } = daemon();
    signal('SIGINT');
    signal('SIGINT');
    expect(await code).toBe(1);
    expect(closes()).toBe(1);
  });

  test('still hears signals while the log is flushed, and its exit code stays', async () => {
    const flushes: (() => void)[] = [];
    const { code, signal, closed, closes, handlers } = daemon((done) => flushes.push(done));
    signal('SIGTERM');
    closed();
    await expect.poll(() => flushes.length).toBe(1);
    signal('SIGTERM');
    expect(handlers()).toBe(2);
    for (const done of flushes) done();
    expect(await code).toBe(0);
    expect({ closes: closes(), handlers: handlers() }).toEqual({ closes: 1, handlers: 0 });
  });

  test('ends with 1 when the gateway cannot be closed', async () => {
    const { code, signal, failed, logged } = daemon();
    signal('SIGTERM');
    failed(new Error('stuck'));
    expect(await code).toBe(1);
    expect(logged).toContain('fatal unforeseen failure');
  });

  test('ends with 1 at what nobody caught, and logs it', async () => {
    const { code, crash, logged, handlers } = daemon();
    crash(new Error('bug'));
    expect(await code).toBe(1);
    expect(logged).toEqual(['fatal unforeseen failure']);
    expect(handlers()).toBe(0);
  });
});
