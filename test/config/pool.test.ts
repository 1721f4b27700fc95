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
    ['websocket: http://a', 'upstream.websocket: "http://a" is not a ws:// or wss:// URL'],
    ['websocket: { url: http://a }', 'upstream.websocket.url: "http://a" is not a ws:// or wss:// URL'],
    [
      'websocket: [ws://a, { url: http://a }]',
      'upstream.websocket[1].url: "http://a" is not a ws:// or wss:// URL',
    ],
    ['websocket: { weight: 2 }', 'upstream.websocket.url: is missing'],
    ['http: [http://a, { url: http://b, weight: 0 }]', 'upstream.http[1].weight: 0 is less than 1'],
    ['tcp: { address: a, weight: 2 }', 'upstream.tcp.address: "a" is not host:port'],
    ['http: { url: http://a, weight: 2 }', 'upstream.weight: has no effect: there is one target'],
  ])('%s is refused', (upstream, message) => {
    expect(problem(upstream)).toContain(message);
  });
});

describe('a unix socket', () => {
  const LONGEST = `/run/${'a'.repeat(102)}`;

  test('is a target of every kind, with a path behind it where HTTP is spoken', () => {
    expect(route('websocket: "unix:/run/app.sock:/live?k=v"').upstream.websocket).toEqual([
      { url: 'unix:/run/app.sock:/live?k=v' },
    ]);
    expect(route('http: [unix:/run/app.sock, { url: http://a, weight: 2 }]').upstream.http).toEqual([
      { url: 'unix:/run/app.sock' },
      { url: 'http://a', weight: 2 },
    ]);
    expect(route('tcp: [unix:/run/a.sock, { address: unix:/run/b.sock, weight: 2 }]').upstream.tcp).toEqual([
      { socketPath: '/run/a.sock' },
      { socketPath: '/run/b.sock', weight: 2 },
    ]);
    const poll = 'poll: { target: { url: "unix:/run/app.sock:/base" }, poll: { path: / } }';
    expect(route(poll).upstream.poll?.target).toEqual([{ url: 'unix:/run/app.sock:/base' }]);
  });

  test('has a path of 107 bytes at most', () => {
    expect(route(`http: unix:${LONGEST}`).upstream.http).toHaveLength(1);
    const message = 'the path of the socket has 108 bytes; at most 107';
    expect(problem(`http: unix:${LONGEST}a`)).toContain(`upstream.http: ${message}`);
    expect(problem(`tcp: [a:1, unix:${LONGEST}a]`)).toContain(`upstream.tcp[1]: ${message}`);
    expect(problem(`http: unix:${LONGEST.slice(0, -1)}é`)).toContain(message);
  });

  test.each([
    ['http: http://unix:/run/x.sock:/', 'http'],
    ['http: [http://a, { url: "https://unix:/run/x.sock" }]', 'http[1].url'],
    ['websocket: ws://unix/run/x.sock', 'websocket'],
    ['poll: { target: http://unix:/run/x.sock, poll: { path: / } }', 'poll.target'],
  ])('is told how it is spelled here: %s', (upstream, place) => {
    expect(problem(upstream)).toContain(
      `upstream.${place}: a unix socket is written unix:/run/app.sock, or unix:/run/app.sock:/base`,
    );
  });

  test.each([
    'http: http+unix://%2Frun%2Fx.sock/base',
    'http: unix:///run/x.sock',
    'http: "unix:@app"',
    'http: /run/x.sock',
    'http: "unix:/run/x.sock:base"',
    'websocket: ws+unix:/run/x.sock:/base',
    'tcp: /run/x.sock',
    'tcp: "unix:/run/x.sock:/base"',
    'tcp: unix://run/x.sock',
  ])('is spelled in one way only: not %s', (upstream) => {
    expect(problem(upstream)).toMatch(/"\S+" is not .*, or unix:\/run\/app.sock$/);
  });

  test.each(['http: http://unix:8080/x', 'http: http://unix/x', 'tcp: "unix:8080"'])(
    'is no host that is called unix: %s',
    (upstream) => {
      expect(JSON.stringify(route(upstream).upstream)).toMatch(/unix/);
    },
  );

  test.each([
    ['http: "unix:/run/{room}.sock"', 'upstream.http: the path of a socket is fixed'],
    ['tcp: "unix:/run/*.sock"', 'upstream.tcp: the path of a socket is fixed'],
    ['http: "unix:/run/x.sock:/{room}"', 'upstream.http: nothing fills {room} here'],
    ['websocket: "unix:/run/x.sock:/{roon}"', 'upstream.websocket: nothing fills {roon} here'],
    ['poll: { target: "unix:/run/x.sock:/b?c", poll: { path: / } }', 'poll.target: a base URL has no query'],
    ['http: unix:/run/x.sock, resolver: system', 'upstream.resolver: has no effect'],
    ['tcp: unix:/run/x.sock, balance: round-robin', 'upstream.balance: has no effect'],
    ['http: unix:/run/x.sock, tls: { servername: a }', 'upstream.tls: has no effect'],
    ['http: { url: unix:/run/x.sock, weight: 2 }', 'upstream.weight: has no effect: there is one target'],
  ])('%s is refused', (upstream, message) => {
    expect(problem(upstream, '', '/rooms/{room}')).toContain(message);
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
    'tcp: "*.x:5432"',
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

describe('keepalive', () => {
  test.each([
    ['tcp: "a:1", keepalive: 15s', 15_000],
    ['http: http://a, keepalive: "off"', Infinity],
    ['tcp: ["a:1", unix:/run/a.sock], keepalive: 1s', 1_000],
    ['tcp: "a:1"', undefined],
  ])('%s', (upstream, ms) => {
    expect(route(upstream).upstream.keepalive).toBe(ms);
  });

  test.each([
    ['tcp: "a:1", keepalive: 999ms', 'upstream.keepalive: "999ms" is not 1s to 32767s, or off'],
    ['tcp: "a:1", keepalive: 24h', 'upstream.keepalive: "24h" is not 1s to 32767s, or off'],
    ['tcp: unix:/run/a.sock, keepalive: 15s', 'upstream.keepalive: has no effect: every target is a unix'],
    ['http: unix:/run/a.sock, keepalive: off', 'upstream.keepalive: has no effect: every target is a unix'],
  ])('%s is refused', (upstream, message) => {
    expect(problem(upstream)).toContain(message);
  });
});
