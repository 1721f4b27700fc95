import { describe, expect, test } from 'vitest';
import type { RouteConfig } from '../../src/config/schema.ts';
import { parsed, problemOf, sampleConfig } from '../support/config.ts';

function withUpstream(upstream: string, rest = '', path = '/b'): string {
  return sampleConfig({
    route: `  - { name: b, match: { path: "${path}" }, auth: { issuer: main }, upstream: { ${upstream} }${rest} }`,
  });
}
const route = (...parts: Parameters<typeof withUpstream>) =>
  parsed(withUpstream(...parts)).routes[1] as RouteConfig;
const problem = (...parts: Parameters<typeof withUpstream>) => problemOf(withUpstream(...parts));

describe('targets', () => {
  test('are one or many, each a text or a mapping with its weight', () => {
    const list = '[ws://a, { url: wss://b/x, weight: 3 }]';
    expect(route(`websocket: ${list}`).upstream.websocket).toEqual([
      { url: 'ws://a' },
      { url: 'wss://b/x', weight: 3 },
    ]);
    expect(route('http: http://a').upstream.http).toEqual([{ url: 'http://a' }]);
    expect(route('tcp: [a:1, { address: "[::1]:2", weight: 2 }]').upstream.tcp).toEqual([
      { host: 'a', port: 1 },
      { host: '::1', port: 2, weight: 2 },
    ]);
    const poll = 'poll: { target: [http://a, { url: http://b/c }], poll: { path: / } }';
    expect(route(poll).upstream.poll?.target).toEqual([{ url: 'http://a' }, { url: 'http://b/c' }]);
  });

  test.each([
    ['websocket: http://a', 'upstream.websocket: "http://a" is not a ws or wss URL'],
    ['websocket: { url: http://a }', 'upstream.websocket.url: "http://a" is not a ws or wss URL'],
    [
      'websocket: [ws://a, { url: http://a }]',
      'upstream.websocket[1].url: "http://a" is not a ws or wss URL',
    ],
    ['websocket: { weight: 2 }', 'upstream.websocket.url: is missing'],
    ['http: [http://a, { url: http://b, weight: 0 }]', 'upstream.http[1].weight: 0 is less than 1'],
    ['tcp: { address: a, weight: 2 }', 'upstream.tcp.address: "a" is not host:port'],
    ['http: { url: http://a, weight: 2 }', 'upstream.weight: has no effect: there is one target'],
  ])('%s is refused', (upstream, message) => {
    expect(problem(upstream)).toContain(message);
  });
});

describe('a placeholder', () => {
  test('in the path of a WebSocket target is filled by what the route captures', () => {
    expect(route('websocket: "ws://a/r/{room}"', '', '/{room}/*').upstream.websocket).toHaveLength(1);
  });

  test.each([
    ['websocket: "ws://a/r/{roon}"', 'upstream.websocket: nothing fills {roon} here'],
    ['websocket: [ws://a, "ws://b/{roon}"]', 'upstream.websocket[1]: nothing fills {roon} here'],
    ['websocket: "ws://a/r/{room"', 'upstream.websocket: a { or } stands alone'],
    ['websocket: "ws://a/r/room}"', 'upstream.websocket: a { or } stands alone'],
    ['websocket: "ws://a/?q={room}"', 'upstream.websocket: nothing fills {room} here'],
    ['http: "http://a/{room}"', 'upstream.http: nothing fills {room} here'],
    [
      'poll: { target: "http://a/{room}", poll: { path: / } }',
      'upstream.poll.target: nothing fills {room} here',
    ],
    [
      'poll: { target: http://a, poll: { path: "/{roon}" } }',
      'upstream.poll.poll.path: nothing fills {roon} here',
    ],
  ])('that nothing fills is refused: %s', (upstream, message) => {
    expect(problem(upstream, '', '/rooms/{room}')).toContain(message);
  });

  test.each([
    'websocket: "ws://{target}:5432"',
    'websocket: "ws://*.x:1"',
    'http: "http://{room}.x"',
    'tcp: "{target}:5432"',
    'tcp: "*.x:5432"',
    'tcp: "db{1..3}.x:1"',
    'tcp: { address: "{target}:1" }',
    'poll: { target: "http://{room}", poll: { path: / } }',
  ])('has no place in a host: %s', (upstream) => {
    expect(problem(upstream, '', '/rooms/{room}')).toContain('the host of a target is fixed');
  });
});

describe('balance', () => {
  const TWO = 'websocket: [ws://10.0.0.1, ws://10.0.0.2]';
  test.each([
    ['least-connections', 'least-connections'],
    ['round-robin', 'round-robin'],
    ['{ hash: address }', { hash: { from: 'address', name: '' } }],
    ['{ hash: subject }', { hash: { from: 'subject', name: '' } }],
    ['{ hash: "cookie:sid" }', { hash: { from: 'cookie', name: 'sid' } }],
    ['{ hash: "claim:team" }', { hash: { from: 'claim', name: 'team' } }],
  ])('may be %s', (text, value) => {
    expect(route(`${TWO}, balance: ${text}`).upstream.balance).toEqual(value);
  });

  test.each([
    [
      `${TWO}, balance: random`,
      'balance: "random" does not fit; expected least-connections, round-robin, or a mapping with hash',
    ],
    [`${TWO}, balance: { hash: host }`, 'balance.hash: "host" is not address, subject, origin, path'],
    [
      'websocket: ws://10.0.0.1, balance: round-robin',
      'balance: has no effect: there is one target with one address',
    ],
  ])('%s is refused', (upstream, message) => {
    expect(problem(upstream)).toContain(`upstream.${message}`);
  });

  test('has an effect on one target that is a name', () => {
    expect(route('tcp: db.internal:5432, balance: round-robin').upstream.balance).toBe('round-robin');
  });

  test.each(['subject', 'claim:team'])('by %s needs a token', (by) => {
    const text = withUpstream(`${TWO}, balance: { hash: "${by}" }`).replace(
      /b, match(.*)auth: \{ issuer: main \}/,
      'b, match$1auth: none',
    );
    expect(problemOf(text)).toMatch(
      /upstream.balance.hash: there is no (subject|claim) on a route with auth: none/,
    );
  });
});

describe('health', () => {
  test('has defaults', () => {
    expect(route('http: http://10.0.0.1, health: {}').upstream.health).toEqual({
      every: 10_000,
      within: 2_000,
      after: 3,
    });
  });

  test.each([
    ['tcp: 10.0.0.1:1, health: { path: /x }', 'health.path: has no effect with a tcp upstream'],
    ['http: http://10.0.0.1, health: { path: x }', 'health.path: "x" is not a path like /healthz'],
    [
      'websocket: "ws://10.0.0.1/{room}", health: {}',
      'health.path: is required: the path of a target holds a {name}',
    ],
  ])('%s is refused', (upstream, message) => {
    expect(problem(upstream, '', '/{room}')).toContain(`upstream.${message}`);
  });
});

describe('resolver', () => {
  test('is the system’s where that is said', () => {
    expect(route('tcp: printer.local:1, resolver: system').upstream.resolver).toBe('system');
  });

  test('has no effect on addresses', () => {
    expect(problem('tcp: ["10.0.0.1:1", "[::1]:2"], resolver: system')).toContain(
      'upstream.resolver: has no effect: every target is an address',
    );
  });
});
