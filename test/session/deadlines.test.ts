import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Link, PeerName } from '../../src/bridge/contract.ts';
import type { GatewayError } from '../../src/errors.ts';
import { Deadlines, type Limits } from '../../src/session/deadlines.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] }));
afterEach(() => void vi.useRealTimers());

interface Seen {
  /** Bytes from the client, and from the service. */
  up: number;
  down: number;
  pings: number;
  /** `performance.now()` at the last one. */
  pingedAt: number;
  looks: number;
  silence: ReturnType<Link['unresponsivePeer']>;
  ended: string | undefined;
  detail?: string | undefined;
  buried: PeerName | undefined;
}

/** A connection whose traffic and silence a test sets by hand. Before it is pinged nobody owes anything, unless that is set, too. */
function watch(
  limits: Partial<Limits>,
  silenceOf = ({ pings, silence }: Seen, _now: number) => (pings === 0 ? undefined : silence),
) {
  const seen: Seen = {
    up: 0,
    down: 0,
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
  const all: Limits = { timeouts: {}, keepalive: 'off', until: {}, ...limits };
  const deadlines = new Deadlines(all, link, {
    get up() {
      return { messages: 0, bytes: seen.up };
    },
    get down() {
      return { messages: 0, bytes: seen.down };
    },
    expire(error: GatewayError, silent?: PeerName) {
      seen.ended = error.code;
      seen.detail = error.detail;
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
    const { seen } = watch({ until: { expiresAt: Date.now() + 3_000 } });
    vi.advanceTimersByTime(2_999);
    expect(seen.ended).toBeUndefined();
    vi.advanceTimersByTime(1);
    expect(seen.ended).toBe('TOKEN_EXPIRED');
  });

  test('with its token, soon after the time of day was set to its end, and no sooner where it was set back', () => {
    const { seen } = watch({ until: { expiresAt: Date.now() + DAY_MS } });
    vi.setSystemTime(Date.now() - DAY_MS);
    vi.advanceTimersByTime(DAY_MS);
    expect(seen.ended).toBeUndefined();
    vi.setSystemTime(Date.now() + DAY_MS);
    vi.advanceTimersByTime(30_000);
    expect(seen.ended).toBe('TOKEN_EXPIRED');
  });

  test.each([1e15, Number.MAX_VALUE, Infinity])(
    'not with a token whose end, %d, no timer reaches',
    (expiresAt) => {
      const { seen } = watch({ until: { expiresAt } });
      const startedAt = performance.now();
      vi.advanceTimersToNextTimer();
      // Were it set too far off, Node would fire it at once, over and over.
      expect(performance.now() - startedAt).toBeGreaterThanOrEqual(30_000);
      expect(seen.ended).toBeUndefined();
    },
  );

  test('with a later token, where it is extended; never again where that does not end', () => {
    const { seen, deadlines } = watch({ until: { expiresAt: Date.now() + 1_000 } });
    deadlines.extend({ expiresAt: Date.now() + 3_000 });
    vi.advanceTimersByTime(2_999);
    expect(seen.ended).toBeUndefined();
    deadlines.extend({});
    vi.advanceTimersByTime(DAY_MS);
    expect(seen.ended).toBeUndefined();
    deadlines.extend({ expiresAt: Date.now() + 1 });
    vi.advanceTimersByTime(1);
    expect(seen.ended).toBe('TOKEN_EXPIRED');
  });

  test('within the tolerance of its token, so that those whose tokens end together do not come back together', () => {
    const ends = Array.from({ length: 200 }, () => {
      const { seen } = watch({ until: { expiresAt: Date.now() + 1_000, graceMs: 60_000 } });
      return seen;
    });
    const endedBy = (ms: number) => {
      vi.advanceTimersByTime(ms);
      return ends.filter(({ ended }) => ended === 'TOKEN_EXPIRED').length;
    };
    expect(endedBy(999)).toBe(0);
    const [early, half] = [endedBy(1_001), endedBy(1_500)];
    expect(early).toBeGreaterThan(0);
    expect(half).toBeGreaterThan(early);
    expect(half).toBeLessThan(200);
    expect(endedBy(2_501)).toBe(200);
  });

  test('no later than that tolerance, however short', () => {
    const seen = Array.from(
      { length: 50 },
      () => watch({ until: { expiresAt: Date.now() + 1_000, graceMs: 10 } }).seen,
    );
    vi.advanceTimersByTime(1_011);
    expect(seen.every(({ ended }) => ended === 'TOKEN_EXPIRED')).toBe(true);
  });

  test('not by being extended after its end: that leaves no timer', () => {
    const { deadlines } = watch({ until: { expiresAt: Date.now() + 1_000 } });
    deadlines.stop();
    deadlines.extend({ expiresAt: Date.now() + 2_000 });
    expect(vi.getTimerCount()).toBe(0);
  });

  test('at once with a token that has expired meanwhile', () => {
    const { seen } = watch({ until: { expiresAt: Date.now() - 1 } });
    vi.advanceTimersByTime(1);
    expect(seen.ended).toBe('TOKEN_EXPIRED');
  });
});

test('traffic puts idleness off', () => {
  const { seen } = watch({ timeouts: { idle: 1_000 } });
  for (let i = 0; i < 5; i++) {
    seen[i % 2 === 0 ? 'up' : 'down']++;
    vi.advanceTimersByTime(1_000);
    expect(seen.ended).toBeUndefined();
  }
  vi.advanceTimersByTime(1_000);
  expect(seen.ended).toBe('IDLE');
});

describe('with a limit for each side', () => {
  const idle = { client: 1_000, upstream: 3_000 };
  const sides = [
    ['client', 'up', 'down', 1_000],
    ['upstream', 'down', 'up', 3_000],
  ] as const;

  test.each(sides)('the silence of the %s ends it, whatever comes the other way', (side, _own, other, ms) => {
    const { seen } = watch({ timeouts: { idle: { [side]: ms } } });
    vi.advanceTimersByTime(ms - 1);
    seen[other]++;
    expect(seen.ended).toBeUndefined();
    vi.advanceTimersByTime(1);
    expect([seen.ended, seen.detail]).toEqual(['IDLE', `nothing has come from the ${side}`]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test.each(sides)('what comes from the %s puts it off', (side, own, _other, ms) => {
    const { seen } = watch({ timeouts: { idle: { [side]: ms } } });
    for (let i = 0; i < 3; i++) {
      seen[own]++;
      vi.advanceTimersByTime(ms);
      expect(seen.ended).toBeUndefined();
    }
    vi.advanceTimersByTime(ms);
    expect(seen.ended).toBe('IDLE');
  });

  test('one timer watches both, and the nearer ends it', () => {
    const { seen } = watch({ timeouts: { idle } });
    for (let i = 0; i < 3; i++) {
      seen.up++;
      expect(vi.getTimerCount()).toBe(1);
      vi.advanceTimersByTime(1_000);
    }
    expect([seen.ended, seen.detail]).toEqual(['IDLE', 'nothing has come from the upstream']);
  });

  test('none is watched that is off', () => {
    const { seen, deadlines } = watch({ timeouts: { idle: { client: Infinity } } });
    vi.advanceTimersByTime(20 * DAY_MS);
    expect(seen.ended).toBeUndefined();
    deadlines.stop();
  });
});

describe('keepalive', () => {
  const keepalive = { every: 30_000, within: 10_000 };

  test('gives nobody a new deadline by the next ping, though the last one had left late', () => {
    const { seen } = watch({ keepalive: { every: 1_000, within: 1_000 } }, (seen, now) =>
      seen.pings === 0 ? undefined : { name: 'client', forMs: now - seen.pingedAt - 5 },
    );
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
    vi.advanceTimersByTime(5_000);
    seen.silence = { name: 'client', forMs: 10_000 };
    vi.advanceTimersByTime(5_999);
    expect(seen.ended).toBeUndefined();
    vi.advanceTimersByTime(1);
    expect(seen.ended).toBe('PEER_SILENT');
  });

  test('pings in its rhythm while a peer may owe something, and looks twice in its time', () => {
    const every = { every: 25_000, within: 10_000 };
    const { seen, deadlines } = watch({ keepalive: every }, () => ({ name: 'upstream', forMs: 0 }));
    vi.advanceTimersByTime(95_000);
    expect(seen).toMatchObject({ pings: 3, looks: 19, ended: undefined });
    deadlines.stop();
  });

  test('ends the connection to an upstream that takes nothing before the first ping', () => {
    const { seen } = watch({ keepalive }, (_seen, now) => ({ name: 'upstream', forMs: now - startedAt }));
    const startedAt = performance.now() + 4_000;
    vi.advanceTimersByTime(13_999);
    expect(seen.ended).toBeUndefined();
    vi.advanceTimersByTime(1);
    expect([seen.ended, seen.pings]).toEqual(['UPSTREAM_TIMEOUT', 0]);
  });

  test('looks for silence once before the first ping, and once a ping', () => {
    const { seen, deadlines } = watch({ keepalive });
    vi.advanceTimersByTime(95_000);
    expect(seen).toMatchObject({ pings: 3, looks: 3 });
    deadlines.stop();
  });

  test('does not ping again before an answer could have come', () => {
    const { seen, deadlines } = watch({ keepalive: { every: 1_000, within: 10_000 } });
    vi.advanceTimersByTime(35_000);
    expect(seen.pings).toBe(4);
    deadlines.stop();
  });
});
