import { describe, expect, test } from 'vitest';
import { Deliveries } from '../../../src/bridge/poll/deliveries.ts';
import type { Batch, Message, ServiceEnd } from '../../../src/bridge/poll/profile.ts';
import { turns } from '../../support/pairs.ts';

/** What goes to one client, from wherever it comes. */

const text = (data: string): Message => ({ data, binary: false });

function stand({ isThere = true, confirms = true, isTaken = true } = {}) {
  const log: string[] = [];
  const underWay: (() => void)[] = [];
  const deliveries = new Deliveries({
    limit: 1_000,
    async deliver(messages) {
      log.push(`> ${messages.map(({ data }) => data)}`);
      await new Promise<void>((resolve) => underWay.push(resolve));
      return isThere;
    },
    async confirm() {
      log.push('?');
      return confirms;
    },
    async acknowledge({ request }) {
      log.push(`told ${request.path}`);
      if (!isTaken) throw new Error('not taken');
    },
    onEnd: ({ code }: ServiceEnd) => log.push(`end ${code}`),
  });
  const batch = (data: string, rest: Partial<Batch> = {}): Batch => ({
    messages: data === '' ? [] : [text(data)],
    cursor: 'moved',
    commit: () => void log.push(`committed ${data}`),
    ...rest,
  });
  async function out(): Promise<void> {
    await turns();
    underWay.shift()?.();
    await turns();
  }
  return { deliveries, log, batch, out };
}

test('goes one after the other, and is committed when it has come', async () => {
  const { deliveries, log, batch, out } = stand();
  void deliveries.take(batch('a'));
  void deliveries.take(batch('b'));
  void deliveries.offer([text('c')]);
  await turns();
  expect(log).toEqual(['> a']);
  for (let i = 0; i < 3; i++) await out();
  expect(log).toEqual(['> a', 'committed a', '> b', 'committed b', '> c']);
});

test('is not committed where there is no client any more', async () => {
  const { deliveries, log, batch, out } = stand({ isThere: false });
  const taken = deliveries.take(batch('a', { end: { code: 4000, reason: '' } }));
  await out();
  expect([await taken, log]).toEqual([false, ['> a']]);
});

describe('the end', () => {
  test('comes behind what is on its way, and nothing more is wanted then', async () => {
    const { deliveries, log, batch, out } = stand();
    const taken = deliveries.take(batch('a', { end: { code: 4000, reason: 'enough' } }));
    await out();
    expect([await taken, log]).toEqual([false, ['> a', 'committed a', 'end 4000']]);
  });

  test('may come alone', async () => {
    const { deliveries, log, batch } = stand();
    expect(await deliveries.take(batch('', { end: { code: 1000, reason: '' } }))).toBe(false);
    expect(log).toEqual(['committed ', 'end 1000']);
  });
});

describe('what has to be confirmed', () => {
  test('is asked for, then committed', async () => {
    const { deliveries, log, batch, out } = stand();
    void deliveries.take(batch('a'), true);
    await out();
    expect(log).toEqual(['> a', '?', 'committed a']);
  });

  test('is not committed where the client does not answer', async () => {
    const { deliveries, log, batch, out } = stand({ confirms: false });
    const taken = deliveries.take(batch('a'), true);
    await out();
    expect([await taken, log]).toEqual([false, ['> a', '?']]);
  });

  test('is nothing without a cursor', async () => {
    const { deliveries, log, batch, out } = stand();
    void deliveries.take(batch('a', { cursor: 'none' }), true);
    await out();
    expect(log).toEqual(['> a', 'committed a']);
  });
});

describe('what the service is to be told of', () => {
  const receipt = { request: { method: 'POST', path: '/done', headers: {} }, timeoutMs: 1, answerSize: 1 };

  test.each([
    [false, ['> a', 'told /done', 'committed a', 'end 1000']],
    [true, ['> a', '?', 'told /done', 'committed a', 'end 1000']],
  ])('is told once the client has it, and before the end; with a ping: %s', async (asks, expected) => {
    const { deliveries, log, batch, out } = stand();
    void deliveries.take(batch('a', { cursor: 'none', receipt, end: { code: 1000, reason: '' } }), asks);
    await out();
    expect(log).toEqual(expected);
  });

  test.each([
    [{ isThere: false }, ['> a']],
    [{ confirms: false }, ['> a', '?']],
  ])('is not told where the client may not have it: %o', async (options, expected) => {
    const { deliveries, log, batch, out } = stand(options);
    const taken = deliveries.take(batch('a', { receipt }), true);
    await out();
    expect([await taken, log]).toEqual([false, expected]);
  });

  test('ends the session where the service will not have it', async () => {
    const { deliveries, log, batch, out } = stand({ isTaken: false });
    const taken = deliveries.take(batch('a', { receipt }));
    await Promise.all([expect(taken).rejects.toThrow('not taken'), out()]);
    expect(log).toEqual(['> a', 'told /done']);
  });

  test('may hold no message', async () => {
    const { deliveries, log, batch } = stand();
    expect(await deliveries.take(batch('', { receipt }), true)).toBe(true);
    expect(log).toEqual(['told /done', 'committed ']);
  });
});

test('what was not asked for is refused where too much of it waits', async () => {
  const { deliveries, out } = stand();
  const large = [text('x'.repeat(900))];
  const first = deliveries.offer(large);
  expect(await deliveries.offer(large)).toBe(false);
  await out();
  expect(await first).toBe(true);
  const again = deliveries.offer(large);
  await out();
  expect(await again).toBe(true);
});
