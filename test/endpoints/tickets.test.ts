import { afterAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { connect, type Fields, opened, post } from '../support/endpoints.ts';
import { startEcho, type Upstream } from '../support/faulty.ts';
import { freshToken, TOKEN_ENV, TOKEN_ISSUER } from '../support/fresh.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import type { Answer } from '../support/raw.ts';
import { ISSUER } from '../support/tokens.ts';

/** A client gets a ticket for its token, and comes in with it once. */

const ADMIN_SECRET = 'a-secret-of-operators-who-revoke-tokens';
const TICKET = '/.sallyport/ticket';
const PAGE = 'https://app.test';

let echo: Upstream;
let gateway: TestGateway;

beforeEach(async () => {
  echo ??= await startEcho();
  const rest = `upstream: { websocket: "ws://127.0.0.1:${echo.port}" }`;
  const http = `upstream: { http: "http://127.0.0.1:${echo.port}" }`;
  gateway = await startGateway(
    `listeners: [{ host: 127.0.0.1, port: 0 }]
admin: { port: 0, secret: ${ADMIN_SECRET} }
trustedProxies: [127.0.0.1]
${TOKEN_ISSUER}
routes:
  - { name: chat, match: { path: /chat }, auth: { issuer: main, token: [ticket], require: { role: user } }, ${rest} }
  - { name: page, match: { path: /page }, origins: ["${PAGE}"], auth: { issuer: main, token: ["ticket:t", "cookie:session"], tickets: { within: 5s, address: any } }, ${rest} }
  - { name: passed, match: { path: /passed }, auth: { issuer: main, token: [ticket, header], forwardToken: true }, ${rest} }
  - { name: whole, match: { path: /whole }, auth: { issuer: main, token: ["ticket:t", header] }, ${http} }
  - { name: few, match: { path: /few }, auth: { issuer: main, token: [ticket] }, limits: { connections: { max: 1, per: subject } }, ${rest} }
  - { name: shy, match: { path: /shy }, auth: { issuer: main, token: [ticket] }, refuse: close, ${rest} }
  - { name: lone, match: { host: lone.test, path: /* }, auth: { issuer: main, token: [ticket] }, ${rest} }`,
    TOKEN_ENV,
  );
  onTestFinished(() => gateway.close());
});
afterAll(() => echo.close());

const TOKEN = () => freshToken({ role: 'user' });
const bearer = (token = TOKEN()): Fields => ({ Authorization: `Bearer ${token}` });

const ask = (route: string, fields: Fields = bearer()) =>
  post(gateway.port, `${TICKET}?route=${route}`, fields);

async function ticket(route: string, fields?: Fields): Promise<string> {
  const answer = await ask(route, fields);
  expect(answer.status, answer.body).toBe(200);
  return read(answer).ticket as string;
}

const read = ({ body }: Answer) => JSON.parse(body) as Record<string, unknown>;
const enter = (path: string, headers: Fields = {}) => connect(gateway.url(path), headers);

async function revoke(body: object): Promise<void> {
  const url = `http://127.0.0.1:${gateway.gateway.adminAddress?.port}/revocations`;
  const headers = { authorization: `Bearer ${ADMIN_SECRET}` };
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  expect(answer.status).toBe(200);
}

describe('a ticket', () => {
  test('lets its client in once, with all that its token says', async () => {
    const exp = Math.floor(Date.now() / 1000) + 1000;
    const shown = await ticket('chat', bearer(freshToken({ role: 'user', exp })));
    expect(shown).toMatch(/^sp_ticket_[\w-]{43}$/);
    await opened(gateway.url(`/chat?a=b&ticket=${shown}`));
    expect(await enter(`/chat?ticket=${shown}`)).toBe(401);
    expect(await gateway.logged(({ msg }) => msg === 'session opened')).toMatchObject({
      ...{ route: 'chat', subject: 'alice', issuer: ISSUER },
    });
    const page = await fetch(`http://127.0.0.1:${gateway.gateway.adminAddress?.port}/sessions`, {
      headers: { authorization: `Bearer ${ADMIN_SECRET}` },
    });
    expect(await page.json()).toMatchObject({
      sessions: [{ subject: 'alice', expires: new Date(exp * 1000).toISOString() }],
    });
    expect(await gateway.logged(({ msg }) => msg === 'upgrade refused')).toMatchObject({
      ...{ error: 'TICKET_INVALID', status: 401, detail: 'it was used, or is over' },
    });
  });

  test('says when it ends: in 30 s, as the route says, or with the token', async () => {
    const ends = async (route: string, fields?: Fields) =>
      Date.parse(read(await ask(route, fields)).expires as string) - Date.now();
    expect(await ends('chat')).toBeGreaterThan(20_000);
    expect(await ends('chat')).toBeLessThanOrEqual(30_000);
    expect(await ends('page', { ...bearer(), Origin: PAGE })).toBeLessThanOrEqual(5_000);
    const exp = Date.now() / 1000 + 3;
    expect(await ends('chat', bearer(freshToken({ role: 'user', exp })))).toBeLessThanOrEqual(3_000);
  });

  test('is of one route: at another it is refused, and spent', async () => {
    const shown = await ticket('chat');
    expect(await enter(`/few?ticket=${shown}`)).toBe(401);
    expect(await enter(`/chat?ticket=${shown}`)).toBe(401);
  });

  test('is of one address, unless the route says otherwise', async () => {
    const other = { 'X-Forwarded-For': '203.0.113.7' };
    const shown = await ticket('chat');
    expect(await enter(`/chat?ticket=${shown}`, other)).toBe(401);
    expect(await enter(`/chat?ticket=${shown}`)).toBe(401);
    const free = await ticket('page', { ...bearer(), Origin: PAGE });
    await opened(gateway.url(`/page?t=${free}`), { ...other, Origin: PAGE });
  });

  test('of an IPv6 address is of its network', async () => {
    const from = (address: string): Fields => ({ 'X-Forwarded-For': address });
    const shown = await ticket('chat', { ...bearer(), ...from('2001:db8::1') });
    await opened(gateway.url(`/chat?ticket=${shown}`), from('2001:db8::2'));
  });

  test('never reaches the service, nor the log, and with forwardToken there is no token to forward', async () => {
    const shown = await ticket('passed');
    await opened(gateway.url(`/passed?a=b&ticket=${shown}&c=d`));
    await enter(`/passed?ticket=${shown}`);
    expect(echo.wires.at(-1)?.head).toMatch(/^GET \/passed\?a=b&c=d HTTP/);
    expect(JSON.stringify(gateway.log)).not.toContain(shown);
  });

  test('counts before what a browser sends along, which is taken out as well', async () => {
    const cookie = { Cookie: `session=${freshToken({ sub: 'bob' })}; theme=dark`, Origin: PAGE };
    const shown = await ticket('page', { ...bearer(), Origin: PAGE });
    await opened(gateway.url(`/page?t=${shown}`), cookie);
    expect(await gateway.logged(({ msg }) => msg === 'session opened')).toMatchObject({ subject: 'alice' });
    expect(echo.wires.at(-1)?.head).toMatch(/^cookie: theme=dark\r$/im);
    // A bad one is no better for the cookie beside it.
    expect(await enter(`/page?t=${shown}`, cookie)).toBe(401);
    await opened(gateway.url('/page'), cookie);
  });

  test('of two is one too many', async () => {
    const [one, two] = [await ticket('chat'), await ticket('chat')];
    expect(await enter(`/chat?ticket=${one}&ticket=${two}`)).toBe(400);
  });

  test('is none of a plain request’s: it stays unspent, and does not go to the service', async () => {
    const shown = await ticket('whole');
    const url = `http://127.0.0.1:${gateway.port}/whole?t=${shown}`;
    expect((await fetch(url)).status).toBe(401);
    await opened(gateway.url(`/whole?t=${shown}`));
    // Beside a token it is no second one: the service is asked, which speaks WebSocket alone.
    expect((await fetch(url, { headers: bearer() as Record<string, string> })).status).toBe(502);
    expect(echo.wires.at(-1)?.head).toMatch(/^GET \/whole HTTP/);
  });

  test('is refused by a Close where the route says so', async () => {
    const socket = await opened(gateway.url('/shy?ticket=x'));
    const closed = Promise.withResolvers<number>();
    socket.on('close', closed.resolve);
    expect(await closed.promise).toBe(3000);
  });
});

describe('at the upgrade it is judged again', () => {
  test('what is revoked meanwhile: 401', async () => {
    const shown = await ticket('chat');
    await revoke({ subject: 'alice' });
    expect(await enter(`/chat?ticket=${shown}`)).toBe(401);
    expect(await gateway.logged(({ msg }) => msg === 'upgrade refused')).toMatchObject({
      error: 'TOKEN_REVOKED',
    });
  });

  test('how many connections its subject has', async () => {
    const [one, two] = [await ticket('few'), await ticket('few')];
    await opened(gateway.url(`/few?ticket=${one}`));
    expect(await enter(`/few?ticket=${two}`)).toBe(429);
  });
});

describe('nobody gets one', () => {
  test.each<[string, () => Fields, number, string]>([
    ['without a token', () => ({}), 401, 'TOKEN_MISSING'],
    ['for a bad one', () => bearer(`${TOKEN()}x`), 401, 'TOKEN_INVALID'],
    ['who would not be let in', () => bearer(freshToken({ role: 'guest' })), 403, 'FORBIDDEN'],
    [
      'as a page of another origin',
      () => ({ ...bearer(), Origin: 'https://evil.test' }),
      403,
      'ORIGIN_REFUSED',
    ],
  ])('%s', async (_, fields, status, code) => {
    expect(await ask('chat', fields())).toMatchObject({ status, body: expect.stringContaining(code) });
  });

  test('for a cookie without an Origin', async () => {
    expect((await ask('page', { Cookie: `session=${TOKEN()}` })).status).toBe(403);
    const answer = await ask('page', { Cookie: `session=${TOKEN()}`, Origin: PAGE });
    expect(answer).toMatchObject({
      status: 200,
      headers: { 'access-control-allow-origin': PAGE, 'access-control-allow-credentials': 'true' },
    });
  });

  test('for a ticket', async () => {
    const shown = await ticket('chat');
    expect((await post(gateway.port, `${TICKET}?route=chat&ticket=${shown}`)).status).toBe(401);
    expect((await ask('chat', bearer(shown))).status).toBe(401);
  });

  test('who does not say for which of several routes', async () => {
    const answer = await post(gateway.port, TICKET, bearer());
    expect(answer).toMatchObject({ status: 400, body: expect.stringContaining('?route=NAME') });
    // At this host there are all of those without one, too.
    expect((await ask('lone', { ...bearer(), Host: 'lone.test' })).status).toBe(200);
    expect((await ask('lone')).status).toBe(404);
  });
});

test('who tries tickets without end: 429', async () => {
  const statuses: unknown[] = [];
  // Some are forgiven while others are tried: where the machine is busy it takes more of them.
  while (!statuses.includes(429) && statuses.length < 500) {
    statuses.push(await enter(`/chat?ticket=sp_ticket_${'a'.repeat(43)}`));
  }
  expect(statuses.slice(0, 40)).toEqual(Array(40).fill(401));
  expect(statuses).toContain(429);
});
