import { expect, test } from 'vitest';
import { Session } from '../../src/session/session.ts';
import { grantOf, routeConfig, upgradeOf } from '../support/handshakes.ts';

function sessionOf(route: Readonly<Record<string, unknown>>): Session {
  return new Session({
    route: routeConfig(route),
    bridge: 'websocket',
    target: '10.0.0.7:3000',
    request: upgradeOf(),
    grant: grantOf(),
    meter: { admitMessage: () => 0, admitBytes: () => 0 },
    protocol: undefined,
  });
}

test("a session tells its bridge the route's limits and deadlines", () => {
  const limits = { messageSize: '1KiB', fragments: 7 };
  const timeouts = { stall: '2s', close: '3s' };
  const told = { messageSize: 1024, fragments: 7, stallMs: 2_000, closeMs: 3_000 };
  expect(sessionOf({ limits, timeouts })).toMatchObject(told);
});

test('without limits a message may be of any size, but not of any number of fragments', () => {
  expect(sessionOf({})).toMatchObject({ messageSize: Infinity, fragments: 16_384 });
});
