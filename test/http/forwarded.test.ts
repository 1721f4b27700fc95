import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/errors.ts';
import { matchAddress, normaliseAddress } from '../../src/http/address.ts';
import { readFields } from '../../src/http/fields.ts';
import { clientOf, requestId } from '../../src/http/forwarded.ts';
import { type Changes, rawHeaders, refusal } from '../support/handshakes.ts';

const trusted = matchAddress([ipaddr.parseCIDR('10.0.0.0/8'), ipaddr.parseCIDR('2001:db8:aaaa::/48')]);

function clientBehind(peer: string, headers: Changes, secure = false) {
  return clientOf({ address: peer, secure }, readFields(rawHeaders(headers, {})), trusted);
}

describe('the client of a peer that is not trusted', () => {
  test.each([
    { 'X-Forwarded-For': '198.51.100.1', 'X-Forwarded-Proto': 'https' },
    { Forwarded: 'for=198.51.100.1;proto=https' },
    { Forwarded: 'rubbish "' },
  ])('is the peer, whatever %j says', (headers) => {
    expect(clientBehind('192.0.2.1', headers)).toEqual({ address: '192.0.2.1', secure: false });
  });
});

describe('the client of a trusted peer', () => {
  test.each<[string, Changes, string]>([
    ['the peer without headers', {}, '10.0.0.1'],
    ['the one address named', { 'X-Forwarded-For': '198.51.100.1' }, '198.51.100.1'],
    [
      'the rightmost that is not trusted',
      { 'X-Forwarded-For': '1.1.1.1, 198.51.100.1, 10.0.0.2' },
      '198.51.100.1',
    ],
    ['never what stands left of that', { 'X-Forwarded-For': '10.9.9.9, 198.51.100.1' }, '198.51.100.1'],
    ['the leftmost if all are trusted', { 'X-Forwarded-For': '10.0.0.3, 10.0.0.2' }, '10.0.0.3'],
    ['over several fields', { 'X-Forwarded-For': ['1.1.1.1', '198.51.100.1, 10.0.0.2'] }, '198.51.100.1'],
    [
      'the last good hop before rubbish',
      { 'X-Forwarded-For': '198.51.100.1, unknown, 10.0.0.2' },
      '10.0.0.2',
    ],
    ['the peer if there is only rubbish', { 'X-Forwarded-For': 'unknown' }, '10.0.0.1'],
    ['the last good hop before an empty one', { 'X-Forwarded-For': '198.51.100.1,,10.0.0.2' }, '10.0.0.2'],
    ['without its port', { 'X-Forwarded-For': '198.51.100.1:4711' }, '198.51.100.1'],
    ['IPv6', { 'X-Forwarded-For': '2001:DB8::0001' }, '2001:db8::1'],
    ['IPv6 in brackets with a port', { 'X-Forwarded-For': '[2001:db8::1]:4711' }, '2001:db8::1'],
    ['IPv4 in IPv6', { 'X-Forwarded-For': '::ffff:198.51.100.1' }, '198.51.100.1'],
    ['Forwarded', { Forwarded: 'for=198.51.100.1' }, '198.51.100.1'],
    [
      'Forwarded with everything',
      { Forwarded: 'For="[2001:db8::1]:4711";proto=https;host=a;by=_x' },
      '2001:db8::1',
    ],
    [
      'Forwarded over hops',
      { Forwarded: 'for=1.1.1.1, for=198.51.100.1;by=_a, for=10.0.0.2' },
      '198.51.100.1',
    ],
    [
      'Forwarded up to a hidden hop',
      { Forwarded: 'for=198.51.100.1, for=_hidden, for=10.0.0.2' },
      '10.0.0.2',
    ],
    ['Forwarded up to a hop without for', { Forwarded: 'for=198.51.100.1, by=_a, for=10.0.0.2' }, '10.0.0.2'],
    [
      'Forwarded with a comma in quotes',
      { Forwarded: 'for=1.1.1.1;host="a,for=2.2.2.2", for=10.0.0.2' },
      '1.1.1.1',
    ],
    [
      'both where they agree',
      { 'X-Forwarded-For': '198.51.100.1', Forwarded: 'for="198.51.100.1:1"' },
      '198.51.100.1',
    ],
  ])('is %s', (_, headers, address) => {
    expect(clientBehind('10.0.0.1', headers).address).toBe(address);
  });

  test.each<[string, Changes, boolean]>([
    ['https', { 'X-Forwarded-Proto': 'https' }, true],
    ['wss', { 'X-Forwarded-Proto': 'WSS' }, true],
    ['http', { 'X-Forwarded-Proto': 'http' }, false],
    ['the nearest proxy’s word', { 'X-Forwarded-Proto': 'https, http' }, false],
    [
      'proto of the hop that names the client',
      { Forwarded: 'for=1.1.1.1;proto=http, for=2.2.2.2;proto=https' },
      true,
    ],
    ['not proto of a hop behind it', { Forwarded: 'for=1.1.1.1;proto=https, for=2.2.2.2;proto=http' }, false],
  ])('is secure by %s', (_, headers, secure) => {
    expect(clientBehind('10.0.0.1', headers, !secure).secure).toBe(secure);
  });

  test.each([true, false])('is as secure (%s) as the peer where nobody says anything', (secure) => {
    expect(clientBehind('10.0.0.1', { 'X-Forwarded-Proto': 'gopher' }, secure).secure).toBe(secure);
  });

  test.each<[string, Changes]>([
    ['two addresses', { 'X-Forwarded-For': '198.51.100.1', Forwarded: 'for=198.51.100.2' }],
    ['two protocols', { 'X-Forwarded-Proto': 'http', Forwarded: 'for=1.1.1.1;proto=https' }],
    ['two hosts', { 'X-Forwarded-Host': 'a.test', Forwarded: 'for=1.1.1.1;host=b.test' }],
    ['a malformed Forwarded', { Forwarded: 'for=1.1.1.1, for=2.2.2.2 x' }],
    ['an open quote before the proxy’s own word', { Forwarded: 'for=", for="[2001:db8::1]"' }],
  ])('is refused with %s', (_, headers) => {
    expect(refusal(() => clientBehind('10.0.0.1', headers)).code).toBe('BAD_REQUEST');
  });
});

describe('what a client asked a trusted peer for', () => {
  test.each<[string, Changes, string | undefined]>([
    ['nothing without headers', {}, undefined],
    ['X-Forwarded-Host', { 'X-Forwarded-Host': ' Site.test:8443 ' }, 'site.test:8443'],
    ['the nearest proxy’s word', { 'X-Forwarded-Host': 'evil.test, site.test' }, 'site.test'],
    [
      'the nearest proxy’s word in the last field',
      { 'X-Forwarded-Host': ['evil.test', 'site.test'] },
      'site.test',
    ],
    ['IPv6', { 'X-Forwarded-Host': '[2001:DB8::1]:81' }, '[2001:db8::1]:81'],
    [
      'host of the hop that names the client',
      { Forwarded: 'for=1.1.1.1;host=b, for=2.2.2.2;host="a:81"' },
      'a:81',
    ],
    [
      'both where they agree',
      { 'X-Forwarded-Host': 'A.test', Forwarded: 'for=1.1.1.1;host=a.test' },
      'a.test',
    ],
    ['nothing that is no host', { 'X-Forwarded-Host': 'a/b' }, undefined],
    ['nothing with a user', { 'X-Forwarded-Host': 'a@b' }, undefined],
    ['nothing that is empty', { 'X-Forwarded-Host': '' }, undefined],
  ])('is %s', (_, headers, authority) => {
    expect(clientBehind('10.0.0.1', headers).authority).toBe(authority);
  });

  test('is nobody’s word but a trusted peer’s', () => {
    expect(clientBehind('192.0.2.1', { 'X-Forwarded-Host': 'evil.test' }).authority).toBeUndefined();
  });
});

test.each<[string | string[], string | undefined]>([
  ['0-9A-z_.:/=+~!', '0-9A-z_.:/=+~!'],
  ['x'.repeat(128), 'x'.repeat(128)],
  ['x'.repeat(129), undefined],
  ['', undefined],
  ['a b', undefined],
  ['\xe9', undefined],
  [['a', 'a'], undefined],
])('an X-Request-Id of %j is taken over as %j', (ids, expected) => {
  expect(requestId(readFields(rawHeaders({ 'X-Request-Id': ids }, {})))).toBe(expected);
});

test('no header makes anything but an address, or throws anything but a refusal', () => {
  const hop = fc.constantFrom(
    '10.0.0.2',
    '198.51.100.1',
    'for=10.0.0.2',
    'for=198.51.100.1',
    'for="[::1]"',
    ';',
    '"',
    '=',
    ' ',
  );
  const value = fc.oneof(
    fc.string(),
    fc.array(fc.oneof(hop, fc.string())).map((hops) => hops.join(',')),
  );
  fc.assert(
    fc.property(value, value, (legacy, standard) => {
      try {
        const { address } = clientBehind('10.0.0.1', { 'X-Forwarded-For': legacy, Forwarded: standard });
        expect(normaliseAddress(address)).toBe(address);
      } catch (error) {
        expect(error).toBeInstanceOf(GatewayError);
      }
    }),
  );
});

test('a client cannot choose its address behind a proxy that appends', () => {
  const hop = fc.constantFrom('10.0.0.2', '203.0.113.9', '[::1]:80', '"', ';', ' ', '');
  const lies = fc.oneof(
    fc.string({ unit: 'grapheme-ascii' }),
    fc.array(hop).map((hops) => hops.join(',')),
  );
  fc.assert(
    fc.property(lies, (lie) => {
      const headers = { 'X-Forwarded-For': `${lie}, 198.51.100.1` };
      expect(clientBehind('10.0.0.1', headers).address).toBe('198.51.100.1');
    }),
  );
});
