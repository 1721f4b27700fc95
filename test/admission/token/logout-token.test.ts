import { describe, expect, test } from 'vitest';
import { openKeys } from '../../../src/admission/token/keys.ts';
import { createLogoutVerifier } from '../../../src/admission/token/logout-token.ts';
import type { Guard } from '../../../src/admission/token/proof.ts';
import { createVerifier } from '../../../src/admission/token/verifier.ts';
import { GatewayError } from '../../../src/errors.ts';
import { fileWith } from '../../support/files.ts';
import {
  claims,
  codeOf,
  encode,
  ISSUER,
  issuer,
  mint,
  NOW_MS,
  NOW_S,
  pem,
  SECRET,
  signingKey,
} from '../../support/tokens.ts';

const ES256 = signingKey('ES256');
const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
const OPEN: Guard = { check() {}, enter: () => () => undefined };

const GOOD = {
  aud: 'app',
  iat: NOW_S,
  exp: NOW_S + 120,
  jti: 'one',
  sid: 'a sign-in',
  events: { [EVENT]: {} },
};

function logout(changes: object = {}, header: object = { typ: 'logout+jwt' }, key = ES256): string {
  return mint(key, { ...GOOD, ...changes }, header);
}

async function verify(token: string, guard = OPEN) {
  const config = issuer({ publicKey: await fileWith(pem(ES256)) });
  const keys = await openKeys(config);
  return createLogoutVerifier(config, { keys, clientId: 'app', now: () => NOW_MS })(token, guard);
}

test('says who has signed out, by which sign-in, and until when it is good', async () => {
  await expect(verify(logout())).resolves.toEqual({
    issuer: ISSUER,
    jti: 'one',
    sid: 'a sign-in',
    subject: 'alice',
    issuedAt: NOW_MS,
    expiresAt: NOW_MS + 125_000,
  });
});

test.each([
  ['a sid alone', { sub: undefined }],
  ['a sub alone', { sid: undefined }],
  ['one of several audiences', { aud: ['else', 'app'] }],
  ['exp within the tolerance', { exp: NOW_S - 4 }],
  ['iat within the tolerance', { iat: NOW_S + 4 }],
  ['further events', { events: { [EVENT]: {}, 'urn:other': {} } }],
])('may have %s', async (_, changes) => {
  await expect(verify(logout(changes))).resolves.toMatchObject({ jti: 'one' });
});

test.each([undefined, 'logout+jwt', 'Logout+JWT', 'application/logout+jwt', 'JWT'])(
  'may have the typ %s',
  async (typ) => {
    await expect(verify(logout({}, { typ }))).resolves.toBeDefined();
  },
);

test.each(['at+jwt', 'secevent+jwt', '', 7, null])('may not have the typ %j', async (typ) => {
  await expect(detailOf(verify(logout({}, { typ })))).resolves.toBe('its typ is not logout+jwt');
});

test.each([
  ['another issuer', { iss: 'https://else.test/' }, /iss/],
  ['another client', { aud: 'other' }, /aud/],
  ['no audience', { aud: undefined }, /aud/],
  ['no iat', { iat: undefined }, /iat is missing/],
  ['iat to come', { iat: NOW_S + 6 }, /iat is no time that has come/],
  ['no exp', { exp: undefined }, /exp is missing/],
  ['exp as a text', { exp: String(NOW_S + 60) }, /exp/],
  ['exp in the past', { exp: NOW_S - 5 }, /exp lies in the past/],
  ['exp long in the past', { exp: 1 }, /exp lies in the past/],
  ['no events', { events: undefined }, /events has no member/],
  ['events as a text', { events: EVENT }, /events has no member/],
  ['events as a list', { events: [EVENT] }, /events has no member/],
  ['another event', { events: { 'urn:other': {} } }, /events has no member/],
  ['an event that is no object', { events: { [EVENT]: true } }, /events has no member/],
  ['an event that is null', { events: { [EVENT]: null } }, /events has no member/],
  ['a nonce', { nonce: 'n' }, /nonce/],
  ['a nonce of null', { nonce: null }, /nonce/],
  ['no jti', { jti: undefined }, /jti is missing/],
  ['an empty jti', { jti: '' }, /jti is not a text/],
  ['a jti of 2,000 characters', { jti: 'x'.repeat(2_000) }, /jti is not a text/],
  ['neither sid nor sub', { sid: undefined, sub: undefined }, /both sid and sub are missing/],
  ['an empty sid beside a sub', { sid: '' }, /sid is not a text/],
  ['a sid that is a number', { sid: 7 }, /sid is not a text/],
  ['a sub that is a list', { sub: ['alice'] }, /sub is not a text/],
])('with %s it counts for nothing', async (_, changes, why) => {
  await expect(detailOf(verify(logout(changes)))).resolves.toMatch(why);
});

describe('a forged one', () => {
  test('with the key of somebody else', async () => {
    await expect(codeOf(verify(logout({}, {}, signingKey('ES256'))))).resolves.toBe('TOKEN_INVALID');
  });

  test.each(['none', 'None', 'HS256'])('with alg %s', async (alg) => {
    const key = signingKey('HS256', alg === 'HS256' ? pem(ES256) : SECRET);
    await expect(codeOf(verify(logout({}, { alg }, key)))).resolves.toBe('TOKEN_INVALID');
    const text = `${encode(JSON.stringify({ alg }))}.${encode(JSON.stringify(claims(GOOD)))}.`;
    await expect(codeOf(verify(text))).resolves.toBe('TOKEN_INVALID');
  });

  test.each(['', 'x', 'a.b.c', 'x'.repeat(9_000)])('which is no token', async (text) => {
    await expect(codeOf(verify(text))).resolves.toBe('TOKEN_INVALID');
  });
});

test('is not looked at where its sender may not ask', async () => {
  const guard: Guard = {
    check: () => {
      throw new GatewayError('RATE_LIMITED');
    },
    enter: () => () => undefined,
  };
  await expect(codeOf(verify(logout(), guard))).resolves.toBe('RATE_LIMITED');
});

test('lets nobody in, though its issuer has signed it for the client that ID tokens are for', async () => {
  const config = issuer({ publicKey: await fileWith(pem(ES256)), audience: ['app'] });
  const verifier = await createVerifier(config, { now: () => NOW_MS });
  await expect(detailOf(verifier.verify(logout()))).resolves.toMatch(/logout token/);
  await expect(verifier.verify(logout({ events: undefined }))).resolves.toBeDefined();
});

async function detailOf(promise: Promise<unknown>): Promise<string | undefined> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof GatewayError)) throw error ?? new Error('it was accepted');
  return error.detail;
}
