import ipaddr from 'ipaddr.js';
import { describe, expect, test } from 'vitest';
import { type AllowRule, readRule } from '../../../src/config/tcp/allow.ts';
import type { AddressBlock } from '../../../src/http/address.ts';
import { type AskedTarget, readAsked } from '../../../src/upstream/targets/asked.ts';
import { judge, ruleFor } from '../../../src/upstream/targets/judge.ts';

const rule = (text: string) => readRule(text) as AllowRule;
const leading = (text: string, ...blocks: string[]): AllowRule => ({
  ...(rule(text) as Extract<AllowRule, { kind: 'host' }>),
  resolvesTo: blocks.map((block): AddressBlock => ipaddr.parseCIDR(block)),
});
const asked = (text: string) => readAsked(text) as AskedTarget;

describe('a target is read in one spelling', () => {
  test.each([
    ['DB.Internal:5432', 'db.internal:5432'],
    ['db.internal.:5432', 'db.internal:5432'],
    ['_x-y.z_:1', '_x-y.z_:1'],
    ['bücher.example:80', 'xn--bcher-kva.example:80'],
    ['BÜCHER.example。:80', 'xn--bcher-kva.example:80'],
    ['xn--bcher-kva.example:80', 'xn--bcher-kva.example:80'],
    ['10.0.0.7:65535', '10.0.0.7:65535'],
    ['[2001:DB8:0:0::7]:22', '[2001:db8::7]:22'],
    ['[::ffff:1.2.3.4]:22', '[::ffff:102:304]:22'],
    [`${'a'.repeat(63)}.x:1`, `${'a'.repeat(63)}.x:1`],
    [`${'a.'.repeat(126)}a:1`, `${'a.'.repeat(126)}a:1`],
    [`${'a.'.repeat(126)}a.:65535`, `${'a.'.repeat(126)}a:65535`],
    ['7seas:1', '7seas:1'],
    ['1.2.3.4.example:1', '1.2.3.4.example:1'],
  ])('%s is %s', (text, spelling) => expect(readAsked(text)?.text).toBe(spelling));
});

test('a name has 253 characters at most', () => {
  expect(readAsked(`${'a.'.repeat(125)}abcd:1`)).toBeUndefined();
});

describe('a rule', () => {
  test.each([
    ['*.db.internal:5432', 'a.db.internal:5432', true],
    ['*.db.internal:5432', 'A.DB.internal.:5432', true],
    ['*.db.internal:5432', 'a.db.internal:5433', false],
    ['*.db.internal:5432', 'db.internal:5432', false],
    ['*.db.internal:5432', 'a.b.db.internal:5432', false],
    ['*.db.internal:5432', 'a.db.internal.evil.example:5432', false],
    ['a.*.internal:1', 'a.x.internal:1', true],
    ['*:1', 'redis:1', true],
    ['*:1', '10.0.0.1:1', false],
    ['host:*', 'host:65535', true],
    ['host:10-20', 'host:20', true],
    ['host:10-20', 'host:21', false],
    ['host:10-20', 'host:9', false],
    ['10.0.0.0/8:22', '10.255.0.1:22', true],
    ['10.0.0.0/8:22', '11.0.0.1:22', false],
    ['10.0.0.0/8:22', '[::ffff:10.0.0.1]:22', true],
    ['10.0.0.0/8:22', 'a.internal:22', false],
    ['[::ffff:10.0.0.0]/104:22', '10.0.0.1:22', true],
    ['[2001:db8::]/32:22', '[2001:db8:1::1]:22', true],
    ['[2001:db8::]/32:22', '[2001:db9::1]:22', false],
    ['[::]/0:22', '10.0.0.1:22', false],
    ['[::1]:22', '[::1]:22', true],
  ])('%s fits %s: %s', (text, target, fits) => {
    expect(ruleFor([rule(text)], asked(target)) !== undefined).toBe(fits);
  });

  test('that comes first counts', () => {
    const rules = [rule('b:1'), rule('a:*'), rule('a:1')];
    expect(ruleFor(rules, asked('a:1'))).toBe(rules[1]);
  });
});

describe('an address', () => {
  const NAMES = rule('*:1');
  const TEN = leading('*:1', '10.0.0.0/8', 'fd00::/8');
  test.each([
    [NAMES, '93.184.216.34', true],
    [NAMES, '2606:2800:220:1::1', true],
    [NAMES, '64:ff9b::808:808', true],
    [NAMES, '10.0.0.1', false],
    [TEN, '10.0.0.1', true],
    [TEN, '::ffff:10.0.0.1', true],
    [TEN, 'fd12::1', true],
    [TEN, 'fc12::1', false],
    [TEN, '11.0.0.1', false],
    [TEN, '93.184.216.34', false],
    [TEN, '127.0.0.1', false],
    [TEN, '2002:a00:1::1', false],
    [leading('*:1', '127.0.0.1/32', '::1/128'), '127.0.0.1', true],
    [leading('*:1', '127.0.0.1/32', '::1/128'), '::1', true],
    [leading('*:1', '127.0.0.1/32', '::1/128'), '127.0.0.2', false],
    [leading('*:1', '0.0.0.0/0', '::/0'), '10.0.0.1', false],
    [leading('*:1', '0.0.0.0/0', '::/0'), '93.184.216.34', true],
    [leading('*:1', '0.0.0.0/0', '::/0'), '4000::1', false],
    [leading('*:1', '4000::/3'), '4000::1', true],
    [leading('*:1', '10.0.0.0/7'), '10.0.0.1', false],
    [leading('*:1', '93.184.216.0/24'), '93.184.216.34', true],
    [leading('*:1', '93.184.216.0/24'), '93.184.217.34', false],
    [leading('*:1', '2001::/23'), '2001:20::1', true],
    [leading('*:1', '2002:a00::/24', '10.0.0.0/8'), '2002:a00:1::1', true],
    [leading('*:1', '169.254.169.254/32'), '169.254.169.254', true],
    [rule('10.0.0.0/8:1'), '10.0.0.1', true],
    [rule('0.0.0.0/0:1'), '93.184.216.34', true],
    [rule('0.0.0.0/0:1'), '10.0.0.1', false],
    [rule('[::]/0:1'), '64:ff9b::7f00:1', false],
    [rule('[::]/0:1'), '64:ff9b::808:808', true],
    [rule('100.64.0.0/10:1'), '100.100.100.200', true],
    [rule('168.63.129.16:1'), '168.63.129.16', true],
    [rule('168.0.0.0/8:1'), '168.63.129.16', false],
  ])('%j and %s: %s', (by, address, allowed) => {
    expect('address' in judge(by, address)).toBe(allowed);
  });

  test.each([
    [NAMES, '93.184.216.34', false],
    [NAMES, '93.184.216.35', true],
    [NAMES, '64:ff9b::5db8:d822', false],
    [rule('0.0.0.0/0:1'), '93.184.216.34', false],
    [rule('93.184.216.0/24:1'), '93.184.216.34', false],
    [rule('93.184.216.34:1'), '93.184.216.34', true],
    [rule('[::ffff:93.184.216.34]:1'), '93.184.216.34', true],
    [leading('*:1', '93.184.216.0/24'), '93.184.216.34', false],
    [leading('*:1', '93.184.216.34/32'), '93.184.216.34', true],
    [TEN, '10.0.0.1', true],
  ])('of this machine is named by nothing but itself: %j and %s: %s', (by, address, allowed) => {
    const own = ['93.184.216.34', '10.0.0.1'];
    expect('address' in judge(by, address, (one) => own.includes(one))).toBe(allowed);
  });

  test('is dialled as IPv4 where it is no more than that', () => {
    expect(judge(NAMES, '::ffff:93.184.216.34')).toEqual({ address: '93.184.216.34' });
    expect(judge(NAMES, '64:ff9b::5DB8:D822')).toEqual({ address: '64:ff9b::5db8:d822' });
  });

  test.each([
    [NAMES, '10.0.0.1', '10.0.0.1 is private (10.0.0.1), and the rule has no resolvesTo'],
    [NAMES, '64:ff9b::a00:1', '64:ff9b::a00:1 is private (10.0.0.1), and the rule has no resolvesTo'],
    [TEN, '93.184.216.34', '93.184.216.34 is public, and resolvesTo does not name it'],
    [TEN, '::1', '::1 is loopback (::1), and no block within that range names it'],
    [NAMES, 'fe80::1%eth0', 'an address with a zone, or none at all'],
  ])('that is refused has a reason for the log: %j, %s', (by, address, fault) => {
    expect(judge(by, address)).toEqual({ fault });
  });
});
