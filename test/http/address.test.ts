import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { describe, expect, test } from 'vitest';
import { type AddressBlock, addressKey, matchAddress, normaliseAddress } from '../../src/http/address.ts';

function blocks(...texts: string[]): AddressBlock[] {
  return texts.map((text) => ipaddr.parseCIDR(text));
}

describe('the spelling of an address', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::ffff:c000:201', '192.0.2.1'],
    ['0:0:0:0:0:FFFF:192.0.2.1', '192.0.2.1'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['fe80::1%eth0', 'fe80::1'],
    ['::1', '::1'],
  ])('%s is %s', (text, normal) => {
    expect(normaliseAddress(text)).toBe(normal);
  });

  test.each([
    '',
    'unknown',
    '1.2.3',
    '0x7f.1',
    '127.1',
    '010.0.0.1',
    '256.0.0.1',
    '1.2.3.4 ',
    '1.2.3.4:80',
    '[::1]',
    '::1::',
    '_hidden',
  ])('there is none of "%s"', (text) => {
    expect(normaliseAddress(text)).toBeUndefined();
  });

  test('is the same when taken twice, for every address', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const normal = normaliseAddress(text) as string;
        expect(normal).toBeDefined();
        expect(normaliseAddress(normal)).toBe(normal);
      }),
    );
  });

  test('never throws', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string({ unit: 'binary' }),
          fc.string().map((tail) => `::${tail}`),
        ),
        (text) => {
          normaliseAddress(text);
          addressKey(text);
          matchAddress(blocks('10.0.0.0/8', '2001:db8::/32'))(text);
        },
      ),
    );
  });
});

describe('what clients are counted by', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
    ['2001:db8:1:3::1', '2001:db8:1:3::/64'],
  ])('%s counts as %s', (address, key) => {
    expect(addressKey(address)).toBe(key);
  });

  test.each([
    [32, '2001:db8::/32'],
    [48, '2001:db8:1::/48'],
    [56, '2001:db8:1:200::/56'],
    [128, '2001:db8:1:2ff::1/128'],
  ])('with a prefix of %d bits 2001:db8:1:2ff::1 counts as %s, and IPv4 as ever', (prefix, key) => {
    expect(addressKey('2001:db8:1:2ff::1', prefix)).toBe(key);
    expect(addressKey('::ffff:192.0.2.1', prefix)).toBe('192.0.2.1');
  });

  test('two IPv4 addresses never share a key', () => {
    fc.assert(
      fc.property(fc.ipV4(), fc.ipV4(), (one, other) => {
        expect(addressKey(one) === addressKey(`::ffff:${other}`)).toBe(one === other);
      }),
    );
  });
});

describe('a list of address blocks', () => {
  test.each([
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '::ffff:10.0.0.1', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['::/0', '10.0.0.1', false],
    ['::ffff:10.0.0.0/104', '10.1.2.3', true],
    ['::ffff:10.0.0.0/104', '11.1.2.3', false],
    ['2001:db8::/32', '2001:db8:ffff::1', true],
    ['2001:db8::/32', '2001:db9::1', false],
    ['fe80::/10', 'fe80::1%eth0', true],
    ['192.0.2.7/32', '192.0.2.7', true],
    ['192.0.2.7/32', '192.0.2.8', false],
    ['0.0.0.0/0', 'unknown', false],
  ])('%s and %s: %s', (block, address, among) => {
    expect(matchAddress(blocks(block))(address)).toBe(among);
  });

  test('matches if any block does, and nothing if it is empty', () => {
    const isAmong = matchAddress(blocks('10.0.0.0/8', '192.0.2.0/24'));
    expect(isAmong('192.0.2.9')).toBe(true);
    expect(isAmong('192.0.3.9')).toBe(false);
    expect(matchAddress([])('192.0.2.9')).toBe(false);
  });
});
