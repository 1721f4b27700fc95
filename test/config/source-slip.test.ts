import { expect, test } from 'vitest';
import { problemsOf, sampleConfig } from '../support/config.ts';

/** What is said of a place in `auth.token` that is none. */
const hintOf = (source: string) =>
  problemsOf(sampleConfig().replace('issuer: main }', `issuer: main, token: ["${source}"] }`))[0]?.hint;

test.each([
  ['socketio', 'did you mean socket.io?'],
  ['graphql', 'did you mean graphql-ws?'],
  ['graphql-transport-ws', 'did you mean graphql-ws?'],
  ['bearer', 'did you mean header?'],
  ['header:authorization', 'Authorization: Bearer is header, Authorization: Basic is basic'],
  ['cookie', 'did you mean cookie:NAME?'],
  ['tickets', 'did you mean ticket?'],
  ['mqtt:password', 'mqtt is the password, mqtt:username the name'],
  ['message:payload/token', 'a JSON pointer begins with /, as in message:/payload/token'],
])('%s: %s', (source, hint) => {
  expect(hintOf(source)).toBe(hint);
});

test('of one that is like none nothing more is said', () => {
  expect(hintOf('elsewhere')).toBeUndefined();
});
