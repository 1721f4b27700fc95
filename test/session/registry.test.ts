import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Ending, Link } from '../../src/bridge/contract.ts';
import { GatewayError } from '../../src/errors.ts';
import type { Observer } from '../../src/observe/index.ts';
import { Sessions } from '../../src/session/registry.ts';
import type { Session, SessionParts } from '../../src/session/session.ts';
import { requestOf } from '../support/requests.ts';
import { httpRoute } from '../support/route.ts';

// Only what is used here: tests before this file, in the same process, may still have something to do.
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] }));
afterEach(() => void vi.useRealTimers());

const HOUR_MS = 3_600_000;
const BYE: Ending = { code: 1000, reason: 'bye', by: 'client', clean: true };
const GOING_AWAY = new GatewayError('GOING_AWAY');

/** A registry, what its observer has heard, and connections with an hour to live. */
function registry() {
  const heard: unknown[][] = [];
  const observer: Partial<Observer> = {
    opened: (session) => void heard.push(['opened', session]),
    ended: (...all) => void heard.push(['ended', ...all]),
  };
  const sessions = new Sessions(() => observer as Observer);
  let opened = 0;
  const route = httpRoute('http://127.0.0.1:9', { timeouts: { lifetime: '1h' } });

  /** Opens a connection; `obedient` ends at once when it is told to close, one that is not `attached` has no bridge yet. */
  function open({ obedient = true, attached = true } = {}): { session: Session; told: string[] } {
    const told: string[] = [];
    const meter = { admitMessage: () => 0, admitBytes: () => 0 };
    const parts = {
      route,
      bridge: 'websocket',
      request: requestOf({ connectionId: `c${++opened}` }),
      grant: { claims: {}, releases: [] },
      meter,
    };
    const session = sessions.open(parts as unknown as SessionParts);
    const link: Pick<Link, 'close' | 'destroy'> = {
      close(ending) {
        told.push(`close ${ending.code}`);
        if (obedient) sessions.end(session, ending);
      },
      destroy() {
        told.push('destroy');
        sessions.end(session, BYE);
      },
    };
    if (attached) session.attach(link as Link);
    return { session, told };
  }
  return { sessions, heard, open };
}

describe('a connection', () => {
  test('is in the registry from its opening to its end, and the observer is told of both', () => {
    const { sessions, heard, open } = registry();
    const { session } = open();
    const { session: other } = open();
    expect([...sessions]).toEqual([session, other]);
    vi.advanceTimersByTime(1_500);
    sessions.end(session, BYE);
    expect([...sessions]).toEqual([other]);
    expect(sessions.size).toBe(1);
    expect(heard).toEqual([
      ['opened', session],
      ['opened', other],
      ['ended', session, BYE, 1_500, undefined],
    ]);
  });

  test('is found by the name its service knows, while it is open', () => {
    const { sessions, open } = registry();
    const { session } = open();
    const { session: other } = open();
    expect(sessions.find(session.connectionId)).toBe(session);
    expect(sessions.find(other.connectionId)).toBe(other);
    sessions.end(session, BYE);
    expect(sessions.find(session.connectionId)).toBeUndefined();
    expect(sessions.find('r1')).toBeUndefined();
  });

  test('that turns out to go on with another goes by that one’s name', () => {
    const { sessions, open } = registry();
    const { session: first } = open();
    const { session } = open();
    session.goesOn({ connectionId: first.connectionId, awayMs: 5 }, { target: 'db:1' });
    expect([sessions.find('c1'), sessions.find('c2')]).toEqual([session, undefined]);
    expect(session).toMatchObject({ connectionId: 'c1', awayMs: 5, target: 'db:1' });
    sessions.end(first, BYE);
    expect(sessions.find('c1')).toBe(session);
    sessions.end(session, BYE);
    expect(sessions.find('c1')).toBeUndefined();
  });

  test('ends once, however often it is said', () => {
    const { sessions, heard, open } = registry();
    const { session } = open();
    sessions.end(session, BYE);
    sessions.end(session, { ...BYE, code: 1001 });
    expect(heard.filter(([what]) => what === 'ended')).toHaveLength(1);
  });

  test('is out of the registry when the observer hears of its end', () => {
    const sizes: number[] = [];
    const observer = { opened() {}, ended: () => sizes.push(sessions.size) };
    const sessions: Sessions = new Sessions(() => observer as unknown as Observer);
    const parts = { route: httpRoute('http://127.0.0.1:9'), request: requestOf(), grant: { claims: {} } };
    sessions.end(sessions.open(parts as unknown as SessionParts), BYE);
    expect(sizes).toEqual([0]);
  });

  test('says why it ended, where there is more to say than a code', () => {
    const { sessions, heard, open } = registry();
    const cause = new Error('beneath');
    const error = new GatewayError('UPSTREAM_LOST', { detail: 'it left', cause });
    sessions.end(open().session, { ...BYE, error });
    expect(heard.at(-1)?.at(-1)).toEqual({ code: 'UPSTREAM_LOST', detail: 'it left', cause });
  });

  test('leaves no timer when it has ended', () => {
    const { sessions, open } = registry();
    const { session } = open();
    expect(vi.getTimerCount()).toBe(1);
    sessions.end(session, BYE);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('those that are not to stay', () => {
  test('end with their fault; very many of them, in several turns of the event loop', async () => {
    const { sessions, open } = registry();
    const all = Array.from({ length: 450 }, () => open());
    const [other] = all;
    sessions.judgeBy((proof) =>
      proof === other?.session.proof ? undefined : new GatewayError('TOKEN_REVOKED'),
    );
    const ended = () => all.filter(({ told }) => told.length > 0).length;
    sessions.judge();
    expect(ended()).toBe(200);
    await nextTurn();
    expect(ended()).toBe(400);
    await nextTurn();
    expect(ended()).toBe(449);
    expect([...sessions]).toEqual([other?.session]);
    expect(all[1]?.told).toEqual(['close 3000']);
  });
});

describe('a drain', () => {
  test('is over at once where nothing is open', async () => {
    const { sessions } = registry();
    await sessions.drain(GOING_AWAY, HOUR_MS);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('tells everybody to go away, is over with the last, and leaves no timer', async () => {
    const { sessions, open } = registry();
    const quick = open();
    const slow = open({ obedient: false });
    let isOver = false;
    const draining = sessions.drain(GOING_AWAY, HOUR_MS).then(() => {
      isOver = true;
    });
    await vi.advanceTimersByTimeAsync(1_000);
    expect([quick.told, slow.told]).toEqual([['close 1001'], ['close 1001']]);
    expect(isOver).toBe(false);
    sessions.end(slow.session, BYE);
    await draining;
    expect(vi.getTimerCount()).toBe(0);
  });

  test('bears a connection whose bridge is not there yet', async () => {
    const { sessions, open } = registry();
    const early = open({ attached: false });
    const slow = open({ obedient: false });
    const draining = sessions.drain(GOING_AWAY, 5_000);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(slow.told).toEqual(['close 1001', 'destroy']);
    sessions.end(early.session, BYE);
    await draining;
  });

  test('destroys at its deadline what has not gone by then, and nothing else', async () => {
    const { sessions, open } = registry();
    const quick = open();
    const slow = open({ obedient: false });
    const draining = sessions.drain(GOING_AWAY, 5_000);
    await vi.advanceTimersByTimeAsync(4_999);
    expect(slow.told).toEqual(['close 1001']);
    await vi.advanceTimersByTimeAsync(1);
    await draining;
    expect([quick.told, slow.told]).toEqual([['close 1001'], ['close 1001', 'destroy']]);
    expect(sessions.size).toBe(0);
  });
});
