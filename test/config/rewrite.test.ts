import { describe, expect, test } from 'vitest';
import { parsed, problemOf, problemsOf, sampleConfig } from '../support/config.ts';

const HTTP = 'http: http://127.0.0.1:1';

function route(changes: string, auth = 'none'): string {
  return sampleConfig({
    route: `  - { name: b, match: { path: /b }, auth: ${auth}, upstream: { ${changes} } }`,
  });
}

describe('the changes of headers', () => {
  test.each([
    ['headers: { set: { Connection: close } }', 'headers.set.connection', 'belongs to one connection'],
    ['headers: { remove: [te] }', 'headers.remove[0]', 'belongs to one connection'],
    ['headers: { remove: [a, proxy-x] }', 'headers.remove[1]', 'belongs to one connection'],
    ['headers: { remove: [Content_Length] }', 'headers.remove[0]', 'says how long a body is'],
    ['headers: { set: { expect: 100-continue } }', 'headers.set.expect', 'says how long a body is'],
    [
      'headers: { set: { sec-websocket-key: x } }',
      'headers.set.sec-websocket-key',
      'belongs to the WebSocket',
    ],
    ['headers: { set: { Host: a } }', 'headers.set.host', 'is changed by the key `host`'],
    ['answerHeaders: { remove: [trailer] }', 'answerHeaders.remove[0]', 'belongs to one connection'],
    ['answerHeaders: { set: { content-length: "1" } }', 'answerHeaders.set.content-length', 'says how long'],
    ['answerHeaders: { remove: [date] }', 'answerHeaders.remove[0]', 'says when the answer was made'],
    ['answerHeaders: { set: { host: a } }', 'answerHeaders.set.host', 'is no header of answers'],
    ['headers: {}', 'headers', 'has no effect: it neither sets nor removes a header'],
    ['answerHeaders: { set: {}, remove: [] }', 'answerHeaders', 'has no effect: it neither sets'],
    [
      'headers: { set: { x-a: b }, remove: [X-A] }',
      'headers.remove[0]',
      'has no effect: it is set, and so replaced',
    ],
  ])('cannot be { %s }', (changes, key, message) => {
    expect(problemOf(route(`${HTTP}, ${changes}`))).toMatch(`routes[1].upstream.${key}: ${message}`);
  });

  test.each([
    ['set: { X_User: x }', 'set.x_user'],
    ['remove: [x-user]', 'remove[0]'],
  ])('leave claims alone: { %s }', (changes, key) => {
    const auth = '{ issuer: main, forward: { X-User: sub } }';
    expect(problemOf(route(`${HTTP}, headers: { ${changes} }`, auth))).toMatch(
      `routes[1].upstream.headers.${key}: this header carries a claim, by auth.forward`,
    );
  });

  test('may be of what the gateway says, of tokens, and of any other header', () => {
    const headers =
      'headers: { set: { X-Forwarded-Proto: https, Authorization: Basic eDp5 }, remove: [Forwarded] }';
    const answerHeaders = 'answerHeaders: { set: { Cache-Control: no-store }, remove: [Server, X-User] }';
    const auth = '{ issuer: main, forward: { X-User: sub, X-Real-IP: ip } }';
    expect(parsed(route(`${HTTP}, ${headers}, ${answerHeaders}`, auth)).routes[1]?.upstream).toMatchObject({
      headers: { set: { 'x-forwarded-proto': 'https', authorization: 'Basic eDp5' }, remove: ['forwarded'] },
      answerHeaders: { set: { 'cache-control': 'no-store' }, remove: ['server', 'x-user'] },
    });
  });

  test.each(['"a\\nb"', '""', '" a"', '日本'])('cannot set the value %s', (value) => {
    expect(problemOf(route(`${HTTP}, headers: { set: { x-a: ${value} } }`))).toMatch('visible characters');
  });

  test.each(['1', '1.5', 'true'])('cannot set what is %s to YAML, which quotes make a text', (value) => {
    expect(problemOf(route(`${HTTP}, headers: { set: { x-a: ${value} } }`))).toMatch(
      `routes[1].upstream.headers.set.x-a: ${value} is not a text; put it in quotes`,
    );
    expect(parsed(route(`${HTTP}, headers: { set: { x-a: "${value}" } }`)).routes).toHaveLength(2);
  });
});

const CHANGES = 'host: upstream, headers: { remove: [a] }';

test('with tcp alone there is nobody to ask by another name or with other headers', () => {
  const found = problemsOf(route(`tcp: 127.0.0.1:1, ${CHANGES}, answerHeaders: { remove: [a] }`));
  expect(found.map(({ path, message }) => `${path} ${message}`)).toEqual([
    'routes[1].upstream.host has no effect without websocket or poll or post or http',
    'routes[1].upstream.headers has no effect without websocket or poll or post or http',
    'routes[1].upstream.answerHeaders has no effect without websocket or http',
  ]);
});

test.each([
  HTTP,
  'websocket: ws://127.0.0.1:1',
  'poll: { target: http://127.0.0.1:1, poll: { path: / } }',
  `tcp: 127.0.0.1:1, ${HTTP}`,
])('{ %s } is asked by another name and with other headers', (upstream) => {
  expect(parsed(route(`${upstream}, ${CHANGES}`)).routes).toHaveLength(2);
});

test('only services that answer the client themselves have answers to change', () => {
  const poll = 'poll: { target: http://127.0.0.1:1, poll: { path: / } }';
  expect(problemOf(route(`${poll}, answerHeaders: { remove: [a] }`))).toMatch(
    'routes[1].upstream.answerHeaders: has no effect without websocket or http',
  );
});
