import { describe, expect, test } from 'vitest';
import { parsed, problemOf, problemsOf, sampleConfig, warningsOf } from '../support/config.ts';

/** The route of the sample with these limits, and more of its keys. */
const limited = (limits: string, rest = '') =>
  sampleConfig({ route: `    limits: { ${limits} }\n    ${rest}` });
const open = (text: string) => text.replace('auth: { issuer: main }', 'auth: none');
const http = (text: string) => text.replace('websocket: ws://127.0.0.1:3000', 'http: http://127.0.0.1:3000');
const ORIGINS = 'origins: [https://app.example.com]';
const limitsOf = (text: string) => parsed(text).routes[0]?.limits;

describe('limits', () => {
  test('are one or a list', () => {
    const one = limitsOf(limited('upgrades: { rate: 5/s, per: address }'));
    const list = limitsOf(limited('upgrades: [{ rate: 5/s, per: address }]'));
    expect(one?.upgrades).toEqual([{ rate: { count: 5, perMs: 1000 }, per: 'address' }]);
    expect(list).toEqual(one);
    expect(limitsOf(sampleConfig())?.upgrades).toBeUndefined();
  });

  test.each([
    'upgrades: { rate: 5/s, per: X }',
    'connections: { max: 5, per: X }',
    'requests: { max: 5, per: X }',
  ])('{ %s } counts per connection nowhere, and says why', (limit) => {
    const text = http(limited(limit.replace('X', 'connection')));
    expect(problemOf(text)).toMatch(
      /per: connection is for messages and bytes: an upgrade, a request or an open WebSocket is one by itself$/,
    );
  });

  test.each([
    'upgrades: [{ rate: 5/s, per: address }, { rate: 5/s, per: address }]',
    'upgrades: [{ rate: 5/s, per: address }, { rate: 6/s, per: address }]',
    'upgrades: [{ rate: 5/s, burst: 1, per: "claim:a" }, { rate: 5/s, per: "claim:a" }]',
    'upgrades: [{ rate: 60/m, burst: 1, per: route }, { rate: 1/s, per: route }]',
    'connections: [{ max: 5, per: subject }, { max: 5, per: subject }]',
    'messages: [{ rate: 5/s, per: connection }, { rate: 6/s, per: connection, over: close }]',
    'bytes: [{ rate: 1KiB/s, per: connection }, { rate: 2KiB/s, per: connection }]',
    'bytes: [{ rate: 1KiB/s, per: connection, over: close }, { rate: 2KiB/s, per: connection }]',
  ])('{ %s } is refused: the second one has no effect', (limits) => {
    const [key, per] = [limits.split(':')[0], /per: "?([\w:]+)/.exec(limits)?.[1]];
    expect(problemOf(limited(limits))).toContain(
      `routes[0].limits.${key}[1]: has no effect: another one per ${per} in this list is as strict or stricter; remove one`,
    );
  });

  test('the one that has no effect may stand first', () => {
    const text = limited('connections: [{ max: 6, per: subject }, { max: 5, per: subject }]');
    expect(problemOf(text)).toContain('limits.connections[0]: has no effect');
  });

  test.each([
    'upgrades: [{ rate: 5/s, per: address }, { rate: 100/m, per: address }]',
    'upgrades: [{ rate: 5/s, per: address }, { rate: 5/s, per: route }]',
    'connections: [{ max: 5, per: "claim:a" }, { max: 5, per: "claim:b" }]',
    'messages: [{ rate: 5/s, burst: 100, per: connection }, { rate: 6/s, burst: 10, per: connection }]',
    'bytes: [{ rate: 1KiB/s, per: connection }, { rate: 2KiB/s, per: connection, over: close }]',
  ])('{ %s } makes sense', (limits) => {
    expect(parsed(limited(limits)).routes).toHaveLength(1);
  });
});

describe('limits of requests', () => {
  test.each([
    ['', { address: 128, route: 1024 }],
    ['requests: {}', { address: 128, route: 1024 }],
    ['requests: { max: 9 }', { address: 128, route: 9 }],
    ['requests: { perClient: 9 }', { address: 9, route: 1024 }],
    ['requests: { max: 7, perClient: 9 }', { address: 9, route: 7 }],
    ['requests: { max: 9, per: address }', { address: 9, route: 1024 }],
    ['requests: { max: 9, per: subject }', { subject: 9, address: 128, route: 1024 }],
    [
      'requests: [{ max: 7, perClient: 8 }, { max: 9, per: "claim:a" }]',
      { route: 7, address: 8, 'claim:a': 9 },
    ],
  ])('{ %s } keep the defaults that they do not replace', (limits, expected) => {
    const requests = limitsOf(http(limited(limits)))?.requests ?? [];
    expect(Object.fromEntries(requests.map(({ per, max }) => [per, max]))).toEqual(expected);
    expect(requests).toHaveLength(Object.keys(expected).length);
  });

  test.each([
    ['{ per: subject }', 'requests.per: says whom to count together, but not how many: add max'],
    ['{ max: 1, perClient: 1, per: subject }', 'requests.perClient: does not go with per: write a list'],
    ['[{ perClient: 5 }, { max: 6, per: address }]', 'requests[1]: has no effect: another one per address'],
    ['[{ max: 6 }, { max: 5, per: route }]', 'requests[0]: has no effect: another one per route'],
  ])('%s is refused', (requests, message) => {
    expect(problemOf(http(limited(`requests: ${requests}`)))).toContain(`routes[0].limits.${message}`);
  });
});

describe('limits count by what a route knows of its clients:', () => {
  test.each([
    ['subject', 'there is no subject'],
    ['claim:tenant', 'there are no claims'],
  ])('without auth not per %s', (per, message) => {
    const one = open(limited(`connections: { max: 1, per: "${per}" }`));
    const list = open(limited(`messages: [{ rate: 1/s, per: connection }, { rate: 1/s, per: "${per}" }]`));
    const end = `${message} on a route with auth: none; count per address`;
    expect(problemOf(one)).toContain(`routes[0].limits.connections.per: ${end}`);
    expect(problemOf(list)).toContain(`routes[0].limits.messages[1].per: ${end}`);
    expect(parsed(limited(`connections: { max: 1, per: "${per}" }`)).routes).toHaveLength(1);
  });

  test.each([
    ['', /counts by the entries of origins, and this route has none; name the pages under origins/],
    [
      'origins: ["*"]',
      /counts by the entries of origins, and "\*" among them means every page; name the pages/,
    ],
  ])('per origin not with { %s }', (origins, message) => {
    const [first] = problemsAt('limits.upgrades[1].per', origins);
    expect(first).toMatch(message);
    expect(parsed(limited('upgrades: { rate: 1/s, per: origin }', ORIGINS)).routes).toHaveLength(1);
  });

  test('they warn of per subject where the one proof is a service that names nobody', () => {
    const text = (auth: string) =>
      limited('connections: { max: 1, per: subject }').replace('auth: { issuer: main }', `auth: ${auth}`);
    const warned = (auth: string) =>
      warningsOf(text(auth)).filter((warning) => warning.startsWith('routes[0].limits'));
    const url = 'url: "http://127.0.0.1/auth", forward: [accept]';
    expect(warned(`{ external: { ${url} } }`)).toEqual([
      'routes[0].limits.connections.per: every client is the same subject: the service that is asked names nobody',
    ]);
    expect(warned(`{ external: { ${url}, subject: x-user } }`)).toEqual([]);
    expect(warned(`{ issuer: main, external: { ${url} } }`)).toEqual([]);
  });

  test('without auth they warn of per origin, which any program can claim', () => {
    const text = limited('upgrades: [{ rate: 1/s, per: address }, { rate: 1/s, per: origin }]', ORIGINS);
    expect(warningsOf(text).filter((warning) => warning.includes('limits'))).toEqual([]);
    expect(warningsOf(open(text)).filter((warning) => warning.startsWith('routes'))).toEqual([
      expect.stringMatching(
        /^routes\[0\].limits.upgrades\[1\].per: with auth: none any program can claim any Origin/,
      ),
    ]);
  });
});

describe('an IPv6 prefix', () => {
  const top = (prefix: string) => sampleConfig({ top: `limits: { ipv6Prefix: ${prefix} }` });

  test('is that of a /64 unless it is said', () => {
    expect(parsed(sampleConfig()).limits.ipv6Prefix).toBe(64);
    expect(parsed(top('48')).limits.ipv6Prefix).toBe(48);
  });

  test.each([
    ['31', '31 is less than 32'],
    ['129', '129 is more than 128'],
  ])('of %s is refused', (prefix, message) => {
    expect(problemOf(top(prefix))).toContain(`limits.ipv6Prefix: ${message}`);
  });
});

/** The problems at a place of a route with two limits of upgrades, the second one per origin, and these `origins`. */
function problemsAt(place: string, origins: string): string[] {
  const text = limited('upgrades: [{ rate: 1/s, per: address }, { rate: 1/s, per: origin }]', origins);
  return problemsOf(text)
    .filter(({ path }) => path === `routes[0].${place}`)
    .map(({ message, hint }) => `${message}; ${hint}`);
}
