import { jwtVerify } from 'jose';
import { describe, expect, test } from 'vitest';
import { createSigner } from '../../../../src/bridge/poll/websocket-over-http/signature.ts';
import { bodyOf, createProfile, openSession } from '../../../support/websocket-over-http.ts';

describe('a request', () => {
  test('goes to the client’s own path and query, and says whose events it holds', () => {
    const request = createProfile({}, { query: 'room=1', protocols: ['v1', 'v2'] }).open();
    expect(request).toEqual({
      method: 'POST',
      path: '/chat?room=1',
      headers: {
        accept: 'application/websocket-events',
        'content-type': 'application/websocket-events',
        'connection-id': 'c-1',
        'sec-websocket-extensions': 'grip',
        'grip-feature': 'filter:skip-self, filter:skip-users, filter:require-sub',
        'sec-websocket-protocol': 'v1, v2',
      },
      body: Buffer.from('OPEN\r\n'),
    });
  });

  test('goes to a path of the configuration', () => {
    const { sends } = openSession(undefined, { poll: { path: '/ws' }, request: { query: 'a=%20' } });
    expect(sends.send([], 1)?.path).toBe('/ws?a=%20');
  });

  test('brings the client’s headers, but none that could pass for the gateway’s', () => {
    const own = [
      'Accept',
      'Content-Type',
      'Content-Encoding',
      'Connection-Id',
      'Connection_Id',
      'X-Connection-Id',
    ];
    const reserved = [
      'Meta-User',
      'META_USER',
      'Grip-Sig',
      'Grip_Sig',
      'Content-Bytes-Replayed',
      'Idempotency-Key',
    ];
    const handshake = [
      'Sec-WebSocket-Extensions',
      'Sec-WebSocket-Key',
      'Upgrade',
      'Connection',
      'Keep-Alive',
      'Host',
    ];
    const forged = [...own, ...reserved, ...handshake].map((name) => [name, 'forged'] as const);
    const upstreamHeaders = [
      ...forged,
      ['Cookie', 'a=1'],
      ['Cookie', 'b=2'],
      ['Authorization', 'Bearer t'],
      ['Origin', 'https://app.example.com'],
      ['X-Forwarded-For', '10.0.0.1'],
      ['Via', 'a'],
      ['Via', 'b'],
      ['Constructor', 'a'],
    ] as const;
    const { headers = {} } = createProfile({}, { upstreamHeaders }).open() ?? {};
    expect(JSON.stringify(headers)).not.toContain('forged');
    expect(headers).toMatchObject({
      cookie: 'a=1; b=2',
      authorization: 'Bearer t',
      origin: 'https://app.example.com',
      'x-forwarded-for': '10.0.0.1',
      via: 'a, b',
      constructor: 'a',
    });
  });

  test('brings no others where the configuration lists some', () => {
    const upstreamHeaders = [['Cookie', 'a=1']] as const;
    const request = createProfile({ headers: ['cookie'] }, { upstreamHeaders }).open();
    expect(request?.headers).not.toHaveProperty('cookie');
  });
});

describe('Grip-Sig', () => {
  test('is a JWT of the issuer that lasts an hour', async () => {
    const request = createProfile({ grip: { secret: 'changeme', issuer: 'pushpin' } }).open();
    const { payload, protectedHeader } = await jwtVerify(
      request?.headers['grip-sig'] ?? '',
      Buffer.from('changeme'),
      { issuer: 'pushpin' },
    );
    expect(protectedHeader).toEqual({ alg: 'HS256', typ: 'JWT' });
    expect(Math.abs((payload.exp ?? 0) - Date.now() / 1000 - 3600)).toBeLessThan(60);
    expect(Object.keys(payload).sort()).toEqual(['exp', 'iss']);
  });

  test('takes a secret of bytes', async () => {
    const key = Buffer.from([0, 1, 255, 13]);
    const sign = createSigner({ secret: `base64:${key.toString('base64')}`, issuer: 'a' });
    await expect(jwtVerify(sign(), key)).resolves.toMatchObject({ payload: { iss: 'a' } });
  });

  test('is made anew each minute', () => {
    let now = 1_000_000_000_000;
    const sign = createSigner({ secret: 'a', issuer: 'b' }, () => now);
    const first = sign();
    now += 59_999;
    expect(sign()).toBe(first);
    now += 1;
    expect(sign()).not.toBe(first);
  });

  test('is in every request, and in none without a secret', () => {
    const { sends, profile } = openSession(undefined, { poll: { grip: { secret: 'x' } } });
    expect(sends.send([], 1)?.headers).toHaveProperty('grip-sig');
    expect(profile.close()?.headers).toHaveProperty('grip-sig');
    const plain = openSession().sends.send([], 1);
    expect(plain?.headers).not.toHaveProperty('grip-sig');
    expect(bodyOf(plain)).toBe('');
  });
});
