import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { folderWith } from '../support/cli.ts';
import { parsed, problemOf, problemsOf, sampleConfig, warningsOf } from '../support/config.ts';

const ENV = { KEY: 'sk-the-secret' };
const VALUE = `value: "\${KEY}"`;
const HTTP = 'http: http://127.0.0.1:1';

function route(credentials: string, upstream = HTTP, auth = '{ issuer: main }'): string {
  const whole = `upstream: { ${upstream}, credentials: ${credentials} }`;
  return sampleConfig({ route: `  - { name: b, match: { path: /b }, auth: ${auth}, ${whole} }` });
}

function credentialsOf(text: string, env: Record<string, string> = ENV) {
  return parsed(text, env).routes[1]?.upstream.credentials;
}

describe('a credential', () => {
  test('is one or several, and not shown by who prints the configuration', () => {
    const config = parsed(
      route(`[{ header: Authorization, prefix: "Bearer ", ${VALUE} }, { query: key, ${VALUE} }]`),
      ENV,
    );
    const { credentials } = config.routes[1]?.upstream ?? {};
    expect(credentials).toMatchObject([
      { header: 'authorization', prefix: 'Bearer ' },
      { query: 'key', prefix: '' },
    ]);
    expect(JSON.stringify(config)).not.toContain(ENV.KEY);
    expect(inspect(config, { depth: 20, showHidden: true })).not.toContain(ENV.KEY);
    expect(credentialsOf(route(`{ header: x-key, ${VALUE} }`))).toHaveLength(1);
  });

  test('in a file is one with an absolute path, which has to be there', async () => {
    const base = await folderWith({});
    const text = route('{ header: x-key, value: file:a.key }');
    const missing = `routes[1].upstream.credentials.value: cannot read ${join(base, 'a.key')}; there is no such file`;
    expect(problemOf(text, {}, base)).toContain(missing);
    writeFileSync(join(base, 'a.key'), 'sk');
    const { config } = parseConfig(text, { baseDir: base });
    expect(config.routes[1]?.upstream.credentials?.[0]?.value).toEqual({ file: join(base, 'a.key') });
  });

  test.each([
    [
      `{ ${VALUE} }`,
      'credentials: a credential has exactly one of header, query, subprotocol; this one has none',
    ],
    [`{ header: a, query: b, ${VALUE} }`, 'this one has header and query'],
    [
      `[{ header: a, ${VALUE} }, { query: b, subprotocol: c, ${VALUE} }]`,
      'credentials[1]: a credential has exactly',
    ],
    ['{ header: a }', 'credentials.value: is missing'],
    ['{ header: a, value: 12 }', 'credentials.value: this is not a text; put it in quotes'],
    ['{ header: a, value: "" }', 'credentials.value: must not be empty'],
    [`{ header: a, value: "\${NO}" }`, 'credentials.value: the environment has no NO'],
    ['{ header: a, value: "sk\\nsk" }', 'credentials.value: is not one line of visible ASCII characters'],
    ['{ header: a, value: "sk-ä" }', 'credentials.value: is not one line of visible ASCII characters'],
    [
      '{ subprotocol: a., value: "s=" }',
      'credentials.value: is not one line of the characters that a subprotocol',
    ],
    [`{ subprotocol: "a ", ${VALUE} }`, 'credentials.subprotocol: is not what a subprotocol may begin with'],
    [`{ header: a, prefix: " B", ${VALUE} }`, 'credentials.prefix: is not what a header may begin with'],
    [`{ subprotocol: a., prefix: b, ${VALUE} }`, 'credentials.prefix: has no effect: `subprotocol` says'],
    [`{ query: "a b", ${VALUE} }`, 'credentials.query: "a b" is not the name of a parameter'],
    [`{ header: "a b", ${VALUE} }`, 'credentials.header: "a b" is not a header name'],
    [`{ header: a, name: b, ${VALUE} }`, 'credentials.name: unknown key'],
  ])('is not %s', (credentials, message) => {
    const problem = problemOf(route(credentials), ENV);
    expect(problem).toContain(message);
    expect(problem).not.toMatch(/sk/);
  });

  test.each([
    'host',
    'connection',
    'te',
    'content-length',
    'sec-websocket-protocol',
    'x-forwarded-for',
    'forwarded',
    'x-request-id',
  ])('is not in the header %s, which is set by the gateway', (name) => {
    expect(problemOf(route(`{ header: ${name}, ${VALUE} }`), ENV)).toMatch(
      'credentials.header: this header is set by the gateway and cannot carry a credential',
    );
  });

  test.each([
    [HTTP, '{ issuer: main, forward: { X-Key: sub } }', 'this header carries a claim, by auth.forward'],
    [
      `${HTTP}, headers: { set: { X_Key: a } }`,
      '{ issuer: main }',
      'this header is changed by upstream.headers, too',
    ],
    [
      `${HTTP}, headers: { remove: [x-key] }`,
      '{ issuer: main }',
      'this header is changed by upstream.headers, too',
    ],
  ])('is not in a header that is somebody else’s: %s %s', (upstream, auth, message) => {
    expect(problemOf(route(`{ header: x-key, ${VALUE} }`, upstream, auth), ENV)).toMatch(
      `credentials.header: ${message}`,
    );
  });

  test('is not in a header of the polls’ own', () => {
    const poll = 'poll: { target: http://127.0.0.1:1, poll: { path: / } }';
    expect(problemOf(route(`{ header: x-connection-id, ${VALUE} }`, poll), ENV)).toMatch(
      'credentials.header: the gateway itself says this header in polls',
    );
    expect(credentialsOf(route(`{ header: x-key, ${VALUE} }`, poll))).toHaveLength(1);
  });

  test('is not in a parameter that a target has', () => {
    const message = 'credentials.query: a target’s own query has this parameter';
    const websocket = 'websocket: ["ws://127.0.0.1:1", "ws://127.0.0.1:2/x?a&k%65y=1"]';
    expect(problemOf(route(`{ query: key, ${VALUE} }`, websocket), ENV)).toMatch(message);
    expect(credentialsOf(route(`{ query: other, ${VALUE} }`, websocket))).toHaveLength(1);
  });

  test.each([
    [`${HTTP}, upgrades: off`, 'on a route that takes no upgrades'],
    ['poll: { target: http://127.0.0.1:1, poll: { path: / } }', 'where WebSockets lead to poll'],
    [`tcp: 127.0.0.1:1, ${HTTP}`, 'where WebSockets lead to tcp'],
  ])('is not a subprotocol of { %s }', (upstream, reason) => {
    expect(problemOf(route(`{ subprotocol: key., ${VALUE} }`, upstream), ENV)).toMatch(
      `credentials.subprotocol: has no effect ${reason}`,
    );
  });

  test('says nothing to a tcp service', () => {
    expect(problemOf(route(`{ header: a, ${VALUE} }`, 'tcp: 127.0.0.1:1'), ENV)).toMatch(
      'routes[1].upstream.credentials: has no effect without websocket or poll or post or http; remove it',
    );
  });
});

describe('several credentials', () => {
  const pro = `{ header: x-key, when: { plan: pro }, ${VALUE} }`;
  const rest = `{ header: X_Key, ${VALUE} }`;

  test('of one place are chosen among by claims, the last for everybody else', () => {
    expect(credentialsOf(route(`[${pro}, ${rest}, { query: key, ${VALUE} }]`))).toHaveLength(3);
  });

  test('need claims to choose by', () => {
    const [problem] = problemsOf(route(pro, HTTP, 'none'), ENV);
    expect(`${problem?.path}: ${problem?.message}`).toBe(
      'routes[1].upstream.credentials.when: there are no claims on a route with auth: none',
    );
  });

  test('none of which stands behind one that is always taken', () => {
    expect(problemOf(route(`[${rest}, ${pro}]`), ENV)).toMatch(
      'routes[1].upstream.credentials[1].header: is never taken: an earlier entry for x-key has no `when`',
    );
  });
});

test.each([
  [`{ header: authorization, ${VALUE} }`, '[header]', 'header authorization'],
  [`{ header: authorization, ${VALUE} }`, '[cookie:a, basic]', 'header authorization'],
  [`{ header: x-key, ${VALUE} }`, '["header:X_Key"]', 'header x-key'],
  [`{ header: cookie, ${VALUE} }`, '[cookie:a]', 'header cookie'],
  [`[{ header: a, ${VALUE} }, { query: key, ${VALUE} }]`, '[query:key]', 'query key'],
  [`{ subprotocol: key., ${VALUE} }`, '["subprotocol:key."]', 'subprotocol key.'],
])('a token is not forwarded from where a credential goes: %s %s', (credentials, token, place) => {
  const auth = `{ issuer: main, token: ${token}, forwardToken: true }, origins: ["https://a.example"]`;
  const message = `the token may stand in the ${place}, where upstream.credentials puts its own in its place`;
  expect(problemOf(route(credentials, HTTP, auth), ENV)).toContain(`auth.forwardToken: ${message}`);
});

test('a ticket is never forwarded, whatever its parameter is called', () => {
  const auth = '{ issuer: main, token: [header, "ticket:key."], forwardToken: true }';
  expect(
    credentialsOf(route(`{ subprotocol: key., ${VALUE} }`, 'websocket: ws://127.0.0.1:1', auth)),
  ).toHaveLength(1);
});

test('a token is forwarded from elsewhere', () => {
  const auth = '{ issuer: main, token: [header], forwardToken: true }';
  expect(credentialsOf(route(`{ header: x-key, ${VALUE} }`, HTTP, auth))).toHaveLength(1);
});

describe('warns', () => {
  test.each([
    ['{ header: x-key, value: sk-the-secret }', '.value'],
    [`[{ header: x-key, value: sk-the-secret }, { query: key, ${VALUE} }]`, '[0].value'],
  ])('of a secret in the file: %s', (credentials, place) => {
    expect(warningsOf(route(credentials), ENV)).toEqual([
      `routes[1].upstream.credentials${place}: stands in the file for all to read`,
    ]);
  });

  test('of a credential that goes over the net in plain text', () => {
    const upstream = 'websocket: ["wss://a.example", "ws://b.example/x"]';
    expect(warningsOf(route(`{ header: x-key, ${VALUE} }`, upstream), ENV)).toEqual([
      'routes[1].upstream.credentials: go to ws://b.example/x in plain text: they can be read on the way',
    ]);
    for (const near of ['ws://10.0.0.7', 'ws://localhost', 'unix:/run/a.sock', 'wss://a.example'])
      expect(warningsOf(route(`{ header: x-key, ${VALUE} }`, `websocket: "${near}"`), ENV)).toEqual([]);
  });

  test('of credentials that everybody may use', () => {
    expect(warningsOf(route(`{ header: x-key, ${VALUE} }`, HTTP, 'none'), ENV)).toContain(
      'routes[1].auth: anybody who reaches the gateway acts with its credentials at the upstream',
    );
  });
});
