import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { hashOfKey, makeKey } from '../../src/admission/keys/key.ts';
import { type Application, startApplication } from '../support/application.ts';
import { folderWith, sallyport } from '../support/cli.ts';
import { converse } from '../support/conversation.ts';
import { freshToken, TOKEN_ENV, TOKEN_ISSUER } from '../support/fresh.ts';
import { startGateway } from '../support/gateway.ts';
import { within } from '../support/patience.ts';
import { handshake, say } from '../support/raw.ts';

/** API keys through a whole gateway: made by the command, used by machines, rotated and expired while connections are open. */

/** The file is looked at every second, and a change counts when it has been the same for two looks. */
const CHANGE_MS = 10_000;

let app: Application;
beforeAll(async () => {
  app = await startApplication('app');
});
afterAll(() => app.close());

/** A gateway whose routes take the keys of one file: alone, and beside an issuer. */
async function started(options: readonly string[] = []) {
  const file = join(await folderWith({}), 'keys.yaml');
  const key = await made(file, 'ci', '--claim', 'role=deploy', ...options);
  const upstream = `upstream: { http: "http://127.0.0.1:${app.port}" }`;
  const forward = 'forward: { x-user: sub, x-role: role }';
  const gateway = await startGateway(
    `${TOKEN_ISSUER}
routes:
  - { name: keys, match: { path: /keys }, auth: { keys: "file:${file}", token: [header, subprotocol], ${forward} }, ${upstream} }
  - { name: both, match: { path: /both }, auth: { keys: "file:${file}", issuer: main, token: [header, ticket], ${forward} }, ${upstream} }
  - { name: any, match: { path: /any }, auth: { keys: "file:${file}", token: [basic, "header:x-api-key", "cookie:key"] }, origins: ["https://a.example"], ${upstream} }
  - { name: closed, match: { path: /closed }, refuse: close, auth: { keys: "file:${file}", token: ["subprotocol:v."] }, ${upstream} }
  - { name: told, match: { path: /told }, auth: { keys: "file:${file}", forwardToken: true }, ${upstream} }`,
    TOKEN_ENV,
  );
  const ask = (path: string, credential: string) =>
    fetch(`http://127.0.0.1:${gateway.port}${path}`, { headers: { authorization: `Bearer ${credential}` } });
  const connect = (path: string, credential: string) =>
    converse(gateway.url(path), [], { headers: { authorization: `Bearer ${credential}` } });
  return { gateway, file, key, ask, connect, [Symbol.asyncDispose]: gateway.close };
}

/** The key that the command has put into a file. */
async function made(file: string, name: string, ...more: string[]): Promise<string> {
  const { code, out } = await sallyport(['key', name, '--file', file, ...more]);
  expect(code).toBe(0);
  return out.trim();
}

const lastHeaders = () => app.requests.at(-1)?.headers;

describe('a key', () => {
  test('gets a ticket, which lets its holder in once, and is no new token for sessions', async () => {
    await using scene = await started();
    const { gateway, key } = scene;
    const post = (what: string) =>
      fetch(`http://127.0.0.1:${gateway.port}/.sallyport/${what}`, {
        ...{ method: 'POST', headers: { authorization: `Bearer ${key}` } },
      });
    const { ticket } = (await (await post('ticket')).json()) as { ticket: string };
    const conversation = await converse(gateway.url(`/both?ticket=${ticket}`), [], {});
    conversation.webSocket.close();
    expect(await gateway.logged(({ msg }) => msg === 'session opened')).toMatchObject({ subject: 'ci' });
    expect(await (await post('refresh')).text()).toContain('TOKEN_INVALID');
  });

  test('lets plain requests and WebSockets in, is told by name, and goes no further', async () => {
    await using scene = await started();
    const { gateway, key, ask, connect } = scene;
    for (const path of ['/keys', '/both']) {
      const answer = await ask(path, key);
      expect([answer.status, await answer.text()]).toEqual([200, `app page ${path}`]);
      expect(lastHeaders()).toMatchObject({ 'x-user': 'ci', 'x-role': 'deploy' });
      expect(lastHeaders()).not.toHaveProperty('authorization');
      const conversation = await connect(path, key);
      await conversation.hear(/app socket/);
      expect(lastHeaders()).toMatchObject({ 'x-user': 'ci' });
      expect(lastHeaders()).not.toHaveProperty('authorization');
      await conversation.part();
    }
    await gateway.logged(({ msg, subject }) => msg === 'session opened' && subject === 'ci');
    expect(JSON.stringify(gateway.log)).not.toContain(key);
  });

  test('may come as a subprotocol, and is in no 101', async () => {
    await using scene = await started();
    const headers = { 'Sec-WebSocket-Protocol': `bearer, ${scene.key}` };
    using client = await say(scene.gateway.port, handshake('/keys', headers));
    const answer = await client.answer();
    expect(answer).toMatchObject({ status: 101, headers: { 'sec-websocket-protocol': 'bearer' } });
  });

  test('is in no 101 that refuses either, however short it is', async () => {
    await using scene = await started();
    for (const [offered, named] of [
      ['v.short, chat', 'chat'],
      ['v.short', undefined],
    ]) {
      const headers = { 'Sec-WebSocket-Protocol': `${offered}` };
      using client = await say(scene.gateway.port, handshake('/closed', headers));
      const answer = await client.answer();
      expect([answer.status, answer.headers['sec-websocket-protocol']]).toEqual([101, named]);
    }
  });

  test('may come as a password, as Node’s clients bring it, or in a header of its own', async () => {
    await using scene = await started();
    const conversation = await converse(`ws://x:${scene.key}@127.0.0.1:${scene.gateway.port}/any`, [], {});
    await conversation.hear(/app socket/);
    expect(lastHeaders()).not.toHaveProperty('authorization');
    await conversation.part();
    const ask = (headers: Record<string, string>) =>
      fetch(`http://127.0.0.1:${scene.gateway.port}/any`, { headers });
    expect((await ask({ 'X-Api-Key': scene.key })).status).toBe(200);
    expect(lastHeaders()).not.toHaveProperty('x-api-key');
    expect((await ask({ cookie: `key=${scene.key}` })).status).toBe(200);
    expect(lastHeaders()).not.toHaveProperty('cookie');
    expect((await ask({ authorization: `Bearer ${scene.key}` })).status).toBe(401);
  });

  test('goes to a service that asks for it', async () => {
    await using scene = await started();
    await scene.ask('/told', scene.key);
    expect(lastHeaders()?.authorization).toBe(`Bearer ${scene.key}`);
  });

  test('does for a route with an issuer as a token does', async () => {
    await using scene = await started();
    expect((await scene.ask('/both', freshToken())).status).toBe(200);
    expect(lastHeaders()).toMatchObject({ 'x-user': 'alice' });
    expect((await scene.ask('/keys', freshToken())).status).toBe(401);
  });

  test('that nobody knows is refused, with a challenge, and the log tells why', async () => {
    await using scene = await started();
    const strange = makeKey();
    for (const path of ['/keys', '/both']) {
      const answer = await scene.ask(path, strange);
      expect([answer.status, await answer.text()]).toEqual([401, expect.stringContaining('TOKEN_INVALID')]);
      expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="127.0.0.1", error="invalid_token"');
    }
    const refused = (detail: string) => scene.gateway.logged((line) => line.detail === detail);
    await refused('an API key that is not in the file');
    await scene.ask('/both', scene.key.slice(0, -1));
    await refused('an API key that was cut or mistyped');
    await scene.ask('/both', freshToken({ aud: 'other' }));
    await refused('unexpected "aud" claim value');
    expect(JSON.stringify(scene.gateway.log)).not.toContain(strange);
  });

  test('that is missing is asked for', async () => {
    await using scene = await started();
    const answer = await fetch(`http://127.0.0.1:${scene.gateway.port}/keys`);
    expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([
      401,
      'Bearer realm="127.0.0.1"',
    ]);
  });
});

describe('while connections are open', () => {
  test('a key that ends takes its connections along, and lets nobody in', async () => {
    await using scene = await started(['--expires', '2s']);
    const { gateway, key, ask, connect } = scene;
    const conversation = await connect('/keys', key);
    const [code, reason] = await within(once(conversation.webSocket, 'close'), 'the end of the key', 10_000);
    expect([code, `${reason}`]).toEqual([3000, 'The token has expired.']);
    const answer = await ask('/keys', key);
    expect([answer.status, await answer.text()]).toEqual([401, expect.stringContaining('TOKEN_EXPIRED')]);
    await gateway.logged(({ detail }) => detail === 'the API key "ci" has ended');
  });

  test('a key is rotated: the new one lets in, the old one nobody any more, and what is open stays', async () => {
    await using scene = await started();
    const { gateway, file, key, ask, connect } = scene;
    const conversation = await connect('/keys', key);
    const next = await made(file, 'ci-2');
    await gateway.logged(({ added }) => `${added}` === 'ci-2', CHANGE_MS);
    expect([(await ask('/keys', key)).status, (await ask('/both', next)).status]).toEqual([200, 200]);

    const text = await readFile(file, 'utf8');
    await writeFile(file, text.slice(text.indexOf('- name: ci-2')));
    await gateway.gateway.reload();
    await gateway.logged(({ removed }) => `${removed}` === 'ci');
    expect([(await ask('/keys', key)).status, (await ask('/keys', next)).status]).toEqual([401, 200]);
    await expect(connect('/both', key)).rejects.toThrow('401');
    conversation.say('still here');
    await conversation.hear(/still here/);
    await conversation.part();
  });

  test('a file that is broken changes nothing, and the log says where it is', async () => {
    await using scene = await started();
    const { gateway, file, key, ask } = scene;
    await writeFile(file, `- { name: other, hash: "${hashOfKey(key).slice(1)}" }\n`);
    await gateway.gateway.reload();
    const line = await gateway.logged(({ problems }) => problems !== undefined);
    expect(await gateway.metrics()).toContain(
      'sallyport_file_reloads_total{kind="keys",outcome="refused"} 1\n',
    );
    expect(line.problems).toEqual([expect.stringMatching(/keys.yaml:1:24 \[0\].hash: .* is not sha256:/)]);
    expect((await ask('/keys', key)).status).toBe(200);
  });
});

test('a gateway does not open with a file of keys that cannot be used', async () => {
  const file = join(await folderWith({ 'keys.yaml': 'keys: 1' }), 'keys.yaml');
  const auth = `auth: { keys: "file:${file}" }`;
  const opening = startGateway(
    `routes: [{ name: a, match: { path: /a }, ${auth}, upstream: { http: "http://127.0.0.1:1" } }]`,
  );
  await expect(opening).rejects.toThrow(/keys.yaml:1:1 a mapping is not a list/);
});
