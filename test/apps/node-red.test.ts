import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { launchTowards } from '../support/chromium.ts';
import { type Guarded, startGuardedExample } from '../support/example.ts';
import { eventually } from '../support/patience.ts';
import { startServer } from '../support/servers.ts';
import { type Visitor, visitorOf } from '../support/visitor.ts';
import { loggedIn } from './visit.ts';

/** Node-RED, which has users and tokens of its own, behind the cookie of the gateway: editor, admin API, WebSocket, flows. */

const HOST = 'app.example.com';
const ORIGIN = `https://${HOST}`;
const ADMIN = { username: 'admin', password: 'open sesame' };
/** Of that password. */
const BCRYPT_HASH = '$2b$08$5zUAiJ4WUSkBBH18iOqfc.YTOXf.xyAbSnHt8r0QYE5gP5hcudYIS';
/** It loads hundreds of modules. */
const START_MS = 60_000;
/** Its editor is hundreds of files. */
const LOAD_MS = 20_000;

async function startNodeRed(): Promise<number> {
  const program = createRequire(import.meta.url).resolve('node-red/red.js');
  const server = await startServer(
    process.execPath,
    async (folder, port) => {
      const settings = {
        uiHost: '127.0.0.1',
        uiPort: port,
        adminAuth: {
          type: 'credentials',
          users: [{ username: ADMIN.username, password: BCRYPT_HASH, permissions: '*' }],
        },
        telemetry: { enabled: false, updateNotification: false },
        editorTheme: { tours: false },
        externalModules: { autoInstall: false, palette: { allowInstall: false } },
      };
      const file = join(folder, 'settings.cjs');
      await writeFile(file, `module.exports = ${JSON.stringify(settings)};`);
      return { args: [program, '--settings', file, '--userDir', folder] };
    },
    START_MS,
  );
  onTestFinished(() => server.close());
  return server.port;
}

/** Greets whoever asks, and shows it to whoever watches in the editor. */
const FLOW = [
  { id: 'tab', type: 'tab', label: 'Greetings' },
  { id: 'in', z: 'tab', type: 'http in', url: '/hello', method: 'get', x: 120, y: 80, wires: [['greet']] },
  {
    id: 'greet',
    z: 'tab',
    type: 'function',
    func: 'msg.payload = ["hello", msg.req.headers["x-user"], msg.req.headers.cookie].join(" "); return msg;',
    outputs: 1,
    x: 320,
    y: 80,
    wires: [['out', 'debug']],
  },
  { id: 'out', z: 'tab', type: 'http response', x: 520, y: 80, wires: [] },
  {
    id: 'debug',
    z: 'tab',
    type: 'debug',
    active: true,
    tosidebar: true,
    complete: 'payload',
    x: 520,
    y: 140,
    wires: [],
  },
];

/** A program that comes as a page of the application would: with its Origin, and the cookies of somebody who has this token. */
function pageOf(guarded: Guarded, token = guarded.token): Pick<Visitor, 'ask'> {
  return visitorOf(guarded, { origin: ORIGIN, cookie: `theme=dark; session=${token}` });
}

/** Header fields of who has logged in with Node-RED itself. */
async function logIn(page: Pick<Visitor, 'ask'>): Promise<{ authorization: string }> {
  const json = { client_id: 'node-red-admin', grant_type: 'password', scope: '*', ...ADMIN };
  const { body } = await page.ask('/auth/token', { method: 'POST', json });
  return { authorization: `Bearer ${JSON.parse(body).access_token}` };
}

async function startScene() {
  const port = await startNodeRed();
  return startGuardedExample('node-red', { 'http://127.0.0.1:1880': `http://127.0.0.1:${port}` });
}

/** Opens the editor as Node-RED's own user. The lists of what it hears at /comms and of what it is refused go on growing. */
async function openEditor({ gateway, token }: Guarded) {
  const page = await loggedIn(await launchTowards(HOST, gateway.port), HOST, token);
  const refused: string[] = [];
  const heard: string[] = [];
  page.on('response', (response) => {
    if (response.status() >= 400) refused.push(`${response.status()} ${new URL(response.url()).pathname}`);
  });
  page.on('websocket', (webSocket) => {
    webSocket.on('framereceived', ({ payload }) => heard.push(`${payload}`));
  });
  await page.goto(`${ORIGIN}/`);
  await page.fill('#node-dialog-login-username', ADMIN.username);
  await page.fill('#node-dialog-login-password', ADMIN.password);
  await page.click('#node-dialog-login-submit');
  await page.locator('#red-ui-workspace').waitFor();
  const hears = (word: string) =>
    eventually(() => heard.splice(0).some((text) => text.includes(word)), word, LOAD_MS);
  return { page, refused, hears };
}

test('its editor, its API and its flows work behind the cookie, with its own users and tokens', async () => {
  const guarded = await startScene();
  const { page, refused, hears } = await openEditor(guarded);
  await hears('"auth":"ok"');
  const { ask } = pageOf(guarded);
  expect(await ask('/flows')).toEqual({ status: 401, body: 'Unauthorized' });
  const headers = await logIn({ ask });
  expect(await ask('/flows', { method: 'POST', headers, json: FLOW })).toMatchObject({ status: 204 });
  await hears('notification/runtime-deploy');

  await page.reload();
  await page.locator('.red-ui-tab', { hasText: 'Greetings' }).waitFor();
  await hears('"auth":"ok"');
  await eventually(async () => (await ask('/hello')).status === 200, 'the start of the new flow');
  expect(await ask('/hello')).toEqual({ status: 200, body: 'hello alice theme=dark' });
  await page.locator('.red-ui-debug-msg', { hasText: 'hello alice' }).first().waitFor();
  // Node-RED's own word to who has not logged in with it yet.
  expect(refused).toEqual(['401 /settings']);
  expect(guarded.gateway.log.filter(({ msg }) => msg === 'session opened')).toMatchObject([
    { path: '/comms', origin: ORIGIN },
    { path: '/comms', origin: ORIGIN },
  ]);
});

test('nobody comes in without the cookie, whatever token of its own they bring', async () => {
  const guarded = await startScene();
  const headers = await logIn(pageOf(guarded));
  const stranger = pageOf(guarded, '');
  expect(await stranger.ask('/flows', { headers })).toEqual({
    status: 401,
    body: expect.stringContaining('TOKEN_MISSING'),
  });
});
