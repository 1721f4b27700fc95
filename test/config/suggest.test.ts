import { expect, test } from 'vitest';
import { suggest, suggestion } from '../../src/config/suggest.ts';

test.each([
  ['isuer', 'issuer'],
  ['hots', 'host'],
  ['ORIGINS', 'origins'],
  ['time_outs', 'timeouts'],
  ['trusted_proxies', 'trustedProxies'],
])('%s is a slip of %s', (name, meant) => {
  expect(suggest(name, ['issuer', 'host', 'origins', 'timeouts', 'trustedProxies'])).toBe(meant);
});

test.each(['banana', 'x', ''])('%j is a slip of nothing', (name) => {
  expect(suggest(name, ['issuer', 'host', 'tls'])).toBeUndefined();
});

test('the nearest of several is meant', () => expect(suggest('poll', ['port', 'poll', 'pool'])).toBe('poll'));

test('without a near one, all are listed', () => {
  expect(suggestion('banana', ['host', 'port'])).toBe('known here: host, port');
  expect(suggestion('banana', [])).toBe('nothing may stand here');
});
