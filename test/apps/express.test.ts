import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import express, { type Request, type Response } from 'express';
import session, { MemoryStore } from 'express-session';
import type { Page } from 'playwright-core';
import { Agent, request } from 'undici';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { launchTowards, openPage } from '../support/chromium.ts';
import { type Secure, startSecureExample } from '../support/example.ts';
import { within } from '../support/patience.ts';
import { serve } from './serve.ts';

/**
 * An application with sessions of its own (Express with express-session), which the gateway asks about every request: pages, fetch
 * and WebSockets know who is signed in, by its own sign-in page.
 */

const HOST = 'app.example.com';
const ORIGIN = `https://${HOST}`;

declare module 'express-session' {
  interface SessionData {
    user: string;
  }
}

/** Its page fetches who it is, and has a WebSocket. */
const PAGE = `<!doctype html><title>app</title><p id="user"></p><p id="live"></p><script>
  fetch('/me').then(async (answer) => { user.textContent = answer.status + ' ' + await answer.text(); });
  const socket = new WebSocket('wss://' + location.host + '/live');
  socket.onmessage = ({ data }) => { live.textContent = data; };
  socket.onclose = ({ code }) => { live.textContent = 'closed ' + code; };
</script>`;
const FORM =
  '<!doctype html><title>sign in</title><form method="post"><input name="user"><button>in</button></form>';

/** Nothing in it but `/auth` and `/login` looks at sessions: who comes is told by the gateway. */
async function startApplication(lifetimeMs: number): Promise<number> {
  const app = express();
  const isFrom = (value: unknown) =>
    typeof value === 'string' && value.startsWith('/') && !value.startsWith('//');
  app.set('trust proxy', 'loopback');
  const sessions = session({
    secret: 'only here',
    store: new MemoryStore(),
    resave: false,
    saveUninitialized: false,
    cookie: { secure: true, sameSite: 'lax', maxAge: lifetimeMs },
  });
  app.use(sessions, express.urlencoded());

  app.get('/auth', (question: Request, answer: Response) => {
    const { user, cookie } = question.session;
    if (user !== undefined) {
      answer.set('X-Session-End', `${(cookie.expires?.getTime() ?? 0) / 1000}`);
      answer.set('X-User', user).sendStatus(200);
    } else if (question.accepts('json', 'html') === 'html') {
      answer.redirect(`/login?return=${encodeURIComponent(question.get('X-Forwarded-Uri') ?? '/')}`);
    } else answer.status(401).json({ error: 'sign in' });
  });
  app.get('/login', (_, answer) => void answer.send(FORM));
  app.post('/login', ({ session, body, query }, answer) => {
    session.user = String(body.user);
    answer.redirect(303, isFrom(query.return) ? String(query.return) : '/');
  });
  app.post('/logout', ({ session }, answer) => session.destroy(() => void answer.sendStatus(204)));
  app.get('/me', (question, answer) => void answer.send(question.get('X-User')));
  app.get('/', (_, answer) => void answer.send(PAGE));

  const server = createServer(app);
  const webSockets = new WebSocketServer({ server, path: '/live' });
  webSockets.on('connection', (webSocket, { headers }: IncomingMessage) =>
    webSocket.on('error', () => {}).send(`hello ${headers['x-user']}`),
  );
  return serve(server);
}

/** The application behind the gateway, and requests of a program to it. */
async function startScene({ lifetimeMs = 60_000 } = {}) {
  const port = await startApplication(lifetimeMs);
  const secure = await startSecureExample('external-auth', {
    'upstream: { http: http://127.0.0.1:3000, upgrades: off }': `upstream: { http: http://127.0.0.1:${port}, upgrades: off }`,
    'url: http://127.0.0.1:3000/auth': `url: http://127.0.0.1:${port}/auth`,
    'upstream: { http: http://127.0.0.1:3000 }': `upstream: { http: http://127.0.0.1:${port} }`,
  });
  const dispatcher = new Agent({ connect: { ca: secure.ca } });
  onTestFinished(() => dispatcher.destroy());
  const base = `https://localhost:${secure.gateway.port}`;

  async function ask(path: string, more: Record<string, string> = {}, method = 'GET', body?: string) {
    const headers = { host: HOST, origin: ORIGIN, ...more };
    const answer = await request(base + path, { dispatcher, method, headers, body: body ?? null });
    return { status: answer.statusCode, headers: answer.headers, body: await answer.body.text() };
  }
  /** The cookie of whoever signs in. */
  async function signIn(user: string): Promise<string> {
    const type = { 'content-type': 'application/x-www-form-urlencoded' };
    const { status, headers } = await ask('/login', type, 'POST', `user=${user}`);
    expect(status).toBe(303);
    return `${[headers['set-cookie']].flat()[0]}`.split(';', 1)[0] as string;
  }
  return { ...secure, ask, signIn };
}

async function connect({ gateway, ca }: Secure, headers: Record<string, string>): Promise<WebSocket> {
  const url = `wss://localhost:${gateway.port}/live`;
  const webSocket = new WebSocket(url, { ca, headers: { host: HOST, origin: ORIGIN, ...headers } });
  onTestFinished(() => webSocket.terminate());
  await within(once(webSocket, 'open'), 'a WebSocket');
  return webSocket.on('error', () => {});
}

const texts = async (page: Page) => [await page.textContent('#user'), await page.textContent('#live')];

test('people sign in on its own page, and are known to pages, fetch and WebSockets until they sign out', async () => {
  const { gateway } = await startScene();
  const page = await openPage(await launchTowards(HOST, gateway.port));
  await page.goto(`${ORIGIN}/?q=1`);
  expect(page.url()).toBe(`${ORIGIN}/login?return=%2F%3Fq%3D1`);
  await page.fill('input', 'alice');
  await page.click('button');
  await page.waitForURL(`${ORIGIN}/?q=1`);
  await page.waitForFunction("live.textContent !== '' && user.textContent !== ''");
  expect(await texts(page)).toEqual(['200 alice', 'hello alice']);
  await gateway.logged(({ msg, subject }) => msg === 'session opened' && subject === 'alice');

  await page.evaluate("fetch('/logout', { method: 'POST' }).then(() => undefined)");
  expect(await page.evaluate("fetch('/me').then(({ status }) => status)")).toBe(401);
  const closed =
    "new Promise((resolve) => { new WebSocket('wss://' + location.host + '/live').onclose = ({ code }) => resolve(code); })";
  expect(await page.evaluate(closed)).toBe(1006);
  await page.reload();
  expect(page.url()).toBe(`${ORIGIN}/login?return=%2F%3Fq%3D1`);
  await gateway.logged(({ detail }) => detail === 'the auth service answered 302');
});

test('its own refusal is what programs get, and what they say of themselves counts for nothing', async () => {
  const scene = await startScene();
  expect(await scene.ask('/me', { accept: 'application/json', 'x-user': 'root' })).toMatchObject({
    status: 401,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body: '{"error":"sign in"}',
  });
  expect(await scene.ask('/', { accept: 'text/html' })).toMatchObject({
    status: 302,
    headers: { location: '/login?return=%2F' },
  });
  const cookie = await scene.signIn('bob');
  expect(await scene.ask('/me', { cookie, 'x-user': 'root' })).toMatchObject({ status: 200, body: 'bob' });
  await expect(connect(scene, { cookie: 'connect.sid=made-up' })).rejects.toThrow(
    'Unexpected server response: 401',
  );
  await expect(connect(scene, { cookie, origin: 'https://evil.example' })).rejects.toThrow('403');
});

test('a WebSocket ends with the session', async () => {
  const scene = await startScene({ lifetimeMs: 1_500 });
  const webSocket = await connect(scene, { cookie: await scene.signIn('carol') });
  const [code, reason] = await within(once(webSocket, 'close'), 'the end of the session');
  expect([code, `${reason}`]).toEqual([3000, 'The token has expired.']);
});
