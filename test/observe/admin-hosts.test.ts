import { describe, expect, test } from 'vitest';
import { matchOwnHost } from '../../src/observe/admin-hosts.ts';

const isOwnHost = matchOwnHost(['0.0.0.0', 'gateway.internal', '192.0.2.7', '2001:DB8::7']);

describe('matchOwnHost', () => {
  test.each([
    ['localhost', '10.0.0.5'],
    ['LOCALHOST', '10.0.0.5'],
    ['localhost.', '10.0.0.5'],
    ['app.localhost', '10.0.0.5'],
    ['127.0.0.1', '10.0.0.5'],
    ['127.8.9.10', '10.0.0.5'],
    ['::1', '10.0.0.5'],
    ['0:0:0:0:0:0:0:1', '10.0.0.5'],
    ['::ffff:127.0.0.1', '10.0.0.5'],
    ['10.0.0.5', '10.0.0.5'],
    ['10.0.0.5', '::ffff:10.0.0.5'],
    ['2001:db8:0::9', '2001:db8::9'],
    ['gateway.internal', '10.0.0.5'],
    ['Gateway.Internal.', '10.0.0.5'],
    ['192.0.2.7', '10.0.0.5'],
    ['2001:db8::7', '10.0.0.5'],
  ])('%s is a name of a listener at %s', (host, localAddress) => {
    expect(isOwnHost(host, localAddress)).toBe(true);
  });

  test.each([
    ['rebound.example.com', '127.0.0.1'],
    ['localhost.example.com', '127.0.0.1'],
    ['notlocalhost', '127.0.0.1'],
    ['127.0.0.1.example.com', '127.0.0.1'],
    ['127.1', '127.0.0.1'],
    ['128.0.0.1', '127.0.0.1'],
    ['10.0.0.6', '10.0.0.5'],
    ['::2', '::1'],
    ['sub.gateway.internal', '10.0.0.5'],
    ['gateway.internal.example.com', '10.0.0.5'],
    ['rebound.example.com', ''],
  ])('%s is none of a listener at %s', (host, localAddress) => {
    expect(isOwnHost(host, localAddress)).toBe(false);
  });
});
