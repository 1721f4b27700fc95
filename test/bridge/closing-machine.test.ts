import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Closing, failed, wordFor } from '../../src/bridge/closing.ts';
import type { Ending } from '../../src/bridge/contract.ts';
import { type ErrorCode, GatewayError } from '../../src/errors.ts';
import { endingOf, FakeEnd } from '../support/ends.ts';

/** The machine alone: ends that do only what the test has them do. */

const CLOSE_MS = 1_000;
const LAST_WORDS_MS = 800;
const LIMIT = 'limit 262144';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] }));
afterEach(() => void vi.useRealTimers());

function machine(relaysClose = true) {
  const client = new FakeEnd('client');
  const upstream = new FakeEnd('upstream');
  const closing = new Closing({ closeMs: CLOSE_MS, relaysClose });
  closing.join(client, upstream);
  const seen: Ending[] = [];
  void closing.done.then((ending) => seen.push(ending));
  const finish = (end: FakeEnd) => {
    end.isFinished = true;
    closing.onProgress();
  };
  return { client, upstream, closing, seen, finish };
}

const CLIENT_CLOSES: Ending = { code: 4000, reason: 'bye', by: 'client', clean: true };
const UPSTREAM_CLOSES: Ending = { ...CLIENT_CLOSES, by: 'upstream' };

describe('who is told first', () => {
  test('where Closes are relayed, a Close of the client goes to the upstream, and the client waits for its answer', () => {
    const { client, upstream, closing, finish } = machine();
    closing.begin(CLIENT_CLOSES);
    expect([client.isTold, upstream.isTold]).toEqual([false, true]);
    finish(upstream);
    expect(client.isTold).toBe(true);
  });

  test('where Closes are relayed, a Close of the upstream goes to the client, and the upstream waits for its answer', () => {
    const { client, upstream, closing, finish } = machine();
    closing.begin(UPSTREAM_CLOSES);
    expect([client.isTold, upstream.isTold]).toEqual([true, false]);
    finish(client);
    expect(upstream.isTold).toBe(true);
  });

  test.each([
    ['a Close of the client', CLIENT_CLOSES],
    ['a Close of the upstream', UPSTREAM_CLOSES],
    ['a decision of the gateway', endingOf('TOKEN_EXPIRED')],
  ])('elsewhere both hear of %s at once', (_name, ending) => {
    const { client, upstream, closing } = machine(false);
    closing.begin(ending);
    expect([client.isTold, upstream.isTold]).toEqual([true, true]);
  });

  test.each(['TOKEN_EXPIRED', 'CLIENT_LOST', 'PEER_STALLED'] as const)(
    'both at once where the end is not clean: %s',
    (code) => {
      const { client, upstream, closing } = machine();
      closing.begin(endingOf(code));
      expect([client.isTold, upstream.isTold]).toEqual([true, true]);
    },
  );

  test.each(['GOING_AWAY', 'IDLE', 'LIFETIME'] as const)(
    'the client on every bridge, for %s: what it sends until it closes still counts',
    (code) => {
      for (const relaysClose of [true, false]) {
        const { client, upstream, closing, finish } = machine(relaysClose);
        closing.begin(endingOf(code));
        expect([client.isTold, upstream.isTold]).toEqual([true, false]);
        expect([client.asked.includes(LIMIT), upstream.asked.includes(LIMIT)]).toEqual([false, true]);
        finish(client);
        expect(upstream.isTold).toBe(true);
      }
    },
  );
});

describe('one end', () => {
  test('the first ending counts, and each end is told it once', async () => {
    const { client, upstream, closing, seen } = machine(false);
    closing.begin(CLIENT_CLOSES);
    closing.begin(endingOf('TOKEN_EXPIRED'));
    closing.onLost(client);
    expect([client.asked[1], upstream.asked[1]]).toEqual(['tell 4000', 'tell 4000']);
    closing.onClosed(client);
    closing.onClosed(upstream);
    await closing.done;
    expect(seen).toEqual([CLIENT_CLOSES]);
  });

  test('from an ending that is not graceful on, little is read of both', () => {
    const { client, upstream, closing } = machine();
    closing.begin(CLIENT_CLOSES);
    expect([client.asked[0], upstream.asked[0]]).toEqual([LIMIT, LIMIT]);
  });

  test('an end is let go of once it is told and finished, not before, and once only', () => {
    const { client, closing, finish } = machine(false);
    closing.begin(CLIENT_CLOSES);
    expect(client.asked).not.toContain('release');
    finish(client);
    finish(client);
    expect(client.asked.filter((what) => what === 'release')).toHaveLength(1);
  });

  test('an end that is finished but has not been told is not let go of', () => {
    const { client, upstream, closing } = machine();
    client.isFinished = true;
    closing.begin(CLIENT_CLOSES);
    expect(client.asked).not.toContain('release');
    expect(upstream.asked).toContain('tell 4000');
  });

  test('whoever is let go of is not read without a limit', () => {
    const { client, closing, finish } = machine();
    closing.begin(endingOf('IDLE'));
    finish(client);
    expect(client.asked).toEqual(['tell 1001', LIMIT, 'release']);
  });

  test('it is over when both sockets are closed, and no timer is left', async () => {
    const { client, upstream, closing, seen } = machine();
    closing.begin(CLIENT_CLOSES);
    closing.onClosed(client);
    closing.onClosed(client);
    await vi.advanceTimersByTimeAsync(0);
    expect(seen).toEqual([]);
    closing.onClosed(upstream);
    expect(await closing.done).toEqual(CLIENT_CLOSES);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('the budget', () => {
  test('after four fifths all is said that has not been, and nobody is waited for', () => {
    const { client, upstream, closing } = machine();
    closing.begin(CLIENT_CLOSES);
    vi.advanceTimersByTime(LAST_WORDS_MS - 1);
    expect([client.isTold, upstream.asked.includes('release')]).toEqual([false, false]);
    vi.advanceTimersByTime(1);
    expect(client.asked.slice(1)).toEqual([LIMIT, 'tell 4000', LIMIT, 'release']);
    expect(upstream.asked).toContain('release');
  });

  test('after the whole of it both sockets are destroyed, not before', () => {
    const { client, upstream, closing } = machine();
    closing.begin(CLIENT_CLOSES);
    // A fifth of a second is not quite 200 ms in floating point.
    vi.advanceTimersByTime(CLOSE_MS - 2);
    expect([...client.asked, ...upstream.asked]).not.toContain('destroy');
    vi.advanceTimersByTime(2);
    expect([client.asked.at(-1), upstream.asked.at(-1)]).toEqual(['destroy', 'destroy']);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('what a limit has held back is read before the last words', () => {
    const { client, upstream, closing } = machine();
    client.limit = () => upstream.asked.push('held back');
    closing.begin(endingOf('IDLE'));
    vi.advanceTimersByTime(LAST_WORDS_MS);
    const { asked } = upstream;
    expect(asked.indexOf('held back')).toBeGreaterThan(-1);
    expect(asked.indexOf('held back')).toBeLessThan(asked.indexOf('tell 1001'));
  });

  test('no patience at all: both are destroyed at once, and the gateway goes away', async () => {
    const { client, upstream, closing } = machine();
    closing.destroy();
    expect([client.asked.at(-1), upstream.asked.at(-1)]).toEqual(['destroy', 'destroy']);
    closing.onClosed(client);
    closing.onClosed(upstream);
    expect(await closing.done).toMatchObject({ code: 1001, by: 'gateway', error: { code: 'GOING_AWAY' } });
  });
});

describe('the dead', () => {
  test.each(['client', 'upstream'] as const)('a silent %s is not waited for, the other one is', (silent) => {
    const parts = machine(false);
    const { closing } = parts;
    closing.begin(endingOf('PEER_SILENT'), silent);
    const other = silent === 'client' ? 'upstream' : 'client';
    expect(parts[silent].asked).toContain('release');
    expect(parts[silent].asked).toContain('bury');
    expect(parts[other].asked).toEqual([LIMIT, 'tell 1001']);
  });

  test('found out while the end is on its way, it is not waited for any more', () => {
    const { client, upstream, closing } = machine();
    closing.begin(CLIENT_CLOSES);
    expect(client.isTold).toBe(false);
    closing.begin(endingOf('UPSTREAM_TIMEOUT'), 'upstream');
    expect(client.asked).toContain('tell 4000');
    expect(upstream.asked).toContain('release');
  });
});

describe('what ends tell becomes an ending', () => {
  /** The ending of a machine whose ends have told it something. */
  async function endingAfter(tell: (parts: ReturnType<typeof machine>) => void): Promise<Ending> {
    const parts = machine();
    tell(parts);
    parts.closing.onClosed(parts.client);
    parts.closing.onClosed(parts.upstream);
    return parts.closing.done;
  }

  test.each(['client', 'upstream'] as const)('a Close of the %s is its own, and clean', async (name) => {
    const status = { code: 4321, reason: 'why' };
    const ending = await endingAfter((parts) => parts.closing.onClose(parts[name], status));
    expect(ending).toEqual({ ...status, by: name, clean: true });
  });

  test('a client that is lost has left: 1006', async () => {
    const ending = await endingAfter(({ closing, client }) => closing.onLost(client));
    expect(ending).toEqual({ code: 1006, reason: '', by: 'client', clean: false });
  });

  test('an upstream that is lost has failed: 1014', async () => {
    const ending = await endingAfter(({ closing, upstream }) => closing.onLost(upstream));
    expect(ending).toMatchObject({
      code: 1014,
      by: 'upstream',
      clean: false,
      error: { code: 'UPSTREAM_LOST' },
    });
  });

  test.each(['client', 'upstream'] as const)(
    'a %s that stalls is given up by the gateway: 1013',
    async (name) => {
      const ending = await endingAfter((parts) => parts.closing.onStall(parts[name]));
      const error = { code: 'PEER_STALLED', detail: name };
      expect(ending).toMatchObject({ code: 1013, by: 'gateway', clean: false, error });
    },
  );

  test('a client that breaks the protocol has done it itself', async () => {
    const error = new GatewayError('PROTOCOL_ERROR', { detail: 'client: RSV2' });
    const ending = await endingAfter(({ closing, client }) => closing.onFailure(client, error));
    expect(ending).toMatchObject({ code: 1002, by: 'client', clean: false });
    expect(ending.error).toBe(error);
  });

  test('an upstream that breaks the protocol is no fault of the client: 1014', async () => {
    const error = new GatewayError('PROTOCOL_ERROR', { detail: 'upstream: RSV2' });
    const ending = await endingAfter(({ closing, upstream }) => closing.onFailure(upstream, error));
    expect(ending).toMatchObject({ code: 1014, by: 'upstream', error: { code: 'UPSTREAM_INVALID' } });
    expect(ending.error?.detail).toBe('upstream: RSV2');
  });

  test.each(['client', 'upstream'] as const)(
    'a fault of ours while the %s is read is nobody else’s',
    async (name) => {
      const error = new GatewayError('INTERNAL', { cause: new Error('bug') });
      const ending = await endingAfter((parts) => parts.closing.onFailure(parts[name], error));
      expect(ending).toMatchObject({ code: 1011, by: 'gateway', error });
    },
  );
});

test.each<[ErrorCode, Ending['by'], boolean]>([
  ['CLIENT_LOST', 'client', false],
  ['PROTOCOL_ERROR', 'client', false],
  ['INVALID_PAYLOAD', 'client', false],
  ['UPSTREAM_LOST', 'upstream', false],
  ['UPSTREAM_OUTAGE', 'upstream', false],
  ['MESSAGE_TOO_BIG', 'gateway', false],
  ['RATE_LIMITED', 'gateway', false],
  ['PEER_SILENT', 'gateway', false],
  ['TOKEN_EXPIRED', 'gateway', false],
  ['INTERNAL', 'gateway', false],
  ['IDLE', 'gateway', true],
  ['LIFETIME', 'gateway', true],
  ['GOING_AWAY', 'gateway', true],
])('a failure %s is the doing of the %s; clean: %s', (code, by, clean) => {
  const error = new GatewayError(code);
  expect(failed(error)).toEqual({ code: error.close, reason: error.message, by, clean, error });
});

describe('the word for an end', () => {
  const { message: lost } = new GatewayError('CLIENT_LOST');

  test.each<[string, Ending, number, number]>([
    ['a Close, as it was', CLIENT_CLOSES, 4000, 4000],
    ['a lost client', { ...CLIENT_CLOSES, code: 1006, clean: false }, 1001, 1001],
    ['a fault of the client', endingOf('PROTOCOL_ERROR'), 1002, 1001],
    ['a limit the client exceeded', endingOf('MESSAGE_TOO_BIG'), 1009, 1001],
    ['a fault of the upstream', endingOf('UPSTREAM_INVALID'), 1014, 1014],
    ['a decision of the gateway', endingOf('TOKEN_EXPIRED'), 3000, 3000],
  ])('%s', (_name, ending, toClient, toUpstream) => {
    expect(wordFor('client', ending).code).toBe(toClient);
    expect(wordFor('upstream', ending).code).toBe(toUpstream);
  });

  test('gives the reason of whoever ended it, or of the failure', () => {
    expect(wordFor('upstream', CLIENT_CLOSES).reason).toBe('bye');
    expect(wordFor('upstream', { ...CLIENT_CLOSES, code: 1006 }).reason).toBe(lost);
    const error = new GatewayError('IDLE');
    expect(wordFor('client', { ...CLIENT_CLOSES, error }).reason).toBe(error.message);
  });
});
