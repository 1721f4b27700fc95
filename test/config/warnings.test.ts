import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { folderWith } from '../support/cli.ts';
import { sampleConfig, warningsOf } from '../support/config.ts';

const KEYS = 'algorithms: [ES256], jwks: https://id.example.com/keys';
const listener = (text: string) => sampleConfig().replace('host: 127.0.0.1, port: 8080', text);
const issuer = (keys: string) => sampleConfig().replace(KEYS, keys);
const withAuth = (auth: string, rest = '') =>
  sampleConfig().replace('auth: { issuer: main }', `auth: ${auth}\n    ${rest}`);

test('a careful configuration has none', () => expect(warningsOf(sampleConfig())).toEqual([]));

test('stand at their line', () => {
  const { warnings } = parseConfig(listener('port: 8080'));
  expect(warnings).toMatchObject([{ line: 1, column: 13, path: 'listeners[0]' }]);
});

describe('a plain-text listener', () => {
  test.each([
    'port: 1',
    'host: 0.0.0.0, port: 1',
    'host: 203.0.113.9, port: 1',
    'host: gate.example.com, port: 1',
  ])('{ %s } is warned of', (text) =>
    expect(warningsOf(listener(text))).toEqual([expect.stringMatching(/^listeners\[0\]: plain text/)]),
  );

  test.each([
    'host: localhost, port: 1',
    'host: "::1", port: 1',
    'host: 10.0.0.1, port: 1',
    'host: fd00::1, port: 1',
  ])('{ %s } is not', (text) => expect(warningsOf(listener(text))).toEqual([]));

  test('behind a trusted proxy is not', () => {
    expect(warningsOf(`${listener('port: 1')}\ntrustedProxies: [10.0.0.0/8]`)).toEqual([]);
  });
});

test('an admin listener that others reach is warned of', () => {
  expect(warningsOf(sampleConfig({ top: 'admin: { host: 10.0.0.1, port: 1 }' }))).toEqual([
    expect.stringMatching(/^admin.host: metrics are open/),
  ]);
  expect(warningsOf(sampleConfig({ top: 'admin: { port: 1 }' }))).toEqual([]);
});

test('to trust everybody as a proxy is warned of', () => {
  expect(warningsOf(`${sampleConfig()}\ntrustedProxies: [10.0.0.0/8, "::/0"]`)).toEqual([
    expect.stringMatching(/^trustedProxies\[1\]: every client/),
  ]);
});

describe('an issuer whose tokens may be for anybody', () => {
  const open = (auth: string) =>
    sampleConfig()
      .replace('audience: app', 'audience: none')
      .replace('auth: { issuer: main }', `auth: ${auth}`);

  test('is warned of where a route asks for no claim', () => {
    expect(warningsOf(open('{ issuer: main }'))).toEqual([
      'routes[0].auth: tokens made for other applications of this issuer pass too: main has audience: none',
    ]);
  });

  test('is not where it does', () => {
    expect(warningsOf(open('{ issuer: main, require: { client_id: app } }'))).toEqual([]);
  });
});

describe('an issuer', () => {
  test.each([
    ['http://id.example.com/', ['issuers.main.issuer: keys over plain http']],
    ['https://id.example.com/', []],
    ['http://127.0.0.1:9000', []],
  ])('that is discovered at %s', (name, expected) => {
    const text = issuer('algorithms: [ES256], discovery: true').replace('https://id.example.com/', name);
    expect(warningsOf(text)).toEqual(expected.map((start) => expect.stringContaining(start)));
  });

  test.each([
    ['HS256', 31, 32],
    ['HS384', 47, 48],
    ['HS512', 63, 64],
    ['HS256, HS512', 63, 64],
  ])('with a secret shorter than the hash of %s is warned of', (algorithms, bytes, needed) => {
    const text = issuer(`algorithms: [${algorithms}], secret: "\${S}"`);
    expect(warningsOf(text, { S: 'x'.repeat(bytes) })).toEqual([
      `issuers.main.secret: has ${bytes} bytes; ${algorithms} needs ${needed} or it can be guessed`,
    ]);
    expect(warningsOf(text, { S: 'x'.repeat(needed) })).toEqual([]);
  });

  test('counts bytes, not characters', () => {
    expect(warningsOf(issuer(`algorithms: [HS256], secret: "\${S}"`), { S: 'é'.repeat(16) })).toEqual([]);
  });

  test('with its secret in the file is warned of', () => {
    expect(warningsOf(issuer(`algorithms: [HS256], secret: ${'x'.repeat(32)}`))).toEqual([
      'issuers.main.secret: stands in the file for all to read',
    ]);
  });

  test('with keys over plain http is warned of, but for this machine', () => {
    expect(warningsOf(issuer('algorithms: [ES256], jwks: http://id.example.com/'))).toEqual([
      expect.stringMatching(/^issuers.main.jwks: keys over plain http/),
    ]);
    expect(warningsOf(issuer('algorithms: [ES256], jwks: http://127.0.0.1:8000/'))).toEqual([]);
    expect(warningsOf(issuer('algorithms: [ES256], jwks: "http://[::1]:8000/"'))).toEqual([]);
  });

  test('nobody uses is warned of', () => {
    const top = `  other: { issuer: b, audience: b, algorithms: [ES256], jwks: https://b/keys }`;
    expect(warningsOf(sampleConfig({ top }))).toEqual(['issuers.other: no route uses this issuer']);
  });
});

describe('a route', () => {
  test('that opens a TCP service to everybody is warned of', () => {
    const route = '  - { name: b, match: { path: /b }, auth: none, upstream: { tcp: 127.0.0.1:1 } }';
    expect(warningsOf(sampleConfig({ route }))).toEqual([
      expect.stringMatching(/^routes\[1\].auth: anybody/),
    ]);
  });

  test.each([
    ['64KiB', '', 1],
    ['65KiB', '', 0],
    ['1KiB', ', tcpProtocol: off', 0],
  ])(
    'that cuts off clients of sallyport.tcp.v1 is warned of: messages of %s%s',
    (messageSize, more, count) => {
      const upstream = `{ tcp: "127.0.0.1:1"${more} }`;
      const route = `  - { name: b, match: { path: /b }, auth: { issuer: main }, limits: { messageSize: ${messageSize} }, upstream: ${upstream} }`;
      const warning = expect.stringMatching(/^routes\[1\].limits.messageSize: is less than the messages/);
      expect(warningsOf(sampleConfig({ route }))).toEqual(Array(count).fill(warning));
    },
  );

  test('that takes tokens from the query is warned of', () => {
    expect(warningsOf(withAuth('{ issuer: main, token: [header, query:t] }'))).toEqual([
      expect.stringMatching(/^routes\[0\].auth.token\[1\]: tokens in URLs/),
    ]);
  });

  test('that is for pages, which set no header on a WebSocket, is warned of where it takes tokens from nowhere else', () => {
    const origins = 'origins: [https://a.example.com]';
    expect(warningsOf(withAuth('{ issuer: main }', origins))).toEqual([
      'routes[0].auth.token: no page gets in: scripts set no header on a WebSocket, and origins names pages',
    ]);
    for (const token of ['header, subprotocol', '"cookie:s"', 'basic', '"header:x-set-by-a-proxy"'])
      expect(warningsOf(withAuth(`{ issuer: main, token: [${token}] }`, origins))).toEqual([]);
    expect(warningsOf(withAuth('{ issuer: main }'))).toEqual([]);
    const requests = withAuth('{ issuer: main }', origins).replace('websocket: ws://', 'http: http://');
    expect(warningsOf(requests)).toEqual([]);
  });

  test('that takes cookies from pages over plain http is warned of', () => {
    const origins =
      'origins: [http://a.example.com, http://localhost:3000, https://a.example.com, "http://*.b.example"]';
    expect(
      warningsOf(withAuth('{ issuer: main, token: [cookie:s] }', origins)).map((text) => text.split(':')[0]),
    ).toEqual(['routes[0].origins[0]', 'routes[0].origins[3]']);
  });

  test('that believes any upstream is warned of', () => {
    const verifyOff = sampleConfig().replace(
      'ws://127.0.0.1:3000',
      'wss://127.0.0.1:3000, tls: { verify: off }',
    );
    expect(warningsOf(verifyOff)).toEqual([
      expect.stringMatching(/^routes\[0\].upstream.tls.verify: whoever answers is believed/),
    ]);
    const asked = '{ url: "https://127.0.0.1:1", forward: [accept], tls: { verify: off } }';
    expect(
      warningsOf(sampleConfig().replace('auth: { issuer: main', `auth: { external: ${asked}, issuer: main`)),
    ).toEqual([expect.stringMatching(/^routes\[0\].auth.external.tls.verify: whoever answers is believed/)]);
  });

  test('that strips all there is of its only path is warned of', () => {
    const app = (path: string, more = '') =>
      sampleConfig({
        route: `  - { name: a, match: { path: ${path} }, auth: none, upstream: { http: "http://10.0.0.1:1", stripPrefix: /app } }${more}`,
      });
    expect(warningsOf(app('/app'))).toEqual([
      'routes[1].match.path: takes /app alone, and nothing below it: the service is asked for / only',
    ]);
    const below =
      '\n  - { name: b, match: { path: /app/* }, auth: none, upstream: { http: "http://10.0.0.1:1", stripPrefix: /app } }';
    for (const text of [app('/app/*'), app('/app/ws'), app('/app', below)])
      expect(warningsOf(text)).toEqual([]);
  });

  test('that names a segment as other routers do is warned of', () => {
    const at = (path: string) => sampleConfig().replace('path: /chat', `path: "${path}"`);
    expect(
      parseConfig(at('/a/:id/:x_1/*')).warnings.map(({ message, hint }) => `${message}; ${hint}`),
    ).toEqual([
      '`:id` is taken as it stands; for any segment write {id}',
      '`:x_1` is taken as it stands; for any segment write {x_1}',
    ]);
    for (const path of ['/a/{id}', '/a/b:c', '/a/:', '/a/:1']) expect(warningsOf(at(path))).toEqual([]);
  });

  test('that never notices a lost client is warned of', () => {
    expect(warningsOf(withAuth('{ issuer: main }', 'keepalive: off'))).toEqual([
      expect.stringMatching(/^routes\[0\].keepalive: a client that vanishes/),
    ]);
    const withIdle = (idle: string) =>
      warningsOf(withAuth('{ issuer: main }', `keepalive: off\n    timeouts: { idle: ${idle} }`));
    for (const idle of ['5m', '{ client: 5m }', '{ client: off, upstream: 5m }'])
      expect(withIdle(idle)).toEqual([]);
    for (const idle of ['off', '{ client: off }']) expect(withIdle(idle)).toHaveLength(1);
    const toHttp = withAuth('{ issuer: main }', 'keepalive: off').replace('websocket: ws:', 'http: http:');
    expect(warningsOf(toHttp)).toEqual([expect.stringMatching(/^routes\[0\].keepalive: a client/)]);
  });
});

test('a file of revocations is warned of where nobody proves who they are', async () => {
  const folder = await folderWith({ revoked: '# nobody' });
  const top = `revocations: file:${folder}/revoked`;
  const warnings = warningsOf(sampleConfig({ top }));
  expect(warnings).toEqual([]);
  const open = sampleConfig({ top }).replace('auth: { issuer: main }', 'auth: none');
  expect(warningsOf(open)).toContainEqual(
    'revocations: has no effect: no route asks for a proof that could be revoked',
  );
});

test('a file without listeners is warned of', () => {
  const text = sampleConfig().replace('listeners: [{ host: 127.0.0.1, port: 8080 }]', 'listeners: []');
  expect(warningsOf(text)).toEqual([expect.stringMatching(/^listeners: nothing listens/)]);
});
