import { once } from 'node:events';
import { createServer } from 'node:net';
import { SignJWT, UnsecuredJWT } from 'jose';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { startEcho } from '../support/faulty.ts';
import { eventually, within } from '../support/patience.ts';
import { closeOf } from '../support/poll.ts';
import { PUSH_SECRET, startPushing } from '../support/push.ts';
import { portOf } from '../support/servers.ts';

/** A service reaches clients by the admin listener: it sends, closes and asks, by the name of a connection. */

const AUTHORIZED = { authorization: `Bearer ${PUSH_SECRET}` };
const NOBODY = '00000000-0000-4000-8000-000000000000';

function typed(type: string | undefined, body: string | Buffer): RequestInit {
  return { method: 'POST', headers: { ...AUTHORIZED, ...(type && { 'content-type': type }) }, body };
}

describe('a message', () => {
  test.each([
    ['text/plain', false],
    ['text/html; charset=utf-8', false],
    ['application/json', false],
    ['Application/Problem+JSON', false],
    ['application/octet-stream', true],
    ['application/x-www-form-urlencoded', false],
    [undefined, true],
  ])('of Content-Type %s is in the client’s socket when it is answered; binary: %s', async (type, binary) => {
    const { ask, connect } = await startPushing();
    const { id, inbox } = await connect();
    // A Buffer, to which fetch adds no type of its own.
    const answer = await ask(`/connections/${id}`, typed(type, Buffer.from('grüße')));
    expect([answer.status, await answer.text()]).toEqual([200, 'delivered\n']);
    await inbox.atLeast(1);
    expect(inbox.messages).toEqual([{ data: Buffer.from('grüße'), binary }]);
  });

  test('may be empty', async () => {
    const { connect, push } = await startPushing();
    const { id, inbox } = await connect();
    expect((await push(id, '')).status).toBe(200);
    expect(await inbox.atLeast(1)).toEqual(['']);
  });

  test('reaches the one client it is for, of many', async () => {
    const { gateway, connect, push } = await startPushing();
    const all = [];
    for (let number = 0; number < 20; number++) all.push(await connect());
    const answers = await Promise.all(all.map(({ id }, number) => push(id, `for ${number}`)));
    expect(answers.map(({ status }) => status)).toEqual(all.map(() => 200));
    for (const [number, { inbox }] of all.entries())
      expect(await inbox.atLeast(1)).toEqual([`for ${number}`]);
    expect(await gateway.metrics()).toContain(
      'sallyport_pushes_total{way="connection",outcome="delivered"} 20\n',
    );
  });

  test('comes behind those that were pushed before it', async () => {
    const { connect, push } = await startPushing();
    const { id, inbox } = await connect();
    const expected = Array.from({ length: 50 }, (_, number) => `${number}`);
    for (const text of expected) expect((await push(id, text, '?wait=none')).status).toBe(202);
    expect(await inbox.atLeast(50)).toEqual(expected);
  });

  test('that is a text and not UTF-8 is refused with 400, and the connection stays', async () => {
    const { ask, connect, push } = await startPushing();
    const { id, inbox } = await connect();
    const answer = await ask(`/connections/${id}`, typed('text/plain', Buffer.from([0xff])));
    expect([answer.status, await answer.text()]).toEqual([
      400,
      'INVALID_PAYLOAD: The payload is not valid UTF-8.\n',
    ]);
    await push(id, 'after it');
    expect(await inbox.atLeast(1)).toEqual(['after it']);
  });

  test('for the client of a trusted proxy goes by the name its service knows, not by that of the proxy', async () => {
    const { ask, connect, push } = await startPushing({ more: 'trustedProxies: [127.0.0.1/32]' });
    const { id, inbox } = await connect({ headers: { 'x-request-id': 'of-the-proxy' } });
    expect((await push('of-the-proxy', 'x')).status).toBe(410);
    expect((await push(id, 'x')).status).toBe(200);
    await inbox.atLeast(1);
    expect(await (await ask(`/connections/${id}`)).json()).toMatchObject({ id, request: 'of-the-proxy' });
  });

  test('is a text at /@connections, where it is one, and failures have names there', async () => {
    const { connect, ask } = await startPushing();
    const { id, inbox } = await connect();
    for (const body of ['hé', Buffer.of(255)])
      await ask(`/@connections/${id}`, typed('application/octet-stream', body));
    await inbox.atLeast(2);
    expect(inbox.messages.map(({ binary }) => binary)).toEqual([false, true]);
    expect(await (await ask(`/@connections/${id}`)).json()).toMatchObject({
      id,
      connectedAt: expect.any(String),
      identity: { sourceIp: '127.0.0.1' },
    });
    const gone = await ask(`/@connections/${NOBODY}`, { method: 'DELETE' });
    expect([gone.status, await gone.json()]).toEqual([
      410,
      { __type: 'GoneException', message: expect.any(String) },
    ]);
    const wrong = await ask(`/@connections/${id}?code=1006`, { method: 'DELETE' });
    expect([wrong.status, await wrong.json()]).toEqual([
      400,
      { message: expect.stringMatching(/^BAD_REQUEST: /) },
    ]);
  });

  test.each(['', '/prod', '/$default'])('may be sent to %s/@connections, too', async (stage) => {
    const { ask, connect } = await startPushing();
    const { id, inbox } = await connect();
    expect((await ask(`${stage}/@connections/${id}`, typed('text/plain', 'x'))).status).toBe(200);
    expect(await inbox.atLeast(1)).toEqual(['x']);
    expect((await ask(`${stage}/@connections/${id}`)).status).toBe(200);
    expect((await ask(`${stage}/@connections/${id}`, { method: 'DELETE' })).status).toBe(204);
  });

  test('is refused with 400 where wait is neither none nor left out', async () => {
    const { connect, push } = await startPushing();
    const { id } = await connect();
    const answer = await push(id, 'x', '?wait=long');
    expect([answer.status, await answer.text()]).toEqual([
      400,
      'BAD_REQUEST: The request is malformed. wait is none, or left out\n',
    ]);
  });
});

describe('a client that does not read', () => {
  test('is sent no more than its queue holds, and holds back nobody else', async () => {
    const { gateway, connect, push } = await startPushing();
    const [slow, quick] = [await connect(), await connect()];
    slow.client.pause();
    const piece = 'x'.repeat(1024 * 1024);
    const statuses: number[] = [];
    // The first ones are in the buffers of the system.
    while (statuses.at(-1) !== 429 && statuses.length < 64)
      statuses.push((await push(slow.id, piece, '?wait=none')).status);
    expect(statuses.slice(0, -1)).toEqual(statuses.slice(1).map(() => 202));
    const refused = await push(slow.id, 'x');
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
    expect(await refused.text()).toMatch(/^PUSHES_FULL: The client reads too slowly: /);
    expect((await push(quick.id, 'x')).status).toBe(200);

    slow.client.resume();
    await slow.inbox.atLeast(statuses.length - 1);
    await eventually(async () => (await push(slow.id, 'x')).status === 200);
    expect(await gateway.metrics()).toContain('sallyport_pushes_total{way="connection",outcome="full"} 2\n');
  });
});

describe('a connection', () => {
  test('is described without anything secret', async () => {
    const { ask, connect, push } = await startPushing();
    const { id } = await connect();
    await push(id, 'four');
    const answer = await ask(`/connections/${id}`);
    expect(answer.headers.get('content-type')).toBe('application/json');
    const record = (await answer.json()) as Record<string, string>;
    expect(record).toEqual({
      ...{ id, request: id, route: 'chat', bridge: 'post', clientAddress: '127.0.0.1' },
      since: expect.any(String),
      up: { messages: 1, bytes: 5 },
      down: { messages: 1, bytes: 4 },
    });
    expect(Math.abs(Date.parse(record.since ?? '') - Date.now())).toBeLessThan(60_000);
    expect((await ask(`/connections/${id}`, { method: 'HEAD', headers: AUTHORIZED })).status).toBe(200);
  });

  test.each([
    ['', 1000, ''],
    ['?code=4321&reason=gr%C3%BC%C3%9Fe+und+mehr', 4321, 'grüße und mehr'],
    ['?code=3000', 3000, ''],
    ['?reason=what%3F?', 1000, 'what??'],
  ])('is closed by DELETE%s', async (query, code, reason) => {
    const { gateway, ask, connect } = await startPushing();
    const { id, client } = await connect();
    const closed = closeOf(client);
    const answer = await ask(`/connections/${id}${query}`, { method: 'DELETE', headers: AUTHORIZED });
    expect([answer.status, await answer.text()]).toEqual([204, '']);
    expect(await closed).toEqual({ code, reason });
    const line = await gateway.logged(({ msg }) => msg === 'session ended');
    expect(line).toMatchObject({ close: code, reason, by: 'gateway', clean: true });
  });

  test.each([
    ['?code=1005', 'code'],
    ['?code=1006', 'code'],
    ['?code=999', 'code'],
    ['?code=5000', 'code'],
    ['?code=', 'code'],
    ['?code=4e3', 'code'],
    [`?reason=${'x'.repeat(124)}`, 'reason'],
  ])('is not closed by DELETE%s', async (query, what) => {
    const { ask, connect, push } = await startPushing();
    const { id } = await connect();
    const answer = await ask(`/connections/${id}${query}`, { method: 'DELETE', headers: AUTHORIZED });
    expect(answer.status).toBe(400);
    expect(await answer.text()).toMatch(`BAD_REQUEST: The request is malformed. ${what} is `);
    expect((await push(id, 'still here')).status).toBe(200);
  });

  test.each(['GET', 'POST', 'DELETE'])(
    'that never was, or has ended, answers %s with 410',
    async (method) => {
      const { ask, connect } = await startPushing();
      const { id, client } = await connect();
      const closed = closeOf(client);
      await ask(`/connections/${id}`, { method: 'DELETE', headers: AUTHORIZED });
      await closed;
      const status = async () => (await ask(`/connections/${id}`)).status;
      await eventually(async () => (await status()) === 410);
      for (const name of [id, NOBODY, 'x']) {
        const answer = await ask(`/connections/${name}`, { method, headers: AUTHORIZED });
        expect([answer.status, await answer.text()]).toEqual([
          410,
          'CONNECTION_GONE: There is no such connection, or it has ended.\n',
        ]);
      }
    },
  );

  test('takes no messages while it closes', async () => {
    const { gateway, ask, connect, push } = await startPushing();
    const { id, client } = await connect();
    client.pause();
    await ask(`/connections/${id}`, { method: 'DELETE', headers: AUTHORIZED });
    expect((await push(id, 'late')).status).toBe(410);
    expect(await gateway.metrics()).toContain('sallyport_pushes_total{way="connection",outcome="gone"} 1\n');
  });

  test('to an upstream that speaks for itself may be closed and asked about; a push is refused with 409', async () => {
    await using echo = await startEcho();
    const tcp = createServer((socket) => socket.resume().on('error', () => {}));
    await once(tcp.listen(0, '127.0.0.1'), 'listening');
    onTestFinished(() => void tcp.close());
    const routes = `  - { name: websocket, match: { path: /websocket }, auth: none, upstream: { websocket: "ws://127.0.0.1:${echo.port}" } }
  - { name: tcp, match: { path: /tcp }, auth: none, upstream: { tcp: "127.0.0.1:${portOf(tcp)}" } }
`;
    const { gateway, ask, push } = await startPushing({ routes });
    const ids: string[] = [];
    gateway.gateway.on('session', ({ id }) => ids.push(id));
    for (const bridge of ['websocket', 'tcp']) {
      const client = new WebSocket(gateway.url(`/${bridge}`));
      await within(once(client, 'open'), 'an open WebSocket');
      const id = ids.at(-1) ?? '';
      expect(await (await ask(`/connections/${id}`)).json()).toMatchObject({ id, route: bridge, bridge });
      const refused = await push(id, 'x');
      expect([refused.status, await refused.text()]).toEqual([
        409,
        'PUSH_REFUSED: Messages can be pushed to connections of poll and post upstreams only.\n',
      ]);
      const closed = closeOf(client);
      await ask(`/connections/${id}?code=4000&reason=bye`, { method: 'DELETE', headers: AUTHORIZED });
      expect(await closed).toEqual({ code: 4000, reason: 'bye' });
    }
    expect(await gateway.metrics()).toContain(
      'sallyport_pushes_total{way="connection",outcome="unsupported"} 2\n',
    );
  });
});

describe('the secret', () => {
  const PATHS = [
    ['POST', `/connections/${NOBODY}`],
    ['GET', `/connections/${NOBODY}`],
    ['DELETE', `/@connections/${NOBODY}`],
    ['DELETE', `/prod/@connections/${NOBODY}`],
    ['POST', '/publish'],
  ] as const;

  test.each([
    ['none', {}],
    ['another', { authorization: `Bearer ${PUSH_SECRET}x` }],
    ['a part of it', { authorization: `Bearer ${PUSH_SECRET.slice(0, -1)}` }],
    ['no scheme', { authorization: PUSH_SECRET }],
    ['another scheme', { authorization: `Basic ${PUSH_SECRET}` }],
    ['it in another field', { 'x-secret': PUSH_SECRET }],
  ])('is asked for: who shows %s gets 401', async (_what, headers) => {
    const { gateway, ask } = await startPushing();
    for (const [method, path] of PATHS) {
      const answer = await ask(path, { method, headers });
      expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, 'Bearer realm="admin"']);
      expect(await answer.text()).toMatch(/SECRET_REFUSED: .*admin\.secret/);
    }
    expect((await ask('/metrics', { headers: {} })).status).toBe(200);
    expect(JSON.stringify(gateway.log) + (await gateway.metrics())).not.toContain(PUSH_SECRET);
  });

  test('may be shown with the scheme in any case', async () => {
    const { ask } = await startPushing();
    const answer = await ask(`/connections/${NOBODY}`, {
      headers: { authorization: `bearer ${PUSH_SECRET}` },
    });
    expect(answer.status).toBe(410);
  });

  test.each([
    ['signed with it', PUSH_SECRET, {}, 410],
    ['signed with it, without an end', PUSH_SECRET, { exp: undefined }, 401],
    ['signed with it, which has expired', PUSH_SECRET, { exp: 1 }, 401],
    ['signed with another', `${PUSH_SECRET}x`, {}, 401],
  ])('may be shown as a JWT %s', async (_what, secret, claims, status) => {
    const { ask } = await startPushing();
    const exp = Math.floor(Date.now() / 1000) + 600;
    const token = await new SignJWT({ iss: 'app', exp, ...claims })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(Buffer.from(secret));
    const authorization = `Bearer ${token}`;
    expect((await ask(`/connections/${NOBODY}`, { headers: { authorization } })).status).toBe(status);
  });

  test('signs with HS256 alone', async () => {
    const { ask } = await startPushing();
    const none = new UnsecuredJWT({ iss: 'app' }).setExpirationTime('10m').encode();
    const other = new SignJWT({}).setProtectedHeader({ alg: 'HS512' }).setExpirationTime('10m');
    for (const token of [none, await other.sign(Buffer.from(PUSH_SECRET))]) {
      const authorization = `Bearer ${token}`;
      expect((await ask(`/connections/${NOBODY}`, { headers: { authorization } })).status).toBe(401);
    }
  });

  test('that is not configured opens to nobody, and the answer says what to set', async () => {
    const { ask } = await startPushing({ admin: '{ port: 0 }' });
    for (const [method, path] of PATHS) {
      const answer = await ask(path, { method, headers: AUTHORIZED });
      expect([answer.status, await answer.text()]).toEqual([
        403,
        expect.stringContaining(
          'ADMIN_LOCKED: Nothing can be pushed or changed here until admin.secret or admin.aws is set.',
        ),
      ]);
    }
    for (const path of ['/metrics', '/livez', '/readyz']) expect((await ask(path)).status).toBe(200);
  });
});

test.each([
  ['GET', '/connections'],
  ['GET', '/connections/'],
  ['GET', '/connections/a/b'],
  ['POST', '/publish/x'],
  ['GET', '/a/b/@connections/c'],
  ['GET', '//@connections/c'],
])('%s %s is no address', async (method, path) => {
  const { ask } = await startPushing();
  expect((await ask(path, { method, headers: AUTHORIZED })).status).toBe(404);
});

test.each([
  ['PUT', `/connections/${NOBODY}`, 'GET, HEAD, POST, DELETE'],
  ['GET', '/publish', 'POST'],
])('%s %s is refused with 405 and what is allowed', async (method, path, allow) => {
  const { ask } = await startPushing();
  const answer = await ask(path, { method, headers: AUTHORIZED });
  expect([answer.status, answer.headers.get('allow')]).toEqual([405, allow]);
});
