import { describe, expect, test } from 'vitest';
import { fieldsFrom, ourFields } from '../../../src/admission/external/question.ts';
import { requestOf } from '../../support/requests.ts';

describe('of the client’s fields', () => {
  const headers = [
    ['Cookie', 'a=b'],
    ['X-Forwarded-User', 'root'],
    ['cookie', 'c=d'],
    ['Authorization', 'Bearer x'],
    ['Accept', 'text/html'],
  ] as const;

  test('those that are asked for go along as they are', () => {
    expect(fieldsFrom(requestOf({ headers }), new Set(['cookie', 'authorization']))).toEqual([
      ['Cookie', 'a=b'],
      ['cookie', 'c=d'],
      ['Authorization', 'Bearer x'],
    ]);
  });

  test('those that it calls its connection’s do not', () => {
    const request = requestOf({ headers: [...headers, ['Connection', 'upgrade, Cookie']] });
    expect(fieldsFrom(request, new Set(['cookie', 'accept']))).toEqual([['Accept', 'text/html']]);
  });
});

describe('our fields tell', () => {
  const told = (changes: Parameters<typeof requestOf>[0]) =>
    Object.fromEntries(ourFields(requestOf(changes)));

  test('what is asked for, where, how and by whom', () => {
    const asked = { method: 'POST', path: '/a%2Fb', query: 'c=d&e', clientAuthority: 'app.test:8443' };
    expect(told({ ...asked, clientAddress: '192.0.2.1', peerAddress: '192.0.2.1' })).toEqual({
      'x-forwarded-method': 'POST',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'app.test:8443',
      'x-forwarded-uri': '/a%2Fb?c=d&e',
      'x-forwarded-for': '192.0.2.1',
      'x-original-method': 'POST',
      'x-original-url': 'https://app.test:8443/a%2Fb?c=d&e',
    });
  });

  test('which proxy speaks for the client', () => {
    expect(told({ clientAddress: '192.0.2.1', peerAddress: '10.0.0.1' })['x-forwarded-for']).toBe(
      '192.0.2.1, 10.0.0.1',
    );
  });

  test.each([
    [{ path: '/x', query: '' }, '/x?'],
    [{ path: '*', method: 'OPTIONS' }, '/'],
  ])('the address as it was sent: %j', (changes, uri) => {
    expect(told({ ...changes, secure: false })).toMatchObject({
      'x-forwarded-uri': uri,
      'x-original-url': `http://app.test${uri}`,
    });
  });
});
