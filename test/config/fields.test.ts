import { describe, expect, test } from 'vitest';
import type { z } from 'zod';
import {
  cidr,
  headerName,
  hostName,
  hostPattern,
  leeway,
  oneOrMany,
  optionalDuration,
  origin,
  pathPattern,
  serviceAddress,
  tokenSource,
  url,
} from '../../src/config/fields.ts';

function accepts(field: z.ZodType, text: unknown): boolean {
  return field.safeParse(text).success;
}

describe('origin', () => {
  test.each([
    'https://app.example.com',
    'https://app.example.com:8443',
    'https://*.example.com',
    'http://localhost:3000',
    'http://[::1]:3000',
    'HTTPS://App.Example.com',
    'capacitor://localhost',
    'http://localhost:*',
    'https://*.example.com:*',
    'file://',
    'null',
    '*',
  ])('accepts %s', (text) => expect(accepts(origin, text)).toBe(true));

  test.each([
    'app.example.com',
    'https://',
    'https://app.example.com/',
    'https://app.example.com/path',
    'https://user@app.example.com',
    'https://a.*.example.com',
    'https://*',
    'https://*.',
    'https://*example.com',
    'file:///x',
    'https://app.example.com:8*',
    'https://:*',
    'https://app.example.com?x',
  ])('refuses %s', (text) => expect(accepts(origin, text)).toBe(false));

  test('is lower case, as browsers send it', () => {
    expect(origin.parse('HTTPS://App.Example.com')).toBe('https://app.example.com');
  });
});

describe('hostName', () => {
  test.each([
    ['Gateway.Internal', 'gateway.internal'],
    ['my_gateway', 'my_gateway'],
    ['10.0.0.9', '10.0.0.9'],
    ['2001:DB8::9', '2001:db8::9'],
    ['[2001:db8::9]', '2001:db8::9'],
  ])('reads %s', (text, value) => expect(hostName.parse(text)).toBe(value));

  test.each([
    '',
    '*.internal',
    'gateway.internal:9090',
    'http://gateway.internal',
    '.internal',
    '[::1',
    'a b',
  ])('refuses %j', (text) => expect(accepts(hostName, text)).toBe(false));
});

describe('serviceAddress', () => {
  test.each([
    ['10.0.0.9:5900', { host: '10.0.0.9', port: 5900 }],
    ['db.internal:5432', { host: 'db.internal', port: 5432 }],
    ['[2001:db8::9]:5900', { host: '2001:db8::9', port: 5900 }],
    ['unix:5900', { host: 'unix', port: 5900 }],
    ['unix:/run/db@1.sock', { socketPath: '/run/db@1.sock' }],
  ])('reads %s', (text, value) => expect(serviceAddress.parse(text)).toEqual(value));

  test.each([
    '10.0.0.9',
    ':5900',
    'a:0',
    'a:65536',
    'a:b',
    '2001:db8::9:5900',
    '[zz]:1',
    'tcp://a:1',
    'a b:1',
    'a:1/x',
  ])('refuses %s', (text) => expect(accepts(serviceAddress, text)).toBe(false));
});

describe('hostPattern', () => {
  test.each(['app.example.com', '*.example.com', 'localhost', '127.0.0.1', '[::1]', '::1'])(
    'accepts %s',
    (text) => expect(accepts(hostPattern, text)).toBe(true),
  );
  test.each(['', '*', 'a.*.com', 'https://a', 'a:80', 'a/b', '-a', '*.*.com'])('refuses %j', (text) =>
    expect(accepts(hostPattern, text)).toBe(false),
  );
});

describe('pathPattern', () => {
  test.each([
    '/{host}:{port}',
    '/v1/{a}-{b}/*',
    '/{a}@[{b}',
    '/',
    '/chat',
    '/chat/',
    '/chat/*',
    '/*',
    '/rooms/{room}',
    '/rooms/{room}/*',
    '/a.b-c_d~e',
    '/.well-known/..x',
  ])('accepts %s', (text) => expect(accepts(pathPattern, text)).toBe(true));
  test.each([
    '/{a}{b}',
    '/{a}:{b}:{c}',
    '/{a}x{b}',
    '/{a};{b}',
    '/{a}:',
    '/x{a}',
    '',
    'chat',
    '*',
    '/a*',
    '/*/a',
    '/{}',
    '/{1}',
    '/{a',
    '/a{b}',
    '/a?b',
    '/a#b',
    '/a%2fb',
    '/a b',
    '/a;b',
    '/a\\b',
    '/a//b',
    '//',
    '//*',
    '/a/../b',
    '/a/.',
  ])('refuses %j', (text) => expect(accepts(pathPattern, text)).toBe(false));
});

describe('tokenSource', () => {
  test.each([
    ['header', { from: 'header', name: '' }],
    ['subprotocol', { from: 'subprotocol', name: '' }],
    ['cookie:session', { from: 'cookie', name: 'session' }],
    ['query:access_token', { from: 'query', name: 'access_token' }],
  ])('reads %s', (text, value) => expect(tokenSource.parse(text)).toEqual(value));

  test.each([
    '',
    'cookie',
    'cookie:',
    'query:a b',
    'header:',
    'header:Authorization',
    'header:cookie',
    'header:sec-websocket-protocol',
    'header:connection',
    'basic:x',
    'body',
  ])('refuses %j', (text) => expect(accepts(tokenSource, text)).toBe(false));
});

describe('url', () => {
  const field = url('ws', 'wss');
  test.each(['ws://10.0.0.5:3000/live', 'wss://a.example.com', 'ws://[::1]:1/x?y=z'])('accepts %s', (text) =>
    expect(field.parse(text)).toBe(text),
  );
  test.each(['http://a', 'ws://', 'ws://a#b', 'ws://user:pass@a', 'ws://:pass@a', 'ws://user@a', '//a', 'a'])(
    'refuses %s',
    (text) => expect(accepts(field, text)).toBe(false),
  );
});

describe('cidr', () => {
  test.each([
    ['10.0.0.0/8', '10.0.0.0', 8],
    ['10.1.2.3', '10.1.2.3', 32],
    ['2001:db8::/32', '2001:db8::', 32],
    ['::1', '::1', 128],
  ])('reads %s', (text, address, prefix) => {
    const [block, length] = cidr.parse(text);
    expect([block.toString(), length]).toEqual([address, prefix]);
  });
  test.each(['', 'localhost', '10.0.0.0/33', '10.0.0', '10.0.0.0/', '1', '0x7f.1'])('refuses %j', (text) =>
    expect(accepts(cidr, text)).toBe(false),
  );
});

test('leeway may be none', () => {
  expect([leeway.parse('0s'), leeway.parse('5s')]).toEqual([0, 5_000]);
  expect(accepts(leeway, '0')).toBe(false);
});

test('optionalDuration reads off as none', () => {
  expect(optionalDuration.parse('off')).toBeUndefined();
  expect(optionalDuration.parse('5m')).toBe(300_000);
  expect(accepts(optionalDuration, 'on')).toBe(false);
});

test('headerName is lower case', () => {
  expect(headerName.parse('X-User')).toBe('x-user');
  expect(accepts(headerName, 'x user')).toBe(false);
  expect(accepts(headerName, 'x:user')).toBe(false);
});

test('oneOrMany reads one value as a list of one, and no empty list', () => {
  const field = oneOrMany(serviceAddress);
  expect(field.parse('a:1')).toEqual([{ host: 'a', port: 1 }]);
  expect(field.parse(['a:1', 'b:2'])).toHaveLength(2);
  expect(accepts(field, [])).toBe(false);
});
