import { afterAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { WebSocket } from 'ws';
import { ask, bearer, closeOf, opened, post } from '../support/endpoints.ts';
import { startEcho, type Upstream } from '../support/faulty.ts';
import { freshToken, TOKEN_ENV } from '../support/fresh.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { type Answer, CLOSE, handshake, say } from '../support/raw.ts';
import { ISSUER } from '../support/tokens.ts';

/** A client that is connected shows a new token, and stays. */

const ADMIN_SECRET = 'a-secret-of-operators-who-revoke-tokens';
const REFRESH = '/.sallyport/refresh';
const PAGE = 'https://app.test';

let echo: Upstream;
let gateway: TestGateway;

const issuer = (audience: string, iss = ISSUER) =>
  `{ issuer: "${iss}", audience: ${audience}, algorithms: [HS256], secret: "\${TEST_SECRET}", clockTolerance: 0s }`;

beforeEach(async () => {
  echo ??= await startEcho();
  const upstream = `upstream: { websocket: "ws://127.0.0.1:${echo.port}" }`;
  gateway = await startGateway(
    `listeners: [{ host: 127.0.0.1, port: 0 }]
admin: { port: 0, secret: ${ADMIN_SECRET} }
issuers: { main: ${issuer('realtime')}, other: ${issuer('realtime', 'https://other.test/')}, games: ${issuer('games')} }
routes:
  - { name: chat, match: { path: /chat }, auth: { issuer: main }, ${upstream} }
  - { name: board, match: { path: /board }, auth: { issuer: main, require: { role: editor } }, ${upstream} }
  - { name: games, match: { path: /games }, auth: { issuer: games }, ${upstream} }
  - { name: other, match: { path: /other }, auth: { issuer: other }, ${upstream} }
  - { name: page, match: { path: /page }, origins: ["${PAGE}"], auth: { issuer: main, token: ["cookie:session"] }, ${upstream} }
  - { name: script, match: { path: /script }, origins: ["${PAGE}"], auth: { issuer: main, token: ["query:t"] }, ${upstream} }
  - { name: basic, match: { path: /basic }, auth: { issuer: main, token: [basic] }, ${upstream} }
  - { name: forever, match: { path: /forever }, auth: { issuer: main, onExpiry: ignore }, ${upstream} }
  - { name: elsewhere, match: { host: elsewhere.test, path: /* }, auth: { issuer: main }, ${upstream} }`,
    TOKEN_ENV,
  );
  onTestFinished(() => gateway.close());
});
afterAll(() => echo.close());

const inSeconds = (seconds: number) => Date.now() / 1000 + seconds;
const open = (path: string, changes: object = {}): Promise<WebSocket> =>
  opened(gateway.url(path), bearer(freshToken({ ...changes })));

const refresh = (token: string, query = '', fields = {}) =>
  post(gateway.port, REFRESH + query, { ...bearer(token), ...fields });
const read = ({ status, body }: Answer) => ({ status, ...(JSON.parse(body) as Record<string, unknown>) });

describe('a new token', () => {
  test.each(['?sesion=1', '?session=1&session=2', '?t=1'])(
    'is not taken with %s, which says nothing',
    async (query) => {
      const answer = await refresh(freshToken({ exp: inSeconds(100) }), query);
      expect(answer.status).toBe(400);
      expect(answer.body).toMatch(/^BAD_REQUEST/);
    },
  );

  test('keeps a session open beyond the end of the first one; without it there is a 3000', async () => {
    const exp = inSeconds(0.5);
    const [stays, goes] = [await open('/chat', { exp }), await open('/chat', { exp, sub: 'bob' })];
    const later = inSeconds(100);
    const answer = await refresh(freshToken({ exp: later }));
    expect(read(answer)).toEqual({
      status: 200,
      extended: 1,
      ended: 0,
      sessions: [
        {
          id: expect.stringMatching(/^[\da-f-]{36}$/),
          route: 'chat',
          path: '/chat',
          since: expect.stringMatching(/Z$/),
          expires: new Date(later * 1000).toISOString(),
        },
      ],
    });
    expect(await closeOf(goes)).toEqual([3000, 'The token has expired.']);
    expect(stays.readyState).toBe(stays.OPEN);
    const close = closeOf(stays);
    await refresh(freshToken({ exp: inSeconds(1000), role: 'none' }));
    stays.close(4000);
    expect((await close)[0]).toBe(4000);
  });

  test('is for the sessions of its issuer, its subject and its audience', async () => {
    await open('/chat');
    await open('/chat', { sub: 'bob' });
    await open('/games', { aud: 'games' });
    await open('/other', { iss: 'https://other.test/' });
    await open('/forever');
    expect(read(await refresh(freshToken({ exp: inSeconds(9000) })))).toMatchObject({ extended: 1 });
    expect(read(await refresh(freshToken({ exp: inSeconds(9000), aud: 'games' })))).toMatchObject({
      extended: 1,
      sessions: [{ route: 'games' }],
    });
    expect(read(await refresh(freshToken({ exp: inSeconds(9000), sub: 'carol' })))).toEqual({
      ...{ status: 200, extended: 0, ended: 0, sessions: [] },
    });
  });

  test('is for those of one route, or for one session, where that is said', async () => {
    await open('/chat');
    await open('/chat');
    await open('/basic', {}).catch(() => undefined);
    const editor = freshToken({ role: 'editor', exp: inSeconds(9000) });
    await open('/board', { role: 'editor' });
    expect(read(await refresh(editor))).toMatchObject({ extended: 3 });
    const { sessions } = read(await refresh(editor, '?route=chat')) as never as {
      sessions: { id: string }[];
    };
    expect(sessions).toHaveLength(2);
    const one = read(await refresh(editor, `?session=${sessions[1]?.id}`));
    expect(one).toMatchObject({ extended: 1, sessions: [sessions[1]] });
    const bobs = freshToken({ sub: 'bob', exp: inSeconds(9000) });
    expect(read(await refresh(bobs, `?session=${sessions[1]?.id}`))).toMatchObject({ extended: 0 });
    expect(await refresh(editor, '?route=nowhere')).toMatchObject({ status: 404 });
    expect(await refresh(editor, '?route=forever')).toMatchObject({ status: 404 });
  });

  test('that ends earlier shortens nothing', async () => {
    const exp = Math.floor(inSeconds(5000));
    await open('/chat', { exp });
    expect(read(await refresh(freshToken({ exp: inSeconds(1) })))).toMatchObject({
      extended: 1,
      sessions: [{ expires: new Date(exp * 1000).toISOString() }],
    });
  });

  test('that a route would not let in ends the sessions there with 3003, and extends the others', async () => {
    const [board, chat] = [await open('/board', { role: 'editor' }), await open('/chat')];
    const bobs = await open('/board', { role: 'editor', sub: 'bob' });
    const closed = closeOf(board);
    expect(read(await refresh(freshToken({ role: 'reader' })))).toMatchObject({ extended: 1, ended: 1 });
    expect(await closed).toEqual([3003, 'The token does not permit this.']);
    expect([chat.readyState, bobs.readyState]).toEqual([chat.OPEN, chat.OPEN]);
  });

  test('is refused with 403 where no route lets it in, and the sessions end', async () => {
    const closed = closeOf(await open('/board', { role: 'editor' }));
    const answer = await refresh(freshToken({ role: 'reader' }), '?route=board');
    expect(answer).toMatchObject({ status: 403, body: expect.stringContaining('FORBIDDEN') });
    expect((await closed)[0]).toBe(3003);
  });

  test('takes the place of the old one in what can be revoked', async () => {
    const socket = await open('/chat', { jti: 'first' });
    await refresh(freshToken({ jti: 'second', exp: inSeconds(9000) }));
    await revoke({ jti: 'first' });
    expect(read(await refresh(freshToken({ jti: 'third', exp: inSeconds(9500) })))).toMatchObject({
      extended: 1,
    });
    const closed = closeOf(socket);
    await revoke({ jti: 'third' });
    expect((await closed)[0]).toBe(3000);
  });
});

test('comes too late for a session that is told its end', async () => {
  using client = await openWire(gateway.port, '/chat', bearer(freshToken({ exp: inSeconds(0.3) })));
  client.polite = false;
  await client.until(() => client.frames.some(({ opcode }) => opcode === CLOSE), 'a Close');
  expect(read(await refresh(freshToken()))).toMatchObject({ extended: 0, sessions: [] });
});

describe('is refused', () => {
  const SOON = { exp: inSeconds(-100) };
  test.each<[string, number, () => string, string]>([
    ['expired', 401, () => freshToken(SOON), 'TOKEN_EXPIRED'],
    ['forged', 401, () => `${freshToken()}x`, 'TOKEN_INVALID'],
    ['of an issuer of none', 401, () => freshToken({ iss: 'https://nobody.test/' }), 'TOKEN_INVALID'],
    ['without a subject', 403, () => freshToken({ sub: undefined }), 'FORBIDDEN'],
  ])('a token that is %s: %i', async (_name, status, token, code) => {
    await open('/chat', { sub: undefined });
    const socket = await open('/chat');
    expect(await refresh(token())).toMatchObject({ status, body: expect.stringContaining(code) });
    expect(socket.readyState).toBe(socket.OPEN);
    const line = await gateway.logged(({ route }) => route === REFRESH);
    expect(line).toMatchObject({ error: code, status, path: REFRESH, msg: 'request refused' });
  });

  test('a token that was revoked: 401', async () => {
    const token = freshToken({ jti: 'a' });
    await open('/chat', { jti: 'b' });
    await revoke({ jti: 'a' });
    expect(await refresh(token)).toMatchObject({
      ...{ status: 401, body: expect.stringContaining('TOKEN_REVOKED') },
      headers: { 'www-authenticate': expect.stringContaining('was revoked') },
    });
  });

  test('who shows none, or one in the query: 401', async () => {
    expect(await post(gateway.port, REFRESH)).toMatchObject({ status: 401 });
    const answer = await post(gateway.port, `${REFRESH}?t=${freshToken()}`, { Origin: PAGE });
    expect(answer).toMatchObject({ status: 401, body: expect.stringContaining('TOKEN_MISSING') });
  });

  test('who shows bad ones without end: 429, and one is counted once however many routes see it', async () => {
    // At once: what is allowed fills again while they come one by one.
    const answers = await Promise.all(Array.from({ length: 130 }, () => refresh(`${freshToken()}x`)));
    const statuses = answers.map(({ status }) => status);
    expect(new Set(statuses)).toEqual(new Set([401, 429]));
    expect(statuses.filter((status) => status === 401).length).toBeGreaterThanOrEqual(40);
  });

  test('who shows good ones without end: 429', async () => {
    const token = freshToken();
    const answers = await Promise.all(Array.from({ length: 130 }, () => refresh(token)));
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused[0]?.headers['retry-after']).toBe('1');
    expect((await refresh(freshToken({ sub: 'bob' }))).status).toBe(200);
  });
});

describe('a page', () => {
  const cookie = (token = freshToken()) => ({ Cookie: `session=${token}` });

  test('of the origins of a route may ask from elsewhere, with its cookie', async () => {
    const socket = await opened(gateway.url('/page'), { ...cookie(), Origin: PAGE });
    const answer = await post(gateway.port, REFRESH, { ...cookie(), Origin: PAGE });
    expect(read(answer)).toMatchObject({ status: 200, extended: 1 });
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': PAGE,
      'access-control-allow-credentials': 'true',
      'cache-control': 'no-store',
      'content-type': 'application/json',
      vary: 'Origin',
    });
    expect(socket.readyState).toBe(socket.OPEN);
  });

  test('may read why it is refused', async () => {
    const answer = await post(gateway.port, REFRESH, { ...bearer('x'), Origin: PAGE });
    expect(answer).toMatchObject({ status: 401, headers: { 'access-control-allow-origin': PAGE } });
  });

  test('of another origin gets 403 and no CORS field, and its cookie does nothing', async () => {
    const socket = await opened(gateway.url('/page'), { ...cookie(), Origin: PAGE });
    const answer = await post(gateway.port, REFRESH, {
      ...cookie(freshToken({ exp: inSeconds(9000) })),
      Origin: 'https://evil.test',
    });
    expect(answer).toMatchObject({ status: 403, body: expect.stringContaining('ORIGIN_REFUSED') });
    expect(Object.keys(answer.headers).join()).not.toContain('access-control');
    expect(socket.readyState).toBe(socket.OPEN);
  });

  test('that hides where it comes from gets 403 for a cookie', async () => {
    expect(await post(gateway.port, `${REFRESH}?route=page`, cookie())).toMatchObject({ status: 403 });
  });

  const asked = {
    'Access-Control-Request-Method': 'POST',
    'Access-Control-Request-Headers': 'authorization',
  };
  test('may send a preflight before it', async () => {
    const answer = await ask(gateway.port, 'OPTIONS', REFRESH, { Origin: PAGE, ...asked });
    expect(answer).toMatchObject({
      status: 204,
      headers: {
        'access-control-allow-origin': PAGE,
        'access-control-allow-methods': 'POST',
        'access-control-allow-headers': 'authorization',
        'access-control-max-age': '600',
      },
    });
  });

  test('hears where nothing answers, and that a parameter is none', async () => {
    const path = '/.sallyport/refrsh';
    expect(await ask(gateway.port, 'OPTIONS', path, { Origin: PAGE, ...asked })).toMatchObject({
      status: 204,
    });
    const fields = { Origin: PAGE, ...bearer(freshToken()) };
    expect(await post(gateway.port, path, fields)).toMatchObject({
      ...{ status: 404, headers: { 'access-control-allow-origin': PAGE } },
    });
    expect(await gateway.logged((line) => line.path === path)).toMatchObject({ route: '/.sallyport' });
    expect(await post(gateway.port, `${REFRESH}?rout=page`, fields)).toMatchObject({
      body: 'BAD_REQUEST: The parameters here are route, session, each once.\n',
    });
  });

  test.each([
    ['of another origin', REFRESH, 'https://evil.test'],
    ['of the pages of another route', `${REFRESH}?route=chat`, PAGE],
  ])('a preflight %s gets 403', async (_, path, Origin) => {
    const answer = await ask(gateway.port, 'OPTIONS', path, { Origin, ...asked });
    expect([answer.status, Object.keys(answer.headers).join()]).toEqual([
      403,
      expect.not.stringContaining('access-control'),
    ]);
  });
});

test('the password of Basic is a token, too, where a route takes it', async () => {
  const basic = (token: string) => ({
    Authorization: `Basic ${Buffer.from(`x:${token}`).toString('base64')}`,
  });
  await opened(gateway.url('/basic'), basic(freshToken()));
  const answer = await post(gateway.port, REFRESH, basic(freshToken({ exp: inSeconds(9000) })));
  expect(read(answer)).toMatchObject({ extended: 1, sessions: [{ route: 'basic' }] });
});

test('routes of another host are asked at that host', async () => {
  await opened(gateway.url('/x'), { ...bearer(freshToken()), Host: 'elsewhere.test' });
  expect(read(await refresh(freshToken()))).toMatchObject({ extended: 0 });
  const there = { Host: 'elsewhere.test' };
  expect(read(await refresh(freshToken(), '', there))).toMatchObject({ extended: 1 });
});

test('the log says whose it was, and holds no token', async () => {
  const token = freshToken();
  await refresh(token);
  expect(await gateway.logged(({ msg }) => msg === 'request served')).toMatchObject({
    ...{ route: REFRESH, method: 'POST', subject: 'alice', issuer: ISSUER, status: 200 },
  });
  expect(JSON.stringify(gateway.log)).not.toContain(token.slice(-20));
  expect(await gateway.metrics()).toContain(`sallyport_requests_total{route="${REFRESH}",status="2xx"} 1`);
});

async function openWire(port: number, path: string, fields: Record<string, string>) {
  const client = await say(port, handshake(path, fields));
  await client.until(() => client.head !== undefined, 'a 101');
  return client;
}

async function revoke(body: object): Promise<void> {
  const url = `http://127.0.0.1:${gateway.gateway.adminAddress?.port}/revocations`;
  const headers = { authorization: `Bearer ${ADMIN_SECRET}` };
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  expect(answer.status).toBe(200);
}
