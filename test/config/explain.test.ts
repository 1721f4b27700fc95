import { describe, expect, test } from 'vitest';
import { problemOf, problemsOf, sampleConfig } from '../support/config.ts';

/** A second route in one line, with `parts` in place of the ones it needs. */
function route(parts: Record<string, string>): string {
  const all = {
    name: 'b',
    match: '{ path: /b }',
    auth: 'none',
    upstream: '{ websocket: ws://127.0.0.1:1 }',
    ...parts,
  };
  const pairs = Object.entries(all).map(([key, value]) => `${key}: ${value}`);
  return sampleConfig({ route: `  - { ${pairs.join(', ')} }` });
}

describe('a problem is told in words', () => {
  test.each([
    [
      { auth: 'nobody' },
      'auth: "nobody" does not fit; expected `none` to let everybody in, or a mapping with an issuer',
    ],
    [{ auth: '' }, 'auth: is empty; expected `none` to let everybody in, or a mapping with an issuer'],
    [
      { upstream: '{ tcp: "a:1", tls: postgress }' },
      'upstream.tls: "postgress" is not on, postgres, smtp, imap, ldap, or a mapping; did you mean postgres?',
    ],
    [
      { upstream: '{ tcp: "a:1", tls: { servername: 10.0.0.1 } }' },
      'upstream.tls.servername: is an address, and TLS sends names only (RFC 6066 §3): leave it out where the target is that address',
    ],
    [{ upstream: '{ tcp: "a:1", tls: { ca: } }' }, 'upstream.tls.ca: is empty; expected a text'],
    [{ auth: '{}' }, 'auth: asks for no proof: name an issuer, keys, certificate or external, or say none'],
    [{ auth: '{ issuer: 5 }' }, 'auth.issuer: 5 is not a text; put it in quotes'],
    [
      { auth: '{ issuer: [] }' },
      'auth: asks for no proof: name an issuer, keys, certificate or external, or say none',
    ],
    [{ auth: '{ issuer: main, isuer: x }' }, 'auth.isuer: unknown key; did you mean issuer?'],
    [{ auth: '{ issuer: main, login: "/login" }' }, 'auth.login: unknown key; login stands beside auth'],
    [
      { auth: '{ external: { url: "http://a", forward: [x-a], login: "/login" } }' },
      'auth.external.login: unknown key; login stands beside auth',
    ],
    [
      { upstream: '{ http: "http://a", limits: {} }' },
      'upstream.limits: unknown key; limits stands beside upstream',
    ],
    [
      { limits: '{ upgrades: [{ rate: 5/s, per: route, uploads: {} }] }' },
      'limits.upgrades[0].uploads: unknown key; uploads stands beside upgrades',
    ],
    [
      { match: '{ path: /b, paths: /b }' },
      'match.paths: unknown key; did you mean path? paths stands beside match',
    ],
    [{ trustedProxies: '[]' }, 'trustedProxies: unknown key; trustedProxies stands beside routes'],
    [{ onExpiry: 'close' }, 'onExpiry: unknown key; onExpiry stands in auth'],
    [{ every: '5s' }, 'every: unknown key; every stands in keepalive'],
    [{ match: '' }, 'match: is empty; expected a mapping (key: value), as in match: { path: /app }'],
    [{ linger: '{}' }, 'linger: unknown key; linger stands in upstream.poll or upstream.post'],
    [
      { upstream: '{ poll: http://a/e }' },
      'upstream.poll: "http://a/e" is not a mapping, as in { target: "http://127.0.0.1:3000", poll: { path: /events } }',
    ],
    [
      { auth: '{ issuer: main, require: { n: { x: 1 } } }' },
      'auth.require.n.anyOf: is missing; expected a list',
    ],
    [{ auth: '{ issuer: main, forwardToken: yes }' }, 'auth.forwardToken: "yes" is not true or false'],
    [
      { auth: '{ issuer: main, forwardToken: "true" }' },
      'auth.forwardToken: "true" is not true or false; leave out the quotes',
    ],
    [{ auth: '{ issuer: main, forward: { "x y": sub } }' }, 'auth.forward["x y"]: is not a header name'],
    [{ match: '/app' }, 'match: "/app" is not a mapping (key: value); write match: { path: "/app" }'],
    [
      { upstream: 'http://h:1' },
      'upstream: "http://h:1" is not a mapping (key: value); write upstream: { http: "http://h:1" }',
    ],
    [
      { limits: 'none' },
      'limits: "none" is not a mapping (key: value); known here: upgrades, connections, messages, bytes, messageSize, fragments, requests, uploads',
    ],
    [
      { match: '{ path: {room} }' },
      'match.path: a mapping is not a path like /chat, /rooms/{room}, /{host}:{port} or /chat/*; a text with braces needs quotes',
    ],
    [
      { upstream: '{ http: h:3000 }' },
      'upstream.http: "h:3000" is not an http:// or https:// URL, or unix:/run/app.sock; http:// is missing in front of it',
    ],
    [
      { upstream: '{ websocket: [{ url: 10.0.0.7/x }] }' },
      'upstream.websocket[0].url: "10.0.0.7/x" is not a ws:// or wss:// URL, or unix:/run/app.sock; ws:// is missing in front of it',
    ],
    [
      { upstream: '{ http: http//h }' },
      'upstream.http: "http//h" is not an http:// or https:// URL, or unix:/run/app.sock',
    ],
    [{ keepalive: 'on' }, 'keepalive: "on" does not fit; expected off, or a mapping with every and within'],
    [{ keepalive: '{ every: 5 }' }, 'keepalive.every: 5 is not a duration like 250ms, 30s, 5m or 12h'],
    [
      { timeouts: '{ idle: 5 minutes }' },
      'timeouts.idle: "5 minutes" is not a duration like 30s or 5m, or off',
    ],
    [{ timeouts: '[]' }, 'timeouts: a list is not a mapping (key: value)'],
    [{ limits: '{ messageSize: 1MB }' }, 'limits.messageSize: "1MB" is not a size like 512B, 64KiB or 1MiB'],
    [
      { limits: '{ upgrades: { rate: 5/s } }' },
      'limits.upgrades.per: is missing; expected one of origin, address, subject, claim:NAME, route',
    ],
    [
      { limits: '{ upgrades: { rate: 5/s, per: adress } }' },
      'limits.upgrades.per: "adress" is not one of origin, address, subject, claim:NAME, route; did you mean address?',
    ],
    [
      { limits: '{ upgrades: { rate: 5/s, per: connection } }' },
      'limits.upgrades.per: connection is for messages and bytes: an upgrade, a request or an open WebSocket is one by itself',
    ],
    [
      { limits: '{ messages: { rate: 5/s, per: "claim:" } }' },
      'limits.messages.per: "claim:" is not one of connection, origin, address, subject, claim:NAME, route',
    ],
    [
      { limits: '{ upgrades: 5/s }' },
      'limits.upgrades: "5/s" is not a mapping (key: value); known here: rate, burst, per',
    ],
    [{ limits: '{ upgrades: [] }' }, 'limits.upgrades: must not be empty'],
    [
      { limits: '{ upgrades: [{ rate: 5/s, per: routes }] }' },
      'limits.upgrades[0].per: "routes" is not one of origin, address, subject, claim:NAME, route; did you mean route?',
    ],
    [{ limits: '{ connections: { max: 0, per: route } }' }, 'limits.connections.max: 0 is less than 1'],
    [
      { limits: '{ connections: { max: 1.5, per: route } }' },
      'limits.connections.max: 1.5 is not a whole number',
    ],
    [{ origins: 'https://a.example' }, 'origins: "https://a.example" is not a list'],
    [{ origins: '[]' }, 'origins: must not be empty'],
    [{ name: '"a b"' }, 'name: "a b" is not a name of letters, digits, - _ . (at most 64)'],
    [{ name: '""' }, 'name: "" is not a name of letters, digits, - _ . (at most 64)'],
    [
      { upstream: '{ websocket: http://a }' },
      'upstream.websocket: "http://a" is not a ws:// or wss:// URL, or unix:/run/app.sock; write ws://…',
    ],
    [
      { upstream: '{ websocket: [ws://a, http://a] }' },
      'upstream.websocket[1]: "http://a" is not a ws:// or wss:// URL, or unix:/run/app.sock; write ws://…',
    ],
    [
      { upstream: '{ http: wss://a }' },
      'upstream.http: "wss://a" is not an http:// or https:// URL, or unix:/run/app.sock; write https://…',
    ],
    [
      { auth: '{ external: { url: "ws://a" } }' },
      'auth.external.url: "ws://a" is not an http:// or https:// URL, or unix:/run/app.sock; write http://…',
    ],
    [
      { upstream: '{ websocket: 7 }' },
      'upstream.websocket: 7 is not a ws:// or wss:// URL, or unix:/run/app.sock',
    ],
    [{ upstream: '{ websocket: ws://a, txt: true }' }, 'upstream.txt: unknown key; did you mean text?'],
  ] as [Record<string, string>, string][])('%j', (parts, expected) => {
    const problem = problemsOf(route(parts))[0];
    const hint = problem?.hint === undefined ? '' : `; ${problem.hint}`;
    expect(`${problem?.path}: ${problem?.message}${hint}`).toBe(`routes[1].${expected}`);
  });

  test('for a port that is none', () => {
    expect(problemOf(sampleConfig().replace('8080', '70000'))).toBe(
      '1:38 listeners[0].port: 70000 is more than 65535',
    );
  });

  test.each([
    ['0', '0 is less than 1'],
    ['many', '"many" does not fit; expected auto, or a whole number of them'],
    ['1.5', '1.5 does not fit; expected auto, or a whole number of them'],
  ])('for limits of the whole process: %s', (value, expected) => {
    const top = `limits: { connections: ${value} }`;
    expect(problemOf(sampleConfig({ top }))).toContain(`limits.connections: ${expected}`);
  });

  test.each(['127.0.0.300', '127.0.0', '1.2.3.4.5'])('for an address that is none: %s', (host) => {
    expect(problemOf(sampleConfig().replace('127.0.0.1,', `"${host}",`))).toBe(
      `1:21 listeners[0].host: "${host}" is not an address like 127.0.0.1 or ::`,
    );
  });

  test('for an audience that is missing, which is nothing to switch off lightly', () => {
    const wanted =
      'is missing; expected the `aud` of your tokens, or none, which takes tokens made for any application';
    expect(problemOf(sampleConfig().replace('audience: app, ', ''))).toContain(
      `issuers.main.audience: ${wanted}`,
    );
    const problems = problemsOf(sampleConfig().replace('audience: app', 'audiance: app'));
    expect(problems.map(({ path, message, hint }) => `${path}: ${message}; ${hint}`)).toEqual([
      `issuers.main.audience: ${wanted}`,
      'issuers.main.audiance: unknown key; did you mean audience?',
    ]);
  });
});

describe('what nobody may see stays unseen', () => {
  test.each([
    ['secret: [s3cr3t]', 'a list is not a text'],
    ['secret: 1234', 'this is not a text; put it in quotes'],
  ])('%s', (line, expected) => {
    const text = sampleConfig().replace(
      'algorithms: [ES256], jwks: https://id.example.com/keys',
      `algorithms: [HS256], ${line}`,
    );
    expect(problemOf(text)).toContain(`issuers.main.secret: ${expected}`);
  });

  test('the password in a URL', () => {
    expect(problemsOf(route({ upstream: '{ websocket: ws://me:s3cr3t@a }' }))[0]?.message).toBe(
      '"ws://…@a" is not a ws:// or wss:// URL, or unix:/run/app.sock',
    );
  });

  test('the value of a variable', () => {
    const [problem] = problemsOf(route({ upstream: `{ websocket: "\${URL}" }` }), { URL: 'https://s3cr3t' });
    expect(problem?.message).toBe(`"\${URL}" is not a ws:// or wss:// URL, or unix:/run/app.sock`);
  });
});
