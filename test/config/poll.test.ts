import { describe, expect, test } from 'vitest';
import { parsed, problemOf, sampleConfig } from '../support/config.ts';

/** A configuration with a poll route: the YAML of its `poll` section, in braces. */
function withPoll(poll: string): string {
  const route = `
  - name: feed
    match: { path: "/feed/{room}" }
    auth: none
    upstream: { poll: { target: http://127.0.0.1:3001, ${poll} } }`;
  return sampleConfig({ route });
}

describe('a poll upstream', () => {
  test.each([
    ['poll: { path: "/{room}?wait={hold}&{query}" }'],
    ['poll: { path: "/s/{session}" }, open: { path: /join, session: "json:/id" }'],
    ['poll: { path: "/e/{cursor}" }, cursor: { from: "json:/next" }'],
    ['poll: { path: /e }, close: { path: "/leave/{room}" }'],
  ])('accepts %s', (poll) => {
    expect(() => parsed(withPoll(poll))).not.toThrow();
  });

  test.each([
    ['poll: { path: "/{rom}" }', 'nothing fills {rom} here'],
    ['poll: { path: "/{session}" }', 'nothing fills {session} here'],
    ['poll: { path: "/{cursor}" }', 'nothing fills {cursor} here'],
    ['poll: { path: /e }, close: { path: "/{hold}" }', 'nothing fills {hold} here'],
    ['poll: { path: /e }, open: { path: "/{session}", session: "json:/id" }', 'nothing fills {session} here'],
    ['poll: { path: /e }, cursor: { from: "json:/next" }', 'is required unless the path of `poll` holds'],
    ['poll: { path: /e }, open: { path: /join, cursor: "json:/at" }', 'has no effect without `cursor`'],
    ['poll: { path: /e }, messages: { at: "json:/x" }', 'has an effect with json-array only'],
    ['poll: { path: /e }, messages: { item: "json:/x" }', 'has no effect with body'],
  ])('refuses %s', (poll, message) => {
    expect(problemOf(withPoll(poll))).toContain(message);
  });

  test.each([
    ['profile: engine.io'],
    ['profile: engine.io, path: /io'],
    ['profile: sockjs, path: /echo'],
    ['profile: bayeux, path: /faye'],
  ])('accepts %s', (poll) => {
    expect(() => parsed(withPoll(poll))).not.toThrow();
  });

  test.each([
    ['profile: engine.io, path: "/{room}"', 'without a query and without placeholders'],
    ['profile: engine.io, path: "/io?EIO=3"', 'without a query and without placeholders'],
    ['profile: sockjs', 'path: is missing'],
    ['profile: bayeux', 'path: is missing'],
    ['profile: sockjs, path: /echo, send: { path: /x }', 'send: unknown key'],
    ['profile: engine', 'expected a profile that the reference names'],
  ])('refuses %s', (poll, message) => {
    expect(problemOf(withPoll(poll))).toContain(message);
  });

  test('refuses a base URL with a query', () => {
    const text = withPoll('poll: { path: /e }').replace(':3001', ':3001/?x=1');
    expect(problemOf(text)).toContain('a base URL has no query');
  });
});
