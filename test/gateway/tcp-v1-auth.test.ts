import { expect, test, vi } from 'vitest';
import { freshToken, TOKEN_ISSUER } from '../support/fresh.ts';
import { eventually } from '../support/patience.ts';
import { bearer, echo, tcpScene } from '../support/tcp-v1-scene.ts';
import { ISSUER } from '../support/tokens.ts';

/** A new token on a connection that is open: sallyport.tcp.v1's AUTH. */

const AUTH = '{ issuer: main, require: { scope: sql } }';

const inMs = (ms: number) => (Date.now() + ms) / 1000;
const token = (changes: object = {}) => freshToken({ scope: 'sql', ...changes });
const auth = (accessToken: string) => ({ type: 'AUTH', accessToken }) as const;

test('the session outlives its first token, and ends with the new one', async () => {
  const { open, gateway } = await tcpScene(echo, { auth: AUTH });
  const first = inMs(2_000);
  const client = await open(bearer(token({ exp: first })));
  expect((await client.the('OPENED')).expiresAt).toBeCloseTo(first * 1000, -1);
  const second = inMs(3_000);
  client.send(auth(token({ exp: second })));
  expect((await client.the('AUTH_OK')).expiresAt).toBeCloseTo(second * 1000, -1);
  await eventually(() => Date.now() > first * 1000 + 100);
  client.data('still here');
  expect(await client.textOf(10)).toBe('still here');
  expect(await client.the('RESET')).toMatchObject({
    code: 3000,
    error: 'http_request_denied',
    text: 'The token has expired.',
  });
  expect((await client.end()).code).toBe(3000);
  expect(Date.now()).toBeGreaterThanOrEqual(second * 1000);
  const line = await gateway.logged(({ msg }) => msg === 'session ended');
  expect(line).toMatchObject({ error: 'TOKEN_EXPIRED', close: 3000 });
});

test.each<[string, () => string, number]>([
  ['one that is signed by nobody', () => `${token()}x`, 3000],
  ['one that has expired', () => token({ exp: inMs(-60_000) }), 3000],
  ['one of another subject', () => token({ sub: 'mallory' }), 3003],
  ['one that does not suffice any more', () => token({ scope: 'chat' }), 3003],
  ['no token at all', () => 'x y\nz', 3000],
])('%s ends the session', async (_name, made, code) => {
  const { open, gateway } = await tcpScene(echo, { auth: AUTH });
  const client = await open(bearer(token()));
  await client.the('OPENED');
  const shown = made();
  client.send(auth(shown));
  expect(await client.the('RESET')).toMatchObject({ code, error: 'http_request_denied' });
  expect((await client.end()).code).toBe(code);
  expect(client.has('AUTH_OK')).toBe(false);
  await gateway.logged(({ msg }) => msg === 'session ended');
  expect(JSON.stringify(gateway.log)).not.toContain(shown);
});

test('where the keys cannot be had, the old expiry holds', async () => {
  const issuers = TOKEN_ISSUER.replace(
    '} }',
    `}, other: { issuer: "https://other.test/", audience: realtime, algorithms: [RS256], jwks: "http://127.0.0.1:9/keys" } }`,
  );
  const { open } = await tcpScene(echo, { issuers, auth: '{ issuer: [main, other] }' });
  const exp = Math.floor(inMs(3_600_000));
  const client = await open(bearer(token({ exp, iss: ISSUER })));
  await client.the('OPENED');
  const [, claims = ''] = token({ iss: 'https://other.test/' }).split('.');
  const header = Buffer.from('{"alg":"RS256","kid":"k"}').toString('base64url');
  client.send(auth(`${header}.${claims}.${Buffer.alloc(256).toString('base64url')}`));
  expect((await client.the('AUTH_OK')).expiresAt).toBe(exp * 1000);
  client.data('x');
  expect(await client.textOf(1)).toBe('x');
});

test('the next before AUTH_OK is a fault', async () => {
  const gate = Promise.withResolvers<undefined>();
  const authorize = vi.fn(async () => (authorize.mock.calls.length > 1 ? gate.promise : undefined));
  const { open } = await tcpScene(echo, { auth: AUTH, options: { authorize } });
  const client = await open(bearer(token()));
  await client.the('OPENED');
  client.send(auth(token()), auth(token()));
  expect(await client.the('RESET')).toMatchObject({ code: 1002 });
  gate.resolve(undefined);
  await client.end();
});

test('the program’s own say counts, with the new token’s claims', async () => {
  const seen: unknown[] = [];
  const authorize = (_request: unknown, { claims }: { claims: Record<string, unknown> }) => {
    seen.push(claims.tenant);
    return claims.tenant === 'blue';
  };
  const { open } = await tcpScene(echo, { auth: AUTH, options: { authorize } });
  const client = await open(bearer(token({ tenant: 'blue' })));
  await client.the('OPENED');
  client.send(auth(token({ tenant: 'red' })));
  expect(await client.the('RESET')).toMatchObject({ code: 3003 });
  expect(seen).toEqual(['blue', 'red']);
});

test('without a token on the route it is answered with 0', async () => {
  const { open } = await tcpScene(echo);
  const client = await open();
  client.send(auth('anything'));
  expect((await client.the('AUTH_OK')).expiresAt).toBe(0);
});

test('with onExpiry: ignore no token ends the session, and none is said to', async () => {
  const { open } = await tcpScene(echo, { auth: '{ issuer: main, onExpiry: ignore }' });
  const client = await open(bearer(token({ exp: inMs(2_000) })));
  expect((await client.the('OPENED')).expiresAt).toBe(0);
  client.send(auth(token({ exp: inMs(2_000) })));
  expect((await client.the('AUTH_OK')).expiresAt).toBe(0);
});
