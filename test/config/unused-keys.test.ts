import { describe, expect, test } from 'vitest';
import { parsed, problemOf, problemsOf, sampleConfig } from '../support/config.ts';

function route(upstream: string, rest = ''): string {
  return sampleConfig({
    route: `  - { name: b, match: { path: /b }, auth: { issuer: main }, upstream: { ${upstream} }${rest} }`,
  });
}

const UPSTREAMS = {
  websocket: 'websocket: wss://127.0.0.1:1',
  tcp: 'tcp: 127.0.0.1:1',
  poll: 'poll: { target: https://127.0.0.1:1, poll: { path: / } }',
  http: 'http: https://127.0.0.1:1',
};

const PLAIN = 'http: https://127.0.0.1:1, upgrades: off';

const OF_WEBSOCKETS = [
  ['limits.messages', ', limits: { messages: { rate: 1/s, per: connection } }'],
  ['limits.bytes', ', limits: { bytes: { rate: 1B/s, per: connection } }'],
  ['limits.connections', ', limits: { connections: { max: 1, per: route } }'],
  ['limits.messageSize', ', limits: { messageSize: 1KiB }'],
  ['limits.fragments', ', limits: { fragments: 10 }'],
  ['timeouts.idle.client', ', timeouts: { idle: { client: 1h } }'],
  ['timeouts.idle.upstream', ', timeouts: { idle: { upstream: 1h } }'],
  ['timeouts.lifetime', ', timeouts: { lifetime: 1h }'],
  ['timeouts.close', ', timeouts: { close: 1s }'],
  ['keepalive', ', keepalive: off'],
  ['refuse', ', refuse: close'],
  ['compression', ', compression: off'],
] as const;

describe('a key without effect is refused', () => {
  test.each(OF_WEBSOCKETS)('%s on a route that takes no upgrades', (key, rest) => {
    expect(problemOf(route(PLAIN, rest))).toMatch(
      `routes[1].${key}: has no effect on a route that takes no upgrades; remove it`,
    );
  });

  test('auth.onExpiry on a route that takes no upgrades', () => {
    const text = route(PLAIN).replace(
      '{ issuer: main }, upstream: { http',
      '{ issuer: main, onExpiry: close }, upstream: { http',
    );
    expect(problemOf(text)).toMatch(
      'routes[1].auth.onExpiry: has no effect on a route that takes no upgrades',
    );
  });

  test('auth.token and auth.forwardToken where no token is asked for', () => {
    const asking = (more: string) =>
      route(PLAIN).replace(
        '{ issuer: main }, upstream: { http',
        `{ external: { url: "http://a/auth", forward: [accept] }, ${more} }, upstream: { http`,
      );
    expect(problemOf(asking('token: [header]'))).toMatch(
      'routes[1].auth.token: has no effect without issuer or keys: no token is looked for; remove it',
    );
    expect(problemOf(asking('forwardToken: true'))).toMatch(
      'routes[1].auth.forwardToken: has no effect without issuer or keys: no token is looked for; remove it',
    );
    expect(parsed(asking('issuer: main, token: [header], forwardToken: true')).routes).toHaveLength(2);
  });

  test.each(['websocket', 'poll', 'http'] as const)('%s: what only tcp knows', (kind) => {
    const found = problemsOf(route(`${UPSTREAMS[kind]}, text: true, protocols: [mqtt]`));
    expect(found.map(({ path, message }) => `${path} ${message}`)).toEqual([
      'routes[1].upstream.text has no effect without tcp',
      'routes[1].upstream.protocols has no effect without tcp',
    ]);
  });

  test.each([
    ['websocket', 'without http'],
    ['tcp', 'without http'],
    ['http: http://127.0.0.1:2, websocket', 'beside websocket, which takes the upgrades'],
    ['http: http://127.0.0.1:2, tcp', 'beside tcp, which takes the upgrades'],
  ])('upgrades: off with %s', (kinds, reason) => {
    const [last = ''] = kinds.split(' ').slice(-1);
    const upstream = `${kinds.slice(0, -last.length)}${UPSTREAMS[last as keyof typeof UPSTREAMS]}`;
    expect(problemOf(route(`${upstream}, upgrades: off`))).toMatch(
      `routes[1].upstream.upgrades: has no effect ${reason}; remove it`,
    );
  });

  test.each(['tcp', 'poll'] as const)('compression, where WebSockets lead to %s', (kind) => {
    const reason = `has no effect where WebSockets lead to ${kind}: they are never compressed; remove it`;
    for (const upstream of [UPSTREAMS[kind], `${UPSTREAMS[kind]}, ${UPSTREAMS.http}`])
      expect(problemOf(route(upstream, ', compression: off'))).toMatch(`routes[1].compression: ${reason}`);
  });

  test('cors on a route that takes no plain requests', () => {
    expect(problemOf(route(UPSTREAMS.websocket, ', cors: upstream'))).toMatch(
      'routes[1].cors: has no effect on a route that takes no plain requests; remove it',
    );
  });

  test.each(['Accept-Encoding', 'content-encoding', 'Content-Type', 'idempotency-key', 'x-connection-id'])(
    'a header of the bridge’s own, with poll alone: %s',
    (name) => {
      const headers = `headers: { set: { x-env: prod, ${name}: x } }`;
      expect(problemOf(route(`${UPSTREAMS.poll}, ${headers}`))).toMatch(
        `routes[1].upstream.headers.set.${name}: has no effect with poll alone, which says it itself; remove it`,
      );
      for (const upstream of [UPSTREAMS.http, `${UPSTREAMS.poll}, ${UPSTREAMS.http}`])
        expect(parsed(route(`${upstream}, ${headers}`)).routes).toHaveLength(2);
    },
  );

  test('tls, where no target has it', () => {
    const insecure = /upstream.tls: has no effect: no target is wss:\/\/ or https:\/\/$/;
    expect(problemOf(route('websocket: ws://127.0.0.1:1, tls: { servername: a }'))).toMatch(insecure);
    expect(parsed(route(`http: http://127.0.0.1:1, ${UPSTREAMS.tcp}, tls: on`)).routes).toHaveLength(2);
  });

  test('the way of a protocol to TLS, and a PROXY header, without tcp', () => {
    const secure = 'websocket: wss://127.0.0.1:1';
    expect(problemOf(route(`${secure}, tls: { starttls: smtp }`))).toMatch(
      /starttls: has no effect without tcp/,
    );
    expect(problemOf(route(`${secure}, tls: postgres`))).toMatch(/tls: has no effect without tcp/);
    expect(problemOf(route(`${secure}, proxyProtocol: v1`))).toMatch(
      /proxyProtocol: has no effect without tcp/,
    );
  });
});

test.each([
  ['{ cert: package.json }', 'cert: has no effect without its key'],
  ['{ key: package.json }', 'key: has no effect without its cert'],
  ['{ ca: package.json, verify: off }', 'ca: has no effect beside verify: off'],
])('tls: %s is refused', (tls, message) => {
  const problems = problemsOf(route(`${UPSTREAMS.websocket}, tls: ${tls}`));
  expect(problems.map(({ path, message }) => `${path}: ${message}`)).toEqual([
    `routes[1].upstream.tls.${message}`,
  ]);
});

test.each(OF_WEBSOCKETS)('%s has an effect where http takes upgrades', (_key, rest) => {
  expect(parsed(route(UPSTREAMS.http, rest)).routes).toHaveLength(2);
});

test('compression has an effect where both peers speak WebSocket', () => {
  for (const upstream of [UPSTREAMS.websocket, `${UPSTREAMS.websocket}, ${UPSTREAMS.http}`])
    expect(parsed(route(upstream, ', compression: off')).routes).toHaveLength(2);
});

test('upgrades can only be off', () => {
  expect(problemOf(route('http: http://127.0.0.1:1, upgrades: on'))).toMatch(
    'routes[1].upstream.upgrades: "on" is not off',
  );
});

test.each([
  UPSTREAMS.websocket,
  UPSTREAMS.poll,
  UPSTREAMS.http,
  `http: https://127.0.0.1:2, ${UPSTREAMS.tcp}`,
])('tls has an effect with { %s }', (upstream) => {
  expect(parsed(route(`${upstream}, tls: { servername: a }`)).routes).toHaveLength(2);
});

test.each([UPSTREAMS.tcp, `http: https://127.0.0.1:2, ${UPSTREAMS.tcp}`])(
  '{ %s } has protocols and text',
  (upstream) => {
    expect(parsed(route(`${upstream}, text: true, protocols: [mqtt]`)).routes).toHaveLength(2);
  },
);
