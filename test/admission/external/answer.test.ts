import { describe, expect, test } from 'vitest';
import { readAnswer } from '../../../src/admission/external/answer.ts';
import type { ExternalConfig } from '../../../src/admission/external/service.ts';
import { GatewayError } from '../../../src/errors.ts';
import { RelayedAnswer } from '../../../src/http/relayed-answer.ts';
import { NOW_MS, NOW_S } from '../../support/tokens.ts';

const config = { subject: 'x-user', expires: 'x-auth-expires' } as ExternalConfig;

const read = (status: number, fields: readonly string[] = [], body = '') =>
  readAnswer({ status, fields, body: Buffer.from(body) }, config, 'app.test', NOW_MS);

function refusal(status: number, fields: readonly string[] = [], body = ''): GatewayError {
  try {
    read(status, fields, body);
  } catch (error) {
    if (error instanceof GatewayError) return error;
    throw error;
  }
  throw new Error('it let the client in');
}

describe('a 2xx lets in', () => {
  test.each([200, 202, 204, 299])('with any of its statuses: %d', (status) => {
    expect(read(status)).toEqual({ subject: undefined, claims: {}, expiresAt: undefined });
  });

  test('and its end-to-end fields are claims, by their names in lower case', () => {
    const fields = [
      'X-User',
      'alice',
      'X-Groups',
      'a',
      'x-groups',
      'b',
      'X-Forwarded-User',
      'alice@example.com',
    ];
    expect(read(200, fields)).toEqual({
      subject: 'alice',
      claims: { 'x-user': 'alice', 'x-groups': 'a, b', 'x-forwarded-user': 'alice@example.com' },
      expiresAt: undefined,
    });
  });

  test('but fields of its connection, its body and its cookies are none', () => {
    const fields = ['Connection', 'close, X-Hop', 'X-Hop', '1', 'X_Hop', '1', 'Keep-Alive', 'timeout=5'];
    fields.push(
      'Transfer-Encoding',
      'chunked',
      'Content-Length',
      '2',
      'Set-Cookie',
      'sid=1',
      'Sec-WebSocket-Accept',
      'x',
    );
    expect(read(200, fields).claims).toEqual({});
  });

  test('and a name in UTF-8 is that name, one in Latin-1 too', () => {
    expect(read(200, ['x-user', Buffer.from('José').toString('latin1')]).subject).toBe('José');
    expect(read(200, ['x-user', 'José']).subject).toBe('José');
  });

  test('and a field with the name of a prototype is a field', () => {
    const { claims } = read(200, ['__proto__', 'x', 'constructor', 'y']);
    expect(Object.entries(claims)).toEqual([
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
  });

  test.each([
    [`${NOW_S + 60}`, NOW_MS + 60_000],
    [`${NOW_S + 60}.5`, NOW_MS + 60_500],
    [new Date(NOW_MS + 60_000).toUTCString(), NOW_MS + 60_000],
  ])('until it says: %s', (text, expiresAt) => {
    expect(read(200, ['X-Auth-Expires', text]).expiresAt).toBe(expiresAt);
  });
});

describe('a 2xx does not let in', () => {
  test.each([`${NOW_S}`, new Date(NOW_MS - 1000).toUTCString(), '0'])(
    'where its end has passed: %s',
    (text) => {
      const error = refusal(200, ['x-auth-expires', text]);
      expect(error).toMatchObject({ code: 'TOKEN_EXPIRED', status: 401 });
      expect(error.headers['www-authenticate']).toMatch(/^Bearer realm="app.test"/);
    },
  );

  test.each(['soon', '', '-1', '1e9', `${NOW_MS}`, '2027-01-01', '10, 20', 'Fri, 32 Foo 2027 00:00:00 GMT'])(
    'where its end is none: %j',
    (text) => {
      expect(refusal(200, ['x-auth-expires', text])).toMatchObject({ code: 'AUTH_UNAVAILABLE', status: 503 });
    },
  );

  test('with more fields than are read', () => {
    const many = Array.from({ length: 64 }, (_, index) => [`x-${index}`, 'v']).flat();
    expect(Object.keys(read(200, [...many, 'Set-Cookie', 'a=b', 'Content-Length', '0']).claims)).toHaveLength(
      64,
    );
    expect(refusal(200, [...many, 'x-64', 'v'])).toMatchObject({
      code: 'AUTH_UNAVAILABLE',
      detail: 'the auth service answered with more than 64 fields',
    });
  });

  test('with larger fields than are read', () => {
    expect(read(200, ['x-user', 'v'.repeat(8186)]).subject).toHaveLength(8186);
    expect(refusal(200, ['x-user', 'v'.repeat(8187)])).toMatchObject({ code: 'AUTH_UNAVAILABLE' });
  });
});

describe('a refusal is relayed', () => {
  test.each([
    [401, 'TOKEN_INVALID'],
    [403, 'FORBIDDEN'],
    [302, 'TOKEN_MISSING'],
    [307, 'TOKEN_MISSING'],
  ])('with its status: %d', (status, code) => {
    const error = refusal(status);
    expect(error).toBeInstanceOf(RelayedAnswer);
    expect(error).toMatchObject({
      code,
      status,
      detail: `the auth service answered ${status}`,
      source: 'gateway',
    });
  });

  test('with its end-to-end fields and its body', () => {
    const fields = ['WWW-Authenticate', 'Basic realm="x"', 'Set-Cookie', 'a=b', 'Set-Cookie', 'c=d'];
    const { answer } = refusal(
      401,
      [...fields, 'Connection', 'x-hop', 'X-Hop', '1', 'Keep-Alive', '5'],
      'who?',
    ) as RelayedAnswer;
    expect(answer).toEqual({
      status: 401,
      headers: [
        ['WWW-Authenticate', 'Basic realm="x"'],
        ['Set-Cookie', 'a=b'],
        ['Set-Cookie', 'c=d'],
      ],
      body: Buffer.from('who?'),
    });
  });
});

test.each([304, 400, 404, 407, 429, 500, 502, 503])('everything else is our 503: %d', (status) => {
  expect(refusal(status, ['retry-after', '9'], 'secret')).toMatchObject({
    code: 'AUTH_UNAVAILABLE',
    status: 503,
    detail: `the auth service answered ${status}`,
    headers: { 'retry-after': '5' },
  });
});
