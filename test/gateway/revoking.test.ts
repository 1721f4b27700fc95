import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { folderWith } from '../support/cli.ts';
import { startEcho } from '../support/faulty.ts';
import { freshToken, TOKEN_ENV, TOKEN_ISSUER } from '../support/fresh.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { eventually } from '../support/patience.ts';
import { switching } from '../support/raw.ts';
import { ISSUER } from '../support/tokens.ts';

/** What is revoked is not let in, and does not stay. */

const ADMIN_SECRET = 'a-secret-of-operators-who-revoke-tokens';
const AUTHORIZED = { authorization: `Bearer ${ADMIN_SECRET}` };

let gateway: TestGateway;

/** Who is listed. */
let file: string;

beforeEach(async () => {
  const echo = await startEcho();
  onTestFinished(() => echo.close());
  file = join(await folderWith({ revoked: '# nobody' }), 'revoked');
  gateway = await startGateway(
    `listeners: [{ host: 127.0.0.1, port: 0 }]
admin: { port: 0, secret: ${ADMIN_SECRET} }
revocations: "file:${file}"
${TOKEN_ISSUER}
routes:
  - { name: chat, match: { path: /chat }, auth: { issuer: main }, upstream: { websocket: "ws://127.0.0.1:${echo.port}" } }`,
    TOKEN_ENV,
  );
  onTestFinished(() => gateway.close());
});

const issuedAgo = (seconds: number) => ({ iat: Math.floor(Date.now() / 1000) - seconds });

/** A client with a token of these claims: its WebSocket, or the answer that it got. */
async function enter(claims: object): Promise<WebSocket | { status: number; challenge: string }> {
  const headers = { authorization: `Bearer ${freshToken({ ...issuedAgo(60), ...claims })}` };
  const socket = new WebSocket(gateway.url('/chat'), { headers });
  socket.on('error', () => undefined);
  onTestFinished(() => socket.terminate());
  const { promise, resolve } = Promise.withResolvers<WebSocket | { status: number; challenge: string }>();
  socket.on('open', () => resolve(socket));
  socket.on('unexpected-response', (_, response) => {
    response.resume();
    resolve({ status: response.statusCode ?? 0, challenge: response.headers['www-authenticate'] ?? '' });
  });
  return promise;
}

async function open(claims: object): Promise<WebSocket> {
  const socket = await enter(claims);
  if (!(socket instanceof WebSocket)) throw new Error(`refused: ${JSON.stringify(socket)}`);
  return socket;
}

function ask(method: string, body?: object, query = ''): Promise<Response> {
  const url = `http://127.0.0.1:${gateway.gateway.adminAddress?.port}/revocations${query}`;
  return fetch(url, { method, headers: AUTHORIZED, ...(body && { body: JSON.stringify(body) }) });
}

async function revoke(body: object): Promise<number> {
  const answer = await ask('POST', body);
  expect(answer.status, await answer.clone().text()).toBe(200);
  return ((await answer.json()) as { ended: number }).ended;
}

describe('a subject that is revoked', () => {
  test('loses its open sessions with 3000, others keep theirs, and comes in with no token that was issued before', async () => {
    const [alice, again, bob] = [
      await open({ sub: 'alice' }),
      await open({ sub: 'alice' }),
      await open({ sub: 'bob' }),
    ];
    const closed = Promise.all([once(alice, 'close'), once(again, 'close')]);
    expect(await revoke({ subject: 'alice', issuer: 'main', for: '1h' })).toBe(2);
    for (const [code, reason] of await closed)
      expect([code, String(reason)]).toEqual([3000, 'The token was revoked.']);
    expect(bob.readyState).toBe(WebSocket.OPEN);
    expect(await enter({ sub: 'alice' })).toMatchObject({
      status: 401,
      challenge: expect.stringContaining('error="invalid_token", error_description="The token was revoked"'),
    });
    expect(await gateway.logged(({ msg }) => msg === 'session ended')).toMatchObject({
      error: 'TOKEN_REVOKED',
      subject: 'alice',
      by: 'gateway',
    });
  });

  test('comes in with a token that was issued later', async () => {
    await revoke({ subject: 'alice' });
    const revokedAt = Date.now();
    await eventually(() => Date.now() > revokedAt);
    await open({ sub: 'alice', iat: Date.now() / 1000 });
  });

  test('comes in again when that is taken back', async () => {
    await revoke({ subject: 'alice' });
    expect((await ask('DELETE', undefined, '?subject=alice')).status).toBe(204);
    expect((await ask('DELETE', undefined, '?subject=alice')).status).toBe(404);
    await open({ sub: 'alice' });
  });
});

test.each([
  ['the name of a token', { jti: 'a' }, { jti: 'a' }, { jti: 'b' }],
  ['a sign-in', { sid: 'a' }, { sid: 'a' }, { sid: 'b' }],
])('%s', async (_name, order, meant, other) => {
  const [one, two] = [await open({ sub: 'alice', ...meant }), await open({ sub: 'alice', ...other })];
  const closed = once(one, 'close');
  expect(await revoke(order)).toBe(1);
  expect((await closed)[0]).toBe(3000);
  expect(two.readyState).toBe(WebSocket.OPEN);
  expect(await enter({ sub: 'alice', ...meant })).toMatchObject({ status: 401 });
});

test('a session, by the token it was let in with', async () => {
  const [one, two] = [await open({ sub: 'alice', jti: 'a' }), await open({ sub: 'alice', jti: 'b' })];
  const { id } = await gateway.logged(({ msg }) => msg === 'session opened');
  const closed = once(one, 'close');
  expect(await revoke({ session: id as string })).toBe(1);
  expect((await closed)[0]).toBe(3000);
  expect(two.readyState).toBe(WebSocket.OPEN);
  expect((await ask('POST', { session: id })).status).toBe(410);
});

test('a client that is revoked while its upstream is dialled does not stay', async () => {
  const { promise: dialled, resolve } = Promise.withResolvers<Socket>();
  const slow = createServer((socket) => {
    socket.on('error', () => undefined);
    resolve(socket);
  });
  await once(slow.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void slow.close());
  const { port } = slow.address() as AddressInfo;
  const slowly = await startGateway(
    `listeners: [{ host: 127.0.0.1, port: 0 }]
admin: { port: 0, secret: ${ADMIN_SECRET} }
${TOKEN_ISSUER}
routes:
  - { name: slow, match: { path: /slow }, auth: { issuer: main }, timeouts: { close: 200ms }, upstream: { websocket: "ws://127.0.0.1:${port}" } }`,
    TOKEN_ENV,
  );
  onTestFinished(() => slowly.close());
  const headers = { authorization: `Bearer ${freshToken({ sub: 'alice', ...issuedAgo(60) })}` };
  const socket = new WebSocket(slowly.url('/slow'), { headers });
  socket.on('error', () => undefined);
  const closed = once(socket, 'close');
  const upstream = await dialled;
  const [asked] = await once(upstream, 'data');
  const url = `http://127.0.0.1:${slowly.gateway.adminAddress?.port}/revocations`;
  await fetch(url, { method: 'POST', headers: AUTHORIZED, body: '{"subject": "alice"}' });
  upstream.write(switching(String(asked)));
  const [code, reason] = await closed;
  expect([code, String(reason)]).toEqual([3000, 'The token was revoked.']);
});

test('who stands in the file of revocations is not let in and does not stay, until the line is gone', async () => {
  const [alice, bob] = [await open({ sub: 'alice' }), await open({ sub: 'bob' })];
  const closed = once(alice, 'close');
  await writeFile(file, 'subject@main alice\nnonsense\n');
  await gateway.gateway.reload();
  expect((await closed)[0]).toBe(3000);
  expect(bob.readyState).toBe(WebSocket.OPEN);
  expect(await enter({ sub: 'alice', iat: Date.now() / 1000 + 1 })).toMatchObject({ status: 401 });
  const bad = await gateway.logged(
    ({ msg }) => msg?.toString().startsWith('some lines of the revocations') ?? false,
  );
  expect(bad).toMatchObject({
    file,
    bad: 1,
    problems: [expect.stringContaining(`${file}:2:1 begins with none`)],
  });
  const { revocations } = (await (await ask('GET')).json()) as { revocations: object[] };
  expect(revocations).toEqual([{ by: 'subject', value: 'alice', issuer: ISSUER }]);
  await writeFile(file, '# nobody\n');
  await gateway.gateway.reload();
  await open({ sub: 'alice' });
});

test('what is revoked is listed, with its end', async () => {
  await revoke({ subject: 'alice', issuer: 'main', for: '1h' });
  await revoke({ jti: 'a' });
  const { revocations } = (await (await ask('GET')).json()) as { revocations: Record<string, string>[] };
  expect(revocations).toEqual([
    expect.objectContaining({ by: 'subject', value: 'alice', issuer: ISSUER }),
    expect.objectContaining({ by: 'jti', value: 'a' }),
  ]);
  const [{ at, until }] = revocations as [Record<string, string>];
  expect(Date.parse(until as string) - Date.parse(at as string)).toBe(3_600_000);
});

test.each([
  [{}, 'say one of'],
  [{ subject: 'a', jti: 'b' }, 'say one of'],
  [{ subjekt: 'a' }, 'subjekt is no name here'],
  [{ subject: '' }, 'a text of 1 to'],
  [{ jti: 'eyJhbGciOiJFUzI1NiJ9.e30.x' }, 'jti is a whole token'],
  [{ subject: 7 }, 'a text of 1 to'],
  [{ subject: 'a', issuer: 'nobody' }, 'nobody is no issuer'],
  [{ subject: 'a', for: 'ever' }, 'for is a duration'],
  [{ subject: 'a', for: '100000h' }, 'for is a duration'],
  ['x', 'a JSON object'],
  [[], 'a JSON object'],
])('%j is refused, in words', async (body, words) => {
  const answer = await ask('POST', body as object);
  expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining(words)]);
});

test.each([
  ['?subject=alice&subject=bob', 'subject comes twice'],
  ['?subject=alice&who=bob', 'who is no parameter here'],
  ['?subject=alice&for=1h', 'say by jti, sid, key or subject'],
])('taking back by %s is refused, in words', async (query, words) => {
  await revoke({ subject: 'alice' });
  const answer = await ask('DELETE', undefined, query);
  expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining(words)]);
  expect((await ask('DELETE', undefined, '?subject=alice')).status).toBe(204);
});
