import { expect, test } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { problemOf, sampleConfig } from '../support/config.ts';

/** What is said of a store that several gateways share. */

const parse = (store: string) => parseConfig(`${sampleConfig()}\nstore: ${store}`).config.store;

test('its address is enough', () => {
  expect(parse('{ redis: redis://127.0.0.1 }')).toEqual({
    redis: ['redis://127.0.0.1'],
    prefix: 'sallyport',
    onFailure: 'local',
  });
});

test('what it is shown with is not told again', () => {
  expect(JSON.stringify(parse('{ redis: redis://127.0.0.1, password: "s3cret" }'))).not.toContain('s3cret');
});

test.each([
  ['{}', 'redis: is missing'],
  ['{ redis: http://127.0.0.1 }', 'is not a redis:// or rediss:// URL'],
  ['{ redis: redis://me:secret@127.0.0.1 }', 'credentials stand in keys of their own'],
  ['{ redis: "redis://:secret@127.0.0.1" }', 'credentials stand in keys of their own'],
  ['{ redis: [redis://a, redis://b] }', 'several servers are one store as `cluster: true`'],
  ['{ redis: [redis://a, rediss://b], cluster: true }', 'some are rediss:// and some are not'],
  ['{ redis: redis://a, cluster: true, sentinel: x }', 'Sentinels watch no cluster'],
  ['{ redis: redis://a/1, cluster: true }', 'a cluster has no databases but 0'],
  ['{ redis: redis://a/x }', 'more behind its port than the number of a database'],
  ['{ redis: redis://a, tls: { servername: x } }', 'has no effect without a rediss:// server'],
  ['{ redis: redis://a, username: x }', 'has no effect without a password'],
  ['{ redis: redis://a, prefix: "a b" }', 'at most 64 letters, digits'],
  ['{ redis: redis://a, onFailure: open }', 'is not one of local, refuse'],
])('%s is refused, in words', (store, words) => {
  expect(problemOf(`${sampleConfig()}\nstore: ${store}`)).toContain(words);
});

test.each([
  ['redis://redis.example.com', true],
  ['rediss://redis.example.com', false],
  ['redis://10.0.0.7', false],
  ['redis://127.0.0.1', false],
])('of a password that goes to %s is warned: %s', (address, isWarned) => {
  const { warnings } = parseConfig(`${sampleConfig()}\nstore: { redis: "${address}", password: "x" }`);
  expect(warnings.some(({ message }) => message.includes('in plain text'))).toBe(isWarned);
});
