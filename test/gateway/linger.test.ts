import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { metric } from '../support/census.ts';
import { freshToken, TOKEN_ENV, TOKEN_ISSUER } from '../support/fresh.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { Returner } from '../support/lingering.ts';
import { type ServiceHandler, startService, until } from '../support/poll.ts';

/** Sessions that outlive their clients, through a whole gateway: admission, the log, the metrics, the admin listener, the end. */

const SECRET = 'a-secret-of-services-that-speak-first';

interface SceneOptions {
  readonly auth?: string;
  readonly wait?: string;
  readonly more?: string;
  readonly handler?: ServiceHandler;
}

async function startScene({ auth = 'none', wait = '30s', more = '', handler }: SceneOptions = {}) {
  const backend = await startService(handler ?? ((_, response) => void response.writeHead(204).end()));
  onTestFinished(() => backend.stop());
  const linger = `{ for: ${wait}, token: "query:resume" }`;
  const post = `{ target: "${backend.url}", path: /send, close: { path: "/leave?code={code}" }, linger: ${linger} }`;
  const gateway = await startGateway(
    `listeners: [{ host: 127.0.0.1, port: 0 }]
admin: { port: 0, secret: "\${SECRET}" }
drain: 2s
${TOKEN_ISSUER}
routes:
  - { name: feed, match: { path: "/rooms/{room}" }, auth: ${auth}, ${more} timeouts: { close: 300ms }, upstream: { post: ${post} } }`,
    { ...TOKEN_ENV, SECRET },
  );
  onTestFinished(() => gateway.close());
  const told = () => backend.requests.map(({ url }) => url).filter((url) => url.startsWith('/leave'));
  const names = () => new Set(backend.requests.map(({ headers }) => String(headers['x-connection-id'])));
  return { backend, gateway, told, names, client: new Returner({ url: gateway.url('') }) };
}

async function counted(gateway: TestGateway) {
  const text = await gateway.metrics();
  const of = (outcome: string) => metric(text, 'sallyport_resumed_total', { route: 'feed', outcome });
  return {
    lingering: metric(text, 'sallyport_lingering_sessions', { route: 'feed' }),
    undelivered: metric(text, 'sallyport_undelivered_messages_total', { route: 'feed' }),
    resumed: of('resumed'),
    taken_over: of('taken_over'),
    expired: of('expired'),
    ended: of('ended'),
    gone: of('gone'),
  };
}

async function openSessions(gateway: TestGateway): Promise<number> {
  return metric(await gateway.metrics(), 'sallyport_sessions_open', { route: 'feed' });
}

const NOUGHT = { lingering: 0, undelivered: 0, resumed: 0, taken_over: 0, expired: 0, ended: 0, gone: 0 };

/** Resolves when the `count`th connection has ended. */
async function ended({ log }: TestGateway, count = 1): Promise<void> {
  await until(() => log.filter(isEnd).length === count);
}

function isEnd({ msg }: Record<string, unknown>): boolean {
  return msg === 'connection ended' || msg === 'session ended';
}

/** All that is said of ends of sessions. */
function ends({ log }: TestGateway) {
  return log.filter(({ msg }) => msg === 'session ended');
}

test('the log and the metrics tell of it, and the token is in neither', async () => {
  const { gateway, client, names } = await startScene();
  expect(await counted(gateway)).toEqual(NOUGHT);
  (await client.come()).send('a');
  await until(() => names().size === 1);
  client.vanish();
  await ended(gateway);
  expect(await counted(gateway)).toEqual({ ...NOUGHT, lingering: 1 });
  (await client.come()).send('b');
  await gateway.logged(({ msg, resumed }) => msg === 'session opened' && resumed === true);
  await client.come();
  await ended(gateway, 2);
  expect(await counted(gateway)).toEqual({ ...NOUGHT, resumed: 1, taken_over: 1 });
  client.client.close(1000);
  await ended(gateway, 3);
  const lines = gateway.log.filter((line) => line.msg === 'session opened' || isEnd(line));
  expect(lines.map(({ msg, resumed, close }) => [msg, resumed, close])).toEqual([
    ['session opened', undefined, undefined],
    ['connection ended', undefined, 1006],
    ['session opened', true, undefined],
    ['session opened', true, undefined],
    ['connection ended', true, 4409],
    ['session ended', true, 1000],
  ]);
  expect(lines[2]?.awayMs).toEqual(expect.any(Number));
  expect(names().size).toBe(1);
  expect(JSON.stringify(gateway.log)).not.toContain(client.token);
});

test('who comes back is let in anew: with a token that has expired nobody is', async () => {
  const { gateway, client, names } = await startScene({ auth: '{ issuer: main, token: ["query:jwt"] }' });
  const as = (claims: object) => `&jwt=${freshToken(claims)}`;
  (await client.come(as({ sub: 'ann' }))).send('a');
  await until(() => names().size === 1);
  client.vanish();
  await ended(gateway);
  const late = client.begin(as({ sub: 'ann', exp: Math.floor(Date.now() / 1000) - 3_600 }));
  expect(String(await once(late, 'error'))).toContain('401');
  (await client.come(as({ sub: 'bob' }))).send('b');
  await until(() => names().size === 2);
  (await client.come(as({ sub: 'ann' }))).send('c');
  await gateway.logged(({ msg, resumed }) => msg === 'session opened' && resumed === true);
  expect([names().size, (await counted(gateway)).resumed]).toEqual([2, 1]);
});

test('the service reaches it by its name while its client is away, and when it is back', async () => {
  const { gateway, client, names, told } = await startScene();
  (await client.come()).send('a');
  await until(() => names().size === 1);
  const [name = ''] = names();
  const ask = (method: string, body?: string) =>
    fetch(`http://127.0.0.1:${gateway.gateway.adminAddress?.port}/connections/${name}`, {
      method,
      headers: { authorization: `Bearer ${SECRET}`, ...(body && { 'content-type': 'text/plain' }) },
      body,
    });
  client.vanish();
  await ended(gateway);
  expect([(await ask('GET')).status, (await ask('POST', 'away')).status]).toEqual([200, 200]);
  await client.come();
  expect(await client.atLeast(1)).toEqual(['away']);
  expect((await ask('POST', 'back')).status).toBe(200);
  expect(await client.atLeast(2)).toEqual(['away', 'back']);
  client.vanish();
  await ended(gateway, 2);
  expect((await ask('DELETE')).status).toBeLessThan(300);
  await until(() => told().length === 1);
  await until(async () => (await ask('GET')).status === 410);
  expect(await counted(gateway)).toEqual({ ...NOUGHT, resumed: 1, ended: 1 });
});

test('one whose client is revoked while it is away ends at once, and is counted among those that end', async () => {
  const { gateway, client, names, told } = await startScene({
    auth: '{ issuer: main, token: ["query:jwt"] }',
  });
  const suffix = `&jwt=${freshToken({ sub: 'ann' })}`;
  (await client.come(suffix)).send('a');
  await until(() => names().size === 1);
  client.vanish();
  await ended(gateway);
  const url = `http://127.0.0.1:${gateway.gateway.adminAddress?.port}/revocations`;
  const headers = { authorization: `Bearer ${SECRET}` };
  const answer = await fetch(url, { method: 'POST', headers, body: '{"subject": "ann"}' });
  expect(await answer.json()).toEqual({ ended: 1 });
  await gateway.logged(({ msg }) => msg === 'session ended');
  expect(ends(gateway)).toMatchObject([{ close: 3000, by: 'gateway', error: 'TOKEN_REVOKED' }]);
  await until(() => told().length === 1);
  expect(await counted(gateway)).toEqual({ ...NOUGHT, ended: 1 });
  const again = await fetch(url, { method: 'POST', headers, body: '{"subject": "ann"}' });
  expect(await again.json()).toEqual({ ended: 0 });
  expect(String(await once(client.begin(suffix), 'error'))).toContain('401');
});

test('nobody comes back: the service is told 1006, and what it has not accepted is counted', async () => {
  const { gateway, client, backend, told } = await startScene({
    wait: '50ms',
    handler: (request, response) => void (request.url.startsWith('/leave') && response.end()),
  });
  (await client.come()).send('a');
  client.client.send('b');
  await until(() => backend.requests.length === 1);
  client.vanish();
  await until(() => told().length === 1);
  expect(told()).toEqual(['/leave?code=1006']);
  await until(async () => (await counted(gateway)).expired === 1);
  await gateway.logged(({ msg }) => msg === 'session ended');
  expect(await counted(gateway)).toEqual({ ...NOUGHT, expired: 1, undelivered: 2 });
  const [lost] = gateway.log.filter(({ msg }) => msg === 'connection ended');
  const { time: _, durationMs, ...rest } = lost as Record<string, unknown>;
  expect(ends(gateway)).toEqual([
    {
      ...rest,
      msg: 'session ended',
      undelivered: 2,
      time: expect.anything(),
      durationMs: expect.any(Number),
    },
  ]);
  expect(ends(gateway)[0]).toMatchObject({
    close: 1006,
    by: 'client',
    clean: false,
    up: { messages: 2, bytes: 2 },
  });
  expect(Number(ends(gateway)[0]?.durationMs)).toBeGreaterThanOrEqual(Number(durationMs));
  expect(await openSessions(gateway)).toBe(0);
});

test('the service fails while nobody is there: one line says so, with the code and the count', async () => {
  const sends: (() => void)[] = [];
  const { gateway, client } = await startScene({
    handler: (_, response) => void sends.push(() => response.writeHead(401).end()),
  });
  (await client.come()).send('a');
  client.client.send('b');
  await until(() => sends.length === 1);
  client.vanish();
  await ended(gateway);
  expect([ends(gateway), await openSessions(gateway)]).toEqual([[], 0]);
  sends[0]?.();
  await ended(gateway, 2);
  const [line] = ends(gateway);
  expect(line).toMatchObject({ close: 3000, by: 'upstream', error: 'SERVICE_REFUSED', undelivered: 2 });
  expect(line).toMatchObject({ up: { messages: 2 }, down: { messages: 0 } });
  expect(await counted(gateway)).toEqual({ ...NOUGHT, ended: 1, undelivered: 2 });
  expect(String(await once(client.begin('.1'), 'error'))).toContain('410');
});

test('the gateway stops: the service is told of sessions without clients, too', async () => {
  const { gateway, client, told, names } = await startScene();
  (await client.come()).send('a');
  await until(() => names().size === 1);
  client.vanish();
  await ended(gateway);
  await gateway.close();
  expect(told()).toEqual(['/leave?code=1001']);
  expect(ends(gateway)).toMatchObject([
    { close: 1001, by: 'gateway', error: 'GOING_AWAY', clean: true, undelivered: 0 },
  ]);
});

test('a client that is away takes none of the places for open connections', async () => {
  const more = 'limits: { connections: { max: 1, per: address } },';
  const { gateway, client } = await startScene({ more });
  await client.come();
  client.vanish();
  await ended(gateway);
  const other = new Returner({ url: gateway.url('') });
  await other.come();
  expect(String(await once(client.begin(), 'error'))).toContain('429');
  other.client.close();
  await ended(gateway, 2);
  await client.come();
  expect((await counted(gateway)).resumed).toBe(1);
});

test('another service that is asked who comes does not learn the token', async () => {
  const asked: unknown[] = [];
  const judge = await startService(({ headers }, response) => {
    asked.push(headers['x-forwarded-uri'], headers['x-original-url']);
    response.end();
  });
  onTestFinished(() => judge.stop());
  const auth = `{ external: { url: "${judge.url}", forward: [authorization] } }`;
  const { client } = await startScene({ auth });
  await client.come();
  expect(asked).toHaveLength(2);
  for (const text of asked) expect(text).not.toContain('resume');
});
