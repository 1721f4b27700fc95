import { describe, expect, test } from 'vitest';
import { webSocketTargetOf } from '../../src/upstream/target.ts';

describe('the WebSockets of an http service', () => {
  test.each([
    ['http://10.0.0.5:3000', { host: '10.0.0.5', port: 3000, secure: false }],
    ['http://app.internal', { host: 'app.internal', port: 80, secure: false }],
    ['https://app.internal', { host: 'app.internal', port: 443, secure: true }],
    ['https://[2001:db8::9]:8443/base', { host: '2001:db8::9', port: 8443, secure: true }],
  ])('of %s are at %j', (url, place) => {
    expect(webSocketTargetOf(url)).toMatchObject(place);
  });

  test.each([
    ['http://a', '/live', '', '/live'],
    ['http://a/', '/live', 'x=1', '/live?x=1'],
    ['http://a/base', '/', '', '/base/'],
    ['http://a/base/', '/live/caf%E9', 'x=%2F', '/base/live/caf%E9?x=%2F'],
    ['http://a/base?key=k', '/live', '', '/base/live?key=k'],
    ['http://a/base?key=k', '/live', 'x=1', '/base/live?key=k&x=1'],
  ])('of %s are asked for %s, %j as %s', (url, path, query, target) => {
    expect(webSocketTargetOf(url).targetFor({ path, query, captures: {} })).toBe(target);
  });
});
