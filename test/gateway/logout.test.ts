import { once } from 'node:events';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { bearer, connect } from '../support/endpoints.ts';
import { startEcho } from '../support/faulty.ts';
import { freshToken, TOKEN_ENV } from '../support/fresh.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { within } from '../support/patience.ts';
import { handshake, say } from '../support/raw.ts';
import { ISSUER, mint, SECRET, signingKey } from '../support/tokens.ts';

/** Who has signed out at the identity provider is not let in any more, and does not stay. */

const HS = signingKey('HS256', SECRET);
const EVENTS = { 'http://schemas.openid.net/event/backchannel-logout': {} };
const nowS = () => Math.floor(Date.now() / 1000);

let gateway: TestGateway;
let count = 0;

beforeEach(async () => {
  const echo = await startEcho();
  onTestFinished(() => echo.close());
  const keys = `algorithms: [HS256], secret: "\${TEST_SECRET}", clockTolerance: 0s`;
  gateway = await startGateway(
    `issuers:
  main: { issuer: "${ISSUER}", audience: realtime, ${keys}, logout: { clientId: app } }
  other: { issuer: "urn:other", audience: realtime, ${keys}, logout: { clientId: app, path: /goodbye } }
routes:
  - { name: chat, match: { path: /chat }, auth: { issuer: [main, other] }, upstream: { websocket: "ws://127.0.0.1:${echo.port}" } }
  - { name: site, match: { path: /* }, auth: none, upstream: { http: "http://127.0.0.1:1", upgrades: off } }`,
    TOKEN_ENV,
  );
  onTestFinished(() => gateway.close());
});

async function enter(claims: object): Promise<WebSocket | number> {
  return connect(gateway.url('/chat'), bearer(freshToken({ iat: nowS() - 60, ...claims })));
}

async function open(claims: object): Promise<WebSocket> {
  const socket = await enter(claims);
  if (typeof socket === 'number') throw new Error(`refused with ${socket}`);
  return socket;
}

function logoutToken(changes: object = {}): string {
  const claims = { aud: 'app', iat: nowS(), exp: nowS() + 60, jti: `logout ${++count}`, events: EVENTS };
  return mint(HS, { ...claims, ...changes }, { typ: 'logout+jwt' });
}

function post(token: string, path = '/.sallyport/logout', init: RequestInit = {}): Promise<Response> {
  const body = new URLSearchParams({ logout_token: token });
  return fetch(`http://127.0.0.1:${gateway.port}${path}`, { method: 'POST', body, ...init });
}

test('the sessions of the sign-in end with 3000, new ones get 401, and those of another sign-in stay', async () => {
  const [here, there] = [await open({ sid: 's1' }), await open({ sid: 's2' })];
  const ended = once(here, 'close');
  const answer = await post(logoutToken({ sid: 's1' }));
  expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'no-store']);
  expect(await answer.text()).toBe('');
  expect(await within(ended, 'the end')).toEqual([3000, Buffer.from('The token was revoked.')]);
  expect(await enter({ sid: 's1' })).toBe(401);
  await open({ sid: 's3' });
  expect(there.readyState).toBe(WebSocket.OPEN);
  await gateway.logged((line) => line.route === '/.sallyport/logout' && line.subject === 'alice');
});

test('without a sign-in those of the subject do, and who signs in again is let in', async () => {
  const here = await open({ sub: 'bob', sid: 's1' });
  const ended = once(here, 'close');
  expect((await post(logoutToken({ sub: 'bob', iat: nowS() - 10 }))).status).toBe(200);
  expect((await within(ended, 'the end'))[0]).toBe(3000);
  expect(await enter({ sub: 'bob' })).toBe(401);
  await open({ sub: 'bob', iat: nowS() });
  await open({ sub: 'alice' });
});

test('each issuer has its own path, and its own sign-ins', async () => {
  const here = await open({ sid: 's1' });
  expect((await post(logoutToken({ iss: 'urn:other', sid: 's1' }))).status).toBe(400);
  expect((await post(logoutToken({ iss: 'urn:other', sid: 's1' }), '/goodbye')).status).toBe(200);
  expect(await enter({ iss: 'urn:other', sid: 's1' })).toBe(401);
  await open({ sid: 's1' });
  expect(here.readyState).toBe(WebSocket.OPEN);
});

describe('is answered with 400, logged with why and never with the token, and ends nothing:', () => {
  const good = { sid: 's1' };
  test.each([
    ['a forged one', () => mint(signingKey('HS256', 'other'), good), /no key of the issuer/],
    ['an access token', () => freshToken(good), /aud/],
    ['one for another client', () => logoutToken({ ...good, aud: 'other' }), /aud/],
    ['an ID token in its dress', () => logoutToken({ ...good, nonce: 'n' }), /nonce/],
    ['one of another issuer', () => logoutToken({ ...good, iss: 'urn:other' }), /no issuer with logout/],
    ['no token', () => 'x', /three parts/],
    ['nothing', () => '', /three parts/],
  ])('%s', async (_, make, why) => {
    const here = await open(good);
    const token = make();
    const answer = await post(token);
    expect(answer.status).toBe(400);
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(await answer.json()).toEqual({
      error: 'invalid_request',
      error_description: 'The logout token does not count here, or not again.',
    });
    const line = await gateway.logged(({ error }) => error === 'LOGOUT_REFUSED');
    expect(line).toMatchObject({
      status: 400,
      route: '/.sallyport/logout',
      detail: expect.stringMatching(why),
    });
    if (token.length > 1) expect(JSON.stringify(gateway.log)).not.toContain(token.split('.')[1]);
    await open(good);
    expect(here.readyState).toBe(WebSocket.OPEN);
  });

  test('one that was shown before', async () => {
    const token = logoutToken({ sid: 's9' });
    expect((await Promise.all([post(token), post(token)])).map(({ status }) => status).sort()).toEqual([
      200, 400,
    ]);
    expect((await post(token)).status).toBe(400);
  });

  test.each([
    ['no form', () => ({ body: `logout_token=${logoutToken()}`, headers: { 'content-type': 'text/plain' } })],
    ['two tokens', () => ({ body: new URLSearchParams([pair(), pair()]) })],
    ['another parameter', () => ({ body: new URLSearchParams({ token: logoutToken() }) })],
  ])('%s', async (_, init) => {
    const answer = await post('', undefined, init());
    expect(answer.status).toBe(400);
    await gateway.logged(({ error }) => error === 'LOGOUT_REFUSED');
  });

  const pair = (): [string, string] => ['logout_token', logoutToken()];
});

test('a body beyond all bounds is not read to its end', async () => {
  const answer = await post('x'.repeat(70_000));
  expect(answer.status).toBe(413);
});

test('is for POST alone, and no page of another origin can read what comes of it', async () => {
  const wire = await say(gateway.port, handshake('/.sallyport/logout'));
  expect((await wire.answer()).status).toBe(404);
  const read = await post('', undefined, { method: 'GET', body: null });
  expect([read.status, read.headers.get('allow')]).toEqual([405, 'POST, OPTIONS']);
  const answer = await post(logoutToken(), undefined, { headers: { origin: 'https://evil.test' } });
  expect(answer.status).toBe(200);
  expect(answer.headers.has('access-control-allow-origin')).toBe(false);
});
