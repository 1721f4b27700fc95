import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Grant } from '../../src/admission/grant.ts';
import type { Ending, PeerName } from '../../src/bridge/contract.ts';
import { GatewayError } from '../../src/errors.ts';
import { Session, type SessionParts } from '../../src/session/session.ts';
import { grantOf, routeConfig, upgradeOf } from '../support/handshakes.ts';

const MINUTE_MS = 60_000;

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] }));
afterEach(() => void vi.useRealTimers());

function sessionOf(
  route: Readonly<Record<string, unknown>> = {},
  parts: Partial<SessionParts> = {},
): Session {
  return new Session({
    ordinal: 1,
    route: routeConfig(route),
    bridge: 'websocket',
    target: '10.0.0.7:3000',
    request: upgradeOf(),
    grant: grantOf(),
    meter: { admitMessage: () => 0, admitBytes: () => 0 },
    protocol: undefined,
    phases: {},
    ...parts,
  });
}

/** A bridge that keeps what it is told. */
function link() {
  const seen = { closed: [] as [Ending, PeerName | undefined][], destroyed: 0, pings: 0 };
  return {
    seen,
    ping: () => void seen.pings++,
    unresponsivePeer: (): undefined => undefined,
    close: (ending: Ending, silent?: PeerName) => void seen.closed.push([ending, silent]),
    destroy: () => void seen.destroyed++,
  };
}

/** An attached session, and what its bridge is told. */
function attached(route?: Readonly<Record<string, unknown>>, parts?: Partial<SessionParts>) {
  const session = sessionOf({ keepalive: 'off', ...route }, parts);
  const bridge = link();
  session.attach(bridge);
  const codes = () => bridge.seen.closed.map(([{ error }]) => error?.code);
  return { session, bridge, seen: bridge.seen, codes };
}

describe('a session tells its bridge', () => {
  test("the route's limits and deadlines", () => {
    const limits = { messageSize: '1KiB', fragments: 7 };
    const timeouts = { stall: '2s', close: '3s' };
    const told = { messageSize: 1024, fragments: 7, stallMs: 2_000, closeMs: 3_000 };
    expect(sessionOf({ limits, timeouts })).toMatchObject(told);
  });

  test('that a message may be of any size, but not of any number of fragments, unless the route says so', () => {
    expect(sessionOf({})).toMatchObject({ messageSize: Infinity, fragments: 16_384 });
  });

  test('what its meter says', () => {
    const meter = { admitMessage: vi.fn(() => 7), admitBytes: vi.fn(() => 8) };
    const session = sessionOf({}, { meter });
    expect([session.admitMessage(1), session.admitBytes(100, 2)]).toEqual([7, 8]);
    expect([meter.admitMessage.mock.calls, meter.admitBytes.mock.calls]).toEqual([[[1]], [[100, 2]]]);
  });
});

test('a session tells observers whose it is, and for how long it has lasted', () => {
  const request = upgradeOf({ id: 'r7', origin: 'https://a.test', path: '/room', host: 'a.test' });
  const session = sessionOf(
    { name: 'rooms' },
    { request, grant: grantOf({ subject: 'alice' }), protocol: 'chat' },
  );
  const { clientAddress, peerAddress } = request;
  const told = {
    id: 'r7',
    route: 'rooms',
    bridge: 'websocket',
    target: '10.0.0.7:3000',
    subject: 'alice',
    clientAddress,
    peerAddress,
  };
  expect(session).toMatchObject({
    ...told,
    origin: 'https://a.test',
    path: '/room',
    host: 'a.test',
    protocol: 'chat',
  });
  vi.advanceTimersByTime(1_500);
  expect(session.durationMs).toBe(1_500);
});

describe('its service', () => {
  test('reaches the client by the bridge, where the bridge can be spoken by', async () => {
    const message = { data: 'x', binary: false };
    const push = vi.fn(() => Promise.resolve(true));
    const session = sessionOf({ keepalive: 'off' });
    expect(session.push(message)).toBe('unsupported');
    session.attach({ ...link(), push });
    expect(await session.push(message)).toBe(true);
    expect(push.mock.calls).toEqual([[message]]);
    expect(attached().session.push(message)).toBe('unsupported');
  });

  test('closes it in so many words, and no deadline is watched any more', () => {
    const { session, seen } = attached({ timeouts: { lifetime: '1m' } });
    session.end({ code: 4000, reason: 'bye' });
    expect(seen.closed).toEqual([[{ code: 4000, reason: 'bye', by: 'gateway', clean: true }, undefined]]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('is told what it may know of it, by the name it knows', () => {
    vi.setSystemTime('2026-01-02T03:04:05.006Z');
    const request = upgradeOf({ id: 'r7', connectionId: 'c7' });
    const session = sessionOf({ name: 'rooms' }, { request, grant: grantOf({ subject: 'alice' }) });
    expect(session.describe()).toEqual({
      ...{ id: 'c7', request: 'r7', route: 'rooms', bridge: 'websocket', subject: 'alice' },
      ...{ protocol: undefined, clientAddress: request.clientAddress, since: '2026-01-02T03:04:05.006Z' },
      ...{ up: session.up, down: session.down },
    });
  });
});

describe('it ends', () => {
  const expiring = (parts: Partial<Grant> = {}) => ({
    grant: grantOf({ expiresAt: Date.now() + MINUTE_MS, ...parts }),
  });

  test.each([
    ['after its lifetime', { timeouts: { lifetime: '1m' } }, 'LIFETIME'],
    ['when idle', { timeouts: { idle: '1m' } }, 'IDLE'],
    ['when its client is silent', { timeouts: { idle: { client: '1m', upstream: 'off' } } }, 'IDLE'],
    ['with its token', { auth: { issuer: 'main' } }, 'TOKEN_EXPIRED'],
  ])('%s', (_name, route, code) => {
    const { codes, seen } = attached(route, expiring());
    vi.advanceTimersByTime(MINUTE_MS - 1);
    expect(codes()).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(codes()).toEqual([code]);
    expect(seen.closed[0]?.[0]).toMatchObject({ by: 'gateway', clean: code !== 'TOKEN_EXPIRED' });
    expect(vi.getTimerCount()).toBe(0);
  });

  test.each([
    ['there is no token', { auth: 'none' }],
    ['the route says so', { auth: { issuer: 'main', onExpiry: 'ignore' } }],
  ])('not with its token where %s', (_name, route) => {
    const { codes } = attached(route, expiring());
    vi.advanceTimersByTime(10 * MINUTE_MS);
    expect(codes()).toEqual([]);
  });

  test.each(['up', 'down'] as const)('not as idle while anything goes %s', (direction) => {
    for (const unit of ['messages', 'bytes'] as const) {
      const { session, codes } = attached({ timeouts: { idle: '1m' } });
      vi.advanceTimersByTime(MINUTE_MS - 1);
      session[direction][unit]++;
      vi.advanceTimersByTime(1);
      expect(codes()).toEqual([]);
      vi.advanceTimersByTime(MINUTE_MS);
      expect(codes()).toEqual(['IDLE']);
    }
  });

  test('not as idle while as much comes as goes', () => {
    const { session, codes } = attached({ timeouts: { idle: '1m' } });
    vi.advanceTimersByTime(MINUTE_MS - 1);
    for (const traffic of [session.up, session.down]) traffic.messages++;
    vi.advanceTimersByTime(1);
    for (const traffic of [session.up, session.down]) traffic.bytes++;
    vi.advanceTimersByTime(MINUTE_MS);
    expect(codes()).toEqual([]);
  });

  test('naming the peer that does not answer', () => {
    const session = sessionOf({ keepalive: { every: '1s', within: '1s' } });
    const bridge = link();
    const unresponsivePeer = () =>
      bridge.seen.pings === 0 ? undefined : ({ name: 'client', forMs: 1_000 } as const);
    session.attach({ ...bridge, unresponsivePeer });
    vi.advanceTimersByTime(2_000);
    expect(bridge.seen.pings).toBe(1);
    expect(bridge.seen.closed).toMatchObject([[{ error: { code: 'PEER_SILENT' }, by: 'gateway' }, 'client']]);
  });

  test('when it is told to, and its deadlines with it', () => {
    const { session, codes } = attached({ timeouts: { lifetime: '1m' } });
    session.close(new GatewayError('GOING_AWAY'));
    expect(codes()).toEqual(['GOING_AWAY']);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('at once where it was told to before its bridge was there: the first reason counts, no deadline is set', () => {
    const session = sessionOf({ timeouts: { lifetime: '1m' } });
    session.close(new GatewayError('GOING_AWAY'));
    session.close(new GatewayError('IDLE'));
    const bridge = link();
    session.attach(bridge);
    expect(bridge.seen.closed).toMatchObject([[{ error: { code: 'GOING_AWAY' } }, undefined]]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('by force, with or without a bridge', () => {
    sessionOf().destroy();
    const { session, seen } = attached();
    session.destroy();
    expect(seen.destroyed).toBe(1);
  });

  test('and watches no deadline once its bridge has ended', () => {
    const { session, codes } = attached({ timeouts: { lifetime: '1m' } });
    session.stop();
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(2 * MINUTE_MS);
    expect(codes()).toEqual([]);
    sessionOf().stop();
  });
});
