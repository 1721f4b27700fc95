import { describe, expect, test } from 'vitest';
import { isMessageSource, readMessageSource } from '../../src/config/first-message.ts';
import { parsed, problemsOf, sampleConfig, warningsOf } from '../support/config.ts';

/** What a configuration may say of tokens in first messages. */

/** The sample's route with another `auth`, and this upstream. */
const site = (auth: string, upstream = 'websocket: ws://127.0.0.1:3000') =>
  sampleConfig()
    .replace('auth: { issuer: main }', `auth: { issuer: main, ${auth} }`)
    .replace('websocket: ws://127.0.0.1:3000', upstream);
const problems = (text: string) => problemsOf(text).map(({ path, message }) => `${path}: ${message}`);

test.each([
  ['message', 'message', ''],
  ['message:', 'message', ''],
  ['message:/payload/token', 'message', '/payload/token'],
  ['message:/a~1b//0', 'message', '/a~1b//0'],
  ['graphql-ws', 'graphql-ws', ''],
  ['graphql-ws:authToken', 'graphql-ws', 'authToken'],
  ['socket.io:jwt', 'socket.io', 'jwt'],
  ['mqtt:username', 'mqtt', 'username'],
  ['stomp:Authorization', 'stomp', 'Authorization'],
])('%s is a place in a message', (text, from, name) => {
  expect(readMessageSource(text)).toEqual({ from, name });
});

test.each([
  'messages',
  'message:payload',
  'message:/a~2',
  'graphql-ws:',
  'mqtt:password',
  'stomp:a b',
  'mqtts',
  'stomp:a:b',
])('%s is none', (text) => {
  expect(readMessageSource(text)).toBe(undefined);
  expect(problems(site(`token: ["${text}"]`))).toEqual([
    expect.stringMatching(/token\[0\]: ".*" is not header, .* or stomp:NAME/),
  ]);
});

test('places in the handshake are none in a message', () => {
  expect(isMessageSource({ from: 'header', name: '' })).toBe(false);
});

describe('is refused', () => {
  test.each([
    [
      'a second one',
      'token: [mqtt, header, stomp]',
      undefined,
      'token[2]: a first message is read in one way: it is by mqtt already',
    ],
    [
      'its fate without one',
      'firstMessage: drop',
      undefined,
      'firstMessage: has no effect: no token is looked for in a message by auth.token',
    ],
    [
      'to drop what services wait for',
      'token: [mqtt], firstMessage: drop',
      undefined,
      'firstMessage: drop does not go with mqtt, whose services wait for that message: leave it out',
    ],
    [
      'to forward nothing',
      'token: [message], firstMessage: forward',
      undefined,
      'firstMessage: nothing of it may be passed on, for all of it is the token: leave it out, or set forwardToken: true',
    ],
    [
      'one where there are no upgrades',
      'token: [header, mqtt]',
      'http: http://127.0.0.1:1, upgrades: off',
      'token[1]: has no effect on a route that takes no upgrades',
    ],
    [
      'Socket.IO over TCP',
      'token: [socket.io]',
      'tcp: 127.0.0.1:1',
      'token[0]: socket.io leads to a service that speaks it: websocket, http, or poll with profile: engine.io; this is tcp',
    ],
    [
      'a resume token in a subprotocol beside it',
      'token: [message]',
      'poll: { target: http://127.0.0.1:1, profile: generic, receive: { path: /r }, send: { path: /s }, linger: { for: 60s, token: subprotocol:resume. } }',
      'token[0]: does not go with a linger.token in a subprotocol: the 101 names another, and that alone is offered to the service',
    ],
  ])('%s', (_, auth, upstream, problem) => {
    expect(problems(site(auth, upstream))).toContain(`routes[0].auth.${problem}`);
  });
});

test.each([
  ['token: [message], forwardToken: true, firstMessage: forward', undefined],
  ['token: [header, "message:/a"], firstMessage: drop', undefined],
  ['token: [socket.io, header]', 'http: http://127.0.0.1:1'],
  ['token: [mqtt]', 'tcp: 127.0.0.1:1, protocols: any'],
])('%s is in order', (auth, upstream) => {
  expect(parsed(site(auth, upstream)).routes).toHaveLength(1);
  expect(warningsOf(site(auth, upstream))).toEqual([]);
});

test('that no plain request gets in is warned of', () => {
  expect(warningsOf(site('token: [socket.io]', 'http: http://127.0.0.1:1'))).toEqual([
    expect.stringContaining('routes[0].auth.token: no plain request gets in, for none has a message'),
  ]);
});
