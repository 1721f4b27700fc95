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

describe('a key without effect is refused', () => {
  test.each([
    ['http', 'limits.messages', ', limits: { messages: { rate: 1/s, per: connection } }'],
    ['http', 'limits.bytes', ', limits: { bytes: { rate: 1B/s, per: connection } }'],
    ['http', 'limits.connections', ', limits: { connections: { max: 1, per: route } }'],
    ['http', 'limits.messageSize', ', limits: { messageSize: 1KiB }'],
    ['http', 'timeouts.lifetime', ', timeouts: { lifetime: 1h }'],
    ['http', 'timeouts.close', ', timeouts: { close: 1s }'],
    ['http', 'keepalive', ', keepalive: off'],
    ['http', 'refuse', ', refuse: close'],
  ] as const)('%s: %s', (kind, key, rest) => {
    expect(problemOf(route(UPSTREAMS[kind], rest))).toMatch(
      `routes[1].${key}: has no effect with an http upstream; remove it`,
    );
  });

  test.each(['websocket', 'poll', 'http'] as const)('%s: what only tcp knows', (kind) => {
    const found = problemsOf(route(`${UPSTREAMS[kind]}, text: true, protocols: [mqtt]`));
    expect(found.map(({ path }) => path)).toEqual([
      'routes[1].upstream.text',
      'routes[1].upstream.protocols',
    ]);
  });

  test('tls, where no target has it', () => {
    expect(problemOf(route('websocket: ws://127.0.0.1:1, tls: { servername: a }'))).toMatch(
      /upstream.tls: has no effect: no target is wss:\/\/ or https:\/\/$/,
    );
    expect(problemOf(route(`${UPSTREAMS.tcp}, tls: { servername: a }`))).toMatch(
      /has no effect with a tcp upstream/,
    );
  });
});

test.each(['websocket', 'poll', 'http'] as const)('tls has an effect on a secure %s target', (kind) => {
  expect(parsed(route(`${UPSTREAMS[kind]}, tls: { servername: a }`)).routes).toHaveLength(2);
});

test('a tcp upstream has protocols and text', () => {
  expect(parsed(route(`${UPSTREAMS.tcp}, text: true, protocols: [mqtt]`)).routes).toHaveLength(2);
});
