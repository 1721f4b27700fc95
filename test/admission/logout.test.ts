import { expect, onTestFinished, test } from 'vitest';
import { createLogOut, type LogoutParty } from '../../src/admission/logout.ts';
import { Revocations } from '../../src/admission/revocations.ts';
import { openKeys } from '../../src/admission/token/keys.ts';
import { createLogoutVerifier } from '../../src/admission/token/logout-token.ts';
import { Verifications } from '../../src/admission/token/verifications.ts';
import { GatewayError } from '../../src/errors.ts';
import { MemoryNotes } from '../../src/store/memory-commons.ts';
import { codeOf, issuer, mint, NOW_MS, NOW_S, SECRET, signingKey } from '../support/tokens.ts';

const HS256 = signingKey('HS256');
const EVENTS = { 'http://schemas.openid.net/event/backchannel-logout': {} };
const ADDRESS = '192.0.2.1';

function logout(changes: object = {}): string {
  const good = { aud: 'app', iat: NOW_S - 2, exp: NOW_S + 60, jti: 'one', sid: 's1', events: EVENTS };
  return mint(HS256, { ...good, ...changes });
}

async function party(clientId: string, iss = 'https://id.test/'): Promise<LogoutParty> {
  const config = issuer({ issuer: iss, secret: SECRET, algorithms: ['HS256'] });
  const keys = await openKeys(config);
  const verify = createLogoutVerifier(config, { keys, clientId, now: () => NOW_MS });
  return { issuer: iss, verify, forMs: 3_600_000 };
}

async function startDesk(add?: () => void) {
  const revocations = new Revocations(() => NOW_MS);
  onTestFinished(() => revocations.close());
  let now = NOW_MS;
  const notes = new MemoryNotes(() => now);
  const parties = [await party('app'), await party('other'), await party('app', 'urn:e')];
  const logOut = createLogOut(parties, {
    revocations: add === undefined ? revocations : { add },
    notes,
    verifications: new Verifications(),
    now: () => now,
  });
  return {
    revocations,
    pass: (ms: number) => {
      now += ms;
    },
    logOut: (token: string) => logOut(token, ADDRESS),
  };
}

test('those of the sign-in are revoked for as long as tokens of the issuer are good', async () => {
  const { logOut, revocations } = await startDesk();
  const revocation = {
    by: 'sid',
    value: 's1',
    issuer: 'https://id.test/',
    at: NOW_MS - 2_000,
    until: NOW_MS + 3_600_000,
  };
  await expect(logOut(logout())).resolves.toEqual({
    issuer: 'https://id.test/',
    subject: 'alice',
    revocation,
  });
  expect([...revocations]).toEqual([revocation]);
});

test('where there is no sign-in, those of the subject that were issued until then are', async () => {
  const { logOut, revocations } = await startDesk();
  await logOut(logout({ sid: undefined }));
  const proof = { subject: 'alice', issuer: 'https://id.test/' };
  expect(revocations.isRevoked({ ...proof, issuedAt: NOW_MS - 2_000 })).toBe(true);
  expect(revocations.isRevoked({ ...proof, issuedAt: NOW_MS - 1_000 })).toBe(false);
  expect(revocations.isRevoked({ ...proof, issuer: 'urn:e', issuedAt: 0 })).toBe(false);
});

test('several at one place are told apart by iss, and by aud', async () => {
  const { logOut } = await startDesk();
  await expect(logOut(logout({ aud: 'other' }))).resolves.toBeDefined();
  await expect(logOut(logout({ iss: 'urn:e' }))).resolves.toMatchObject({ issuer: 'urn:e' });
  await expect(codeOf(logOut(logout({ iss: 'urn:e', aud: 'other' })))).resolves.toBe('TOKEN_INVALID');
  await expect(codeOf(logOut(logout({ iss: 'urn:f' })))).resolves.toBe('TOKEN_INVALID');
});

test('one is good once, for all the time that it says and the tolerance', async () => {
  const { logOut, pass } = await startDesk();
  await logOut(logout());
  pass(64_999);
  const detail = /jti is known/;
  await expect(logOut(logout())).rejects.toMatchObject({ detail: expect.stringMatching(detail) });
  await expect(logOut(logout({ jti: 'two' }))).resolves.toBeDefined();
  await expect(logOut(logout({ iss: 'urn:e' }))).resolves.toBeDefined();
});

test('one that could not be kept may come again', async () => {
  let isFull = true;
  const { logOut } = await startDesk(() => {
    if (isFull) throw new GatewayError('REVOCATIONS_FULL');
  });
  await expect(codeOf(logOut(logout()))).resolves.toBe('REVOCATIONS_FULL');
  isFull = false;
  await expect(logOut(logout())).resolves.toBeDefined();
});

test('bad ones of one address are not looked at without end', async () => {
  const { logOut } = await startDesk();
  const codes = new Set<string>();
  for (let count = 0; count < 100; count++)
    codes.add(await codeOf(logOut(mint(signingKey('HS256', 'x'), { jti: String(count) }))));
  expect([...codes]).toEqual(['TOKEN_INVALID', 'RATE_LIMITED']);
});
