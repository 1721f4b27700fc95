import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Link, PeerName } from '../../src/bridge/contract.ts';
import type { GatewayError } from '../../src/errors.ts';
import { Deadlines, type Limits } from '../../src/session/deadlines.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

interface Seen {
  traffic: number;
  pings: number;
  /** `performance.now()` at the last one. */
  pingedAt: number;
  looks: number;
  silence: ReturnType<Link['unresponsivePeer']>;
  ended: string | undefined;
  buried: PeerName | undefined;
}

/** A connection whose traffic and silence a test sets by hand. */
function watch(limits: Partial<Limits>, silenceOf = ({ silence }: Seen, _now: number) => silence) {
  const seen: Seen = {
    traffic: 0,
    pings: 0,
    pingedAt: 0,
    looks: 0,
    silence: undefined,
    ended: undefined,
    buried: undefined,
  };
  const link: Link = {
    ping() {
      seen.pings++;
      seen.pingedAt = performance.now();
    },
    unresponsivePeer(now) {
      seen.looks++;
      return silenceOf(seen, now);
    },
    close() {},
    destroy() {},
  };
  const all: Limits = { timeouts: {}, keepalive: 'off', expiresAt: undefined, ...limits };
  const deadlines = new Deadlines(all, link, {
    get traffic() {
      return seen.traffic;
    },
    expire(error: GatewayError, silent?: PeerName) {
      seen.ended = error.code;
      seen.buried = silent;
    },
  });
  return { seen, deadlines };
}

const DAY_MS = 24 * 3_600_000;

describe('a connection ends', () => {
  test.each<[string, Partial<Limits>, number, string]>([
    ['after its lifetime', { timeouts: { lifetime: 60_000 } }, 60_000, 'LIFETIME'],
    ['when idle', { timeouts: { idle: 5_000 } }, 5_000, 'IDLE'],
    ['at the nearest of its deadlines', { timeouts: { lifetime: 9_000, idle: 5_000 } }, 5_000, 'IDLE'],
    [
      'after a lifetime longer than a timer holds',
      { timeouts: { lifetime: 60 * DAY_MS } },
      60 * DAY_MS,
      'LIFETIME',
    ],
  ])('%s', (_name, limits, ms, code) => {
    const { seen } = watch(limits);
    vi.advanceTimersByTime(ms - 1);
    expect(seen.ended).toBeUndefined();
    vi.advanceTimersByTime(1);
    expect(seen.ended).toBe(code);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('with its token, by the time of day', () => {
    const { seen } = watch({ expiresAt: Date.now() + 3_000 });
    vi.advanceTimersByTime(2_999);
    expect(seen.ended).toBeUndefined();
    vi.advanceTimersByTime(1);
    expect(seen.ended).toBe('TOKEN_EXPIRED');
  });

  test.each([1e15, Number.MAX_VALUE, Infinity])(
    'not with a token whose end, %d, no timer reaches',
    (expiresAt) => {
      const { seen } = watch({ expiresAt });
      const startedAt = performance.now();
      vi.advanceTimersToNextTimer();
      // Were it set too far off, Node would fire it at once, over and over.
      expect(performance.now() - startedAt).toBeGreaterThan(20 * DAY_MS);
      expect(seen.ended).toBeUndefined();
    },
  );

  test('with a later token, where it is extended; never again where that does not end', () => {
    const { seen, deadlines } = watch({ expiresAt: Date.now() + 1_000 });
    deadlines.extend(Date.now() + 3_000);
    vi.advanceTimersByTime(2_999);
    expect(seen.ended).toBeUndefined();
    deadlines.extend(undefined);
    vi.advanceTimersByTime(DAY_MS);
    expect(seen.ended).toBeUndefined();
    deadlines.extend(Date.now() + 1);
    vi.advanceTimersByTime(1);
    expect(seen.ended).toBe('TOKEN_EXPIRED');
  });

  test('not by being extended after its end: that leaves no timer', () => {
    const { deadlines } = watch({ expiresAt: Date.now() + 1_000 });
    deadlines.stop();
    deadlines.extend(Date.now() + 2_000);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('at once with a token that has expired meanwhile', () => {
    const { seen } = watch({ expiresAt: Date.now() - 1 });
    vi.advanceTimersByTime(1);
    expect(seen.ended).toBe('TOKEN_EXPIRED');
  });
});

test('traffic puts idleness off', () => {
  const { seen } = watch({ timeouts: { idle: 1_000 } });
  for (let i = 0; i < 5; i++) {
    seen.traffic++;
    vi.advanceTimersByTime(1_000);
    expect(seen.ended).toBeUndefined();
  }
  vi.advanceTimersByTime(1_000);
  expect(seen.ended).toBe('IDLE');
});

describe('keepalive', () => {
  const keepalive = { every: 30_000, within: 10_000 };

  test('gives nobody a new deadline by the next ping, though the last one had left late', () => {
    const { seen } = watch({ keepalive: { every: 1_000, within: 1_000 } }, (seen, now) => ({
      name: 'client',
      forMs: now - seen.pingedAt - 5,
    }));
    vi.advanceTimersByTime(2_004);
    expect(seen.ended).toBeUndefined();
    vi.advanceTimersByTime(1);
    expect([seen.ended, seen.pings]).toEqual(['PEER_SILENT', 1]);
  });

  test('pings in its rhythm while the peers answer', () => {
    const { seen, deadlines } = watch({ keepalive });
    vi.advanceTimersByTime(95_000);
    expect(seen).toMatchObject({ pings: 3, ended: undefined });
    deadlines.stop();
    expect(vi.getTimerCount()).toBe(0);
  });

  test.each([
    ['client', 'PEER_SILENT'],
    ['upstream', 'UPSTREAM_TIMEOUT'],
  ] as const)('ends the connection when the %s does not answer in time', (name, code) => {
    const { seen } = watch({ keepalive });
    seen.silence = { name, forMs: 10_000 };
    vi.advanceTimersByTime(39_999);
    expect(seen.ended).toBeUndefined();
    vi.advanceTimersByTime(1);
    expect([seen.ended, seen.buried]).toEqual([code, name]);
  });

  test('counts the time to answer from when the ping had left', () => {
    const { seen } = watch({ keepalive });
    seen.silence = { name: 'client', forMs: 0 };
    vi.advanceTimersByTime(40_000);
    seen.silence = { name: 'client', forMs: 4_000 };
    vi.advanceTimersByTime(10_000);
    seen.silence = { name: 'client', forMs: 10_000 };
    vi.advanceTimersByTime(5_999);
    expect(seen.ended).toBeUndefined();
    vi.advanceTimersByTime(1);
    expect(seen.ended).toBe('PEER_SILENT');
  });

  test('looks for silence once a ping', () => {
    const { seen, deadlines } = watch({ keepalive });
    vi.advanceTimersByTime(95_000);
    expect(seen).toMatchObject({ pings: 3, looks: 2 });
    deadlines.stop();
  });

  test('does not ping again before an answer could have come', () => {
    const { seen, deadlines } = watch({ keepalive: { every: 1_000, within: 10_000 } });
    vi.advanceTimersByTime(35_000);
    expect(seen.pings).toBe(4);
    deadlines.stop();
  });
});
