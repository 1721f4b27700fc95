import { once } from 'node:events';
import { join } from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { folderWith, sallyport } from '../support/cli.ts';
import { startEcho, type Upstream } from '../support/faulty.ts';
import { freshToken, TOKEN_ENV, TOKEN_ISSUER } from '../support/fresh.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { freePort } from '../support/ports.ts';

/** Operators look at sessions, and end them, from a terminal. */

const SECRET = 'a-secret-of-operators-at-a-terminal';

let gateway: TestGateway;
let echo: Upstream;
let file: string;

beforeEach(async () => {
  echo = await startEcho();
  onTestFinished(() => echo.close());
  await start();
});

async function start(top = ''): Promise<void> {
  const routes = `routes:
  - name: chat
    match: { path: /chat }
    auth: { issuer: main }
    upstream: { websocket: "ws://127.0.0.1:${echo.port}" }
`;
  gateway = await startGateway(
    `listeners: [{ host: 127.0.0.1, port: 0 }]\nadmin: { port: 0, secret: ${SECRET} }\n${top}\n${TOKEN_ISSUER}\n${routes}`,
    TOKEN_ENV,
  );
  onTestFinished(() => gateway.close());
  const port = gateway.gateway.adminAddress?.port;
  const folder = await folderWith({
    'gate.yaml': `listeners: [{ port: 1 }]\nadmin: { port: ${port}, secret: file:secret }\n${TOKEN_ISSUER}\n${routes}`,
    secret: `${SECRET}\n`,
  });
  file = join(folder, 'gate.yaml');
}

async function enter(sub: string): Promise<WebSocket> {
  const headers = { authorization: `Bearer ${freshToken({ sub })}` };
  const socket = new WebSocket(gateway.url('/chat'), { headers });
  socket.on('error', () => undefined);
  onTestFinished(() => socket.terminate());
  await once(socket, 'open');
  return socket;
}

const subjectsIn = (out: string) =>
  JSON.parse(out).sessions.map(({ subject }: { subject: string }) => subject);

const run = (...words: string[]) => sallyport([words[0] as string, file, ...words.slice(1)], TOKEN_ENV);

describe('sallyport sessions', () => {
  test('lists them in a table', async () => {
    expect(await run('sessions')).toMatchObject({ code: 0, out: 'no open sessions\n' });
    const socket = await enter('alice');
    socket.send('x'.repeat(2_000));
    await once(socket, 'message');
    const { code, out } = await run('sessions');
    expect(code).toBe(0);
    const [head, row] = out.split('\n');
    expect(head).toMatch(/^SESSION +ROUTE +SUBJECT +ADDRESS +TARGET +AGE +UP +DOWN$/);
    expect(row).toMatch(/^[\da-f-]{36} +chat +alice +127\.0\.0\.1 +127\.0\.0\.1:\d+ +0s +2\.0KiB +2\.0KiB$/);
  });

  test('lists those that fit, as one document for other programs', async () => {
    for (const subject of ['alice', 'bob', 'bob']) await enter(subject);
    const { code, out } = await run('sessions', '--subject', 'bob', '--json');
    expect([code, subjectsIn(out)]).toEqual([0, ['bob', 'bob']]);
    expect(subjectsIn((await run('sessions', '--subject', 'carol', '--json')).out)).toEqual([]);
  });

  test('shows a subject that is meant to do things to a terminal as a text', async () => {
    await enter(`\u001b[31mred\u202eder ${'long '.repeat(50)}`);
    const { out } = await run('sessions');
    expect(out).toContain('?[31mred?der');
    expect(out.replaceAll('\n', '')).not.toMatch(/\p{C}/u);
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThan(200);
  });
});

describe('sallyport kill', () => {
  test('ends one by its id', async () => {
    const socket = await enter('alice');
    const id = JSON.parse((await run('sessions', '--json')).out).sessions[0].id;
    const closed = once(socket, 'close');
    expect(await run('kill', '--session', id)).toEqual({ code: 0, out: 'ended 1 session\n', err: '' });
    expect((await closed)[0]).toBe(1008);
    const again = await run('kill', '--session', id);
    expect(again).toMatchObject({ code: 1, err: expect.stringContaining('410') });
  });

  test('ends those that fit, with a code and a reason', async () => {
    const [alice, bob] = [await enter('alice'), await enter('bob')];
    const closed = once(alice, 'close');
    const killed = await run('kill', '--subject', 'alice', '--code', '4001', '--reason', 'go away');
    expect(killed.out).toBe('ended 1 session\n');
    const [code, reason] = await closed;
    expect([code, String(reason)]).toEqual([4001, 'go away']);
    expect(bob.readyState).toBe(WebSocket.OPEN);
    expect((await run('kill', '--all', '--json')).out).toBe('{"ended":1}\n');
    expect((await run('kill', '--all')).out).toBe('ended 0 sessions\n');
  });

  test.each([[[]], [['--all', '--subject', 'alice']], [['--all', '--reason', 'why']]])(
    'of %j does nothing, and says what is missing',
    async (options) => {
      const socket = await enter('alice');
      const { code, err } = await run('kill', ...options);
      expect(code).toBe(2);
      expect(err).toMatch(/^sallyport: (say which|--reason needs --code)/);
      expect(socket.readyState).toBe(WebSocket.OPEN);
    },
  );
});

describe('sallyport revoke', () => {
  test('keeps a subject out, ends its sessions, shows it, and takes it back', async () => {
    expect((await run('revoke', '--list')).out).toBe('nothing is revoked\n');
    const socket = await enter('alice');
    const closed = once(socket, 'close');
    const revoked = await run('revoke', '--subject', 'alice', '--issuer', 'main', '--for', '1h');
    expect(revoked).toEqual({ code: 0, out: 'revoked; ended 1 session\n', err: '' });
    expect((await closed)[0]).toBe(3000);
    const { out } = await run('revoke', '--list');
    expect(out).toMatch(/^BY +VALUE +ISSUER +UNTIL\nsubject +alice +https:\S+ +\d{4}-\S+Z\n$/);
    const listed = JSON.parse((await run('revoke', '--list', '--json')).out);
    expect(listed).toMatchObject({ revocations: [{ by: 'subject', value: 'alice' }] });
    const undo = ['revoke', '--subject', 'alice', '--issuer', 'main', '--undo'];
    expect((await run(...undo)).out).toBe('taken back\n');
    expect(await run(...undo)).toMatchObject({
      code: 1,
      err: expect.stringContaining('404 REVOCATION_UNKNOWN'),
    });
    await enter('alice');
  });

  test.each([[[]], [['--subject', 'a', '--jti', 'b']], [['--list', '--subject', 'a']]])(
    'of %j does nothing, and says what is missing',
    async (options) => {
      const { code, err } = await run('revoke', ...options);
      expect([code, err]).toEqual([2, expect.stringContaining('say one of --subject, --jti')]);
    },
  );
});

test('sallyport revoke --json says the same to other programs', async () => {
  await enter('alice');
  const ask = async (...words: string[]) => JSON.parse((await run('revoke', ...words, '--json')).out);
  expect(await ask('--subject', 'alice')).toEqual({ ended: 1 });
  expect(await ask('--subject', 'alice', '--undo')).toEqual({ undone: true });
});

test('sallyport revoke says that others cannot hear of it while the store is away', async () => {
  await start(`store: { redis: "redis://127.0.0.1:${await freePort()}" }`);
  expect((await run('revoke', '--subject', 'alice')).out).toBe(
    'revoked; ended 0 sessions; other gateways cannot hear of it before the store answers again\n',
  );
});

test.each(['sessions', 'kill', 'upstreams'])(
  'sallyport %s warns of a route that is none',
  async (command) => {
    expect(await run(command, '--route', 'chta')).toMatchObject({
      ...{ code: 0, err: expect.stringMatching(/^sallyport: \S+ has no route chta; did you mean chat\?\n$/) },
    });
  },
);

describe('sallyport upstreams', () => {
  test('lists them in a table', async () => {
    await enter('alice');
    const { code, out } = await run('upstreams', '--route', 'chat');
    expect(code).toBe(0);
    const [head, row] = out.split('\n');
    expect(head).toBe('ROUTE  BY         TARGET           STATE  IN FLIGHT  SESSIONS  WHY');
    expect(row).toMatch(/^chat +websocket +127\.0\.0\.1:\d+ +well +1 +1$/);
    expect((await run('upstreams', '--route', 'none')).out).toBe('no upstreams are known\n');
  });

  test('says since when one is out, and why', async () => {
    await echo.close();
    await expect(enter('alice')).rejects.toThrow('502');
    expect((await run('upstreams')).out).toMatch(/ (out|due) +0 +0 +dial, for \ds: UPSTREAM_REFUSED\n$/);
  });

  test('lists them as one document for other programs', async () => {
    const { out } = await run('upstreams', '--json');
    expect(JSON.parse(out)).toMatchObject({ upstreams: [{ route: 'chat', state: 'well' }], more: 0 });
  });
});

describe('a gateway that cannot be asked', () => {
  const minimal = (admin: string) =>
    `listeners: [{ port: 1 }]\n${admin}\nroutes: [{ name: a, match: { path: /* }, auth: none, upstream: { http: "http://127.0.0.1:9" } }]\n`;

  test.each([
    ['has no admin listener', () => '', 'add admin: { port: 9090, secret: file:admin-secret }'],
    ['has one without a secret', () => 'admin: { port: 9090 }', 'with its secret, and'],
    ['has one on any port', () => `admin: { port: 0, secret: ${SECRET} }`, 'give it a number'],
  ])('since it %s, says so', async (_, admin, words) => {
    const folder = await folderWith({ 'gate.yaml': minimal(admin()) });
    const { code, err } = await sallyport(['sessions', join(folder, 'gate.yaml')]);
    expect(code).toBe(1);
    expect(err).toContain(words);
  });

  test('since it does not run, says so', async () => {
    const port = await freePort();
    const folder = await folderWith({ 'gate.yaml': minimal(`admin: { port: ${port}, secret: ${SECRET} }`) });
    const { code, err } = await sallyport(['sessions', join(folder, 'gate.yaml')]);
    expect([code, err]).toEqual([
      1,
      `sallyport: http://127.0.0.1:${port} does not answer: nothing listens there; is the gateway running with this configuration?\n`,
    ]);
  });

  test('since its secret is another one, says so', async () => {
    const port = gateway.gateway.adminAddress?.port;
    const folder = await folderWith({
      'gate.yaml': minimal(`admin: { port: ${port}, secret: another-secret-of-thirty-two-characters }`),
    });
    const { code, err } = await sallyport(['sessions', join(folder, 'gate.yaml')]);
    expect(code).toBe(1);
    expect(err).toContain('401 SECRET_REFUSED');
  });
});
