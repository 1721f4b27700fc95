import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { parsed, problemOf, sampleConfig, warningsOf } from '../support/config.ts';

/** A configuration with a route to a service of a profile: the YAML of its keys. */
function withPost(keys: string, auth = 'none'): string {
  const route = `
  - name: feed
    match: { path: "/feed/{room}" }
    auth: ${auth}
    upstream: { post: { target: http://127.0.0.1:3001, ${keys} } }`;
  return sampleConfig({ route });
}

test.each([
  'profile: cloudevents, hub: chat',
  'profile: cloudevents, hub: chat, secret: one, systemEvents: []',
  'profile: aws',
  'profile: aws, concurrency: 4, order: free',
  'profile: aws, routes: { keys: [join] }',
])('accepts %s', (keys) => {
  expect(() => parsed(withPost(keys))).not.toThrow();
});

describe('refuses', () => {
  test.each([
    ['profile: cloudevents', 'hub'],
    ['profile: cloudevents, hub: a-b', 'is not a letter, and then letters, digits and _'],
    ['profile: cloudevents, hub: a, path: "/{room}"', 'without placeholders'],
    ['profile: cloudevents, hub: a, origin: "a b"', 'is not the name of a host'],
    ['profile: cloudevents, hub: a, user: sub', 'there are no claims on a route with auth: none'],
    ['profile: cloudevents, hub: a, secret: [a, b, c]', 'secret'],
    ['profile: cloudevents, hub: a, systemEvents: [message]', 'systemEvents'],
    ['profile: cloudevents, hub: a, headers: [ce-userid]', 'is the protocol’s own'],
    [
      'profile: cloudevents, hub: a, headers: { add: { webhook-request-origin: x } }',
      'is the protocol’s own',
    ],
    ['profile: aws, order: free', 'has no effect without `concurrency`'],
    ['profile: aws, routes: { keys: [$connect] }', 'does not begin with $'],
    ['profile: aws, routes: { keys: [] }', 'routes'],
    ['profile: aws, routes: { from: action, keys: [a] }', 'is not a JSON pointer'],
    ['profile: aws, hub: a', 'hub'],
    ['profile: ace', 'expected generic, cloudevents or aws'],
  ])('%s', (keys, problem) => {
    expect(problemOf(withPost(keys))).toContain(problem);
  });

  test('what is no secret, and does not show it', () => {
    for (const secret of ['12345', '[a, 12345]'])
      expect(problemOf(withPost(`profile: cloudevents, hub: a, secret: ${secret}`))).not.toContain('12345');
  });
});

test('warns of secrets that stand in the file', () => {
  const secret = (text: string) => warningsOf(withPost(`profile: cloudevents, hub: a, secret: ${text}`), ENV);
  const place = 'routes[1].upstream.post.secret';
  expect(secret('one')).toEqual([`${place}: stands in the file for all to read`]);
  expect(secret(`["\${A}", two]`)).toEqual([`${place}[1]: stands in the file for all to read`]);
  expect(secret(`["\${A}", "\${A}"]`)).toEqual([]);
});

const ENV = { A: 'one' };

test.each(['file:key', '[file:key]'])('reads secrets from files: %s', (secret) => {
  const baseDir = mkdtempSync(join(tmpdir(), 'sallyport-post-'));
  onTestFinished(() => rmSync(baseDir, { recursive: true }));
  writeFileSync(join(baseDir, 'key'), 'from-a-file\n');
  const text = withPost(`profile: cloudevents, hub: a, secret: ${secret}`);
  const post = parseConfig(text, { baseDir }).config.routes[1]?.upstream.post;
  const secrets = post?.profile === 'cloudevents' ? (post.secret ?? []) : [];
  expect(secrets.map((one) => one.reveal())).toEqual(['from-a-file']);
});
