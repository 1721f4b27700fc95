import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { Provider } from 'oidc-provider';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { startEcho } from '../support/faulty.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { within } from '../support/patience.ts';
import { startTap } from '../support/servers.ts';
import { serve } from './serve.ts';

/** Who signs out at an OpenID provider is signed out here: oidc-provider, certified by the OpenID Foundation. */

const CLIENT = { client_id: 'web', client_secret: 'a secret of the client, which is of no use here' };
const CALLBACK = 'https://app.test/callback';

/** A browser, as far as signing in and out needs one: it keeps cookies, and follows redirects to the provider. */
class Browser {
  readonly #cookies = new Map<string, string>();
  readonly #origin: string;

  constructor(origin: string) {
    this.#origin = origin;
  }

  /** Resolves with the page at the end of all redirects, or where one leads away from the provider. */
  async visit(to: string, form?: Record<string, string>): Promise<{ url: URL; page: string }> {
    let url = new URL(to, this.#origin);
    let body = form && new URLSearchParams(form);
    for (;;) {
      if (url.origin !== this.#origin) return { url, page: '' };
      const cookie = [...this.#cookies].map((pair) => pair.join('=')).join('; ');
      const method = body ? 'POST' : 'GET';
      const answer = await fetch(url, { method, body, headers: { cookie }, redirect: 'manual' });
      for (const set of answer.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? [];
        this.#cookies.set(name, value);
      }
      const page = await answer.text();
      const next = answer.headers.get('location');
      if (next === null) return { url, page };
      url = new URL(next, url);
      body = undefined;
    }
  }
}

/** The provider, and a gateway that takes its ID tokens on two routes. */
async function startScene() {
  const ready = Promise.withResolvers<RequestListener>();
  const port = await serve(createServer((request, response) => void answer(request, response)));
  const answer: RequestListener = async (request, response) => (await ready.promise)(request, response);
  const issuer = `http://127.0.0.1:${port}`;
  const echo = await startEcho();
  onTestFinished(() => echo.close());
  const gateway = await startGateway(`
issuers:
  people: { issuer: "${issuer}", audience: web, algorithms: [RS256], discovery: true, logout: { clientId: web } }
routes:
  - { name: chat, match: { path: /chat }, auth: { issuer: people }, upstream: { websocket: "ws://127.0.0.1:${echo.port}" } }
  - { name: news, match: { path: /news }, auth: { issuer: people }, upstream: { websocket: "ws://127.0.0.1:${echo.port}" } }`);
  onTestFinished(() => gateway.close());
  const tap = await startTap(gateway.port);
  onTestFinished(() => tap.close());
  ready.resolve(createProvider(issuer, tap.port));
  return { issuer, gateway, heard: tap.heard };
}

function createProvider(issuer: string, gateway: number): RequestListener {
  const provider = new Provider(issuer, {
    clients: [
      {
        ...CLIENT,
        redirect_uris: [CALLBACK],
        token_endpoint_auth_method: 'client_secret_post',
        backchannel_logout_uri: `http://127.0.0.1:${gateway}/.sallyport/logout`,
        backchannel_logout_session_required: true,
      },
    ],
    features: { backchannelLogout: { enabled: true }, devInteractions: { enabled: true } },
    cookies: { keys: ['of a test'] },
    pkce: { required: () => false },
    // Its own way of asking calls nobody on this machine.
    fetch: (url: string, { method, headers, body }: RequestInit) => fetch(url, { method, headers, body }),
  });
  return provider.callback();
}

/** Signs in as the code flow has it. Resolves with the ID token. */
async function signIn(browser: Browser, issuer: string, login: string): Promise<string> {
  const query = { client_id: 'web', response_type: 'code', scope: 'openid', redirect_uri: CALLBACK };
  const asked = await browser.visit(`/auth?${new URLSearchParams(query)}`);
  const consent = await browser.visit(asked.url.href, { prompt: 'login', login, password: 'any' });
  const { url } = await browser.visit(consent.url.href, { prompt: 'consent' });
  const code = url.searchParams.get('code') ?? '';
  const grant = { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, ...CLIENT };
  const answer = await fetch(`${issuer}/token`, { method: 'POST', body: new URLSearchParams(grant) });
  const { id_token: token } = (await answer.json()) as { id_token: string };
  return token;
}

/** Signs out at the provider, as a page of its asks for it. */
async function signOut(browser: Browser, token: string): Promise<void> {
  const { page } = await browser.visit(`/session/end?${new URLSearchParams({ id_token_hint: token })}`);
  const [, xsrf = ''] = /name="xsrf" value="(\w+)"/.exec(page) ?? [];
  await browser.visit('/session/end/confirm', { xsrf, logout: 'yes' });
}

async function enter(gateway: TestGateway, path: string, token: string): Promise<WebSocket | number> {
  const socket = new WebSocket(gateway.url(path), { headers: { authorization: `Bearer ${token}` } });
  socket.on('error', () => undefined);
  onTestFinished(() => socket.terminate());
  const { promise, resolve } = Promise.withResolvers<WebSocket | number>();
  socket.on('open', () => resolve(socket));
  socket.on('unexpected-response', (_, { statusCode = 0 }) => resolve(statusCode));
  return within(promise, 'an answer');
}

async function open(gateway: TestGateway, path: string, token: string): Promise<WebSocket> {
  const socket = await enter(gateway, path, token);
  if (typeof socket === 'number') throw new Error(`${path}: ${socket}`);
  return socket;
}

test('who signs out loses all sessions of that sign-in within a second, and comes in with no token of it', async () => {
  const { issuer, gateway, heard } = await startScene();
  const [here, there] = [new Browser(issuer), new Browser(issuer)];
  const token = await signIn(here, issuer, 'alice');
  const elsewhere = await signIn(there, issuer, 'alice');
  const ending = [await open(gateway, '/chat', token), await open(gateway, '/news', token)];
  const staying = await open(gateway, '/chat', elsewhere);

  const ends = ending.map((socket) => once(socket, 'close'));
  const since = performance.now();
  await signOut(here, token);
  for (const [code] of await within(Promise.all(ends), 'the ends')) expect(code).toBe(3000);
  expect(performance.now() - since).toBeLessThan(1_000);
  expect(await Promise.all(['/chat', '/news'].map((path) => enter(gateway, path, token)))).toEqual([
    401, 401,
  ]);
  expect(staying.readyState).toBe(WebSocket.OPEN);
  await open(gateway, '/news', await signIn(here, issuer, 'alice'));

  const [, logout = ''] = /logout_token=([\w.-]+)/.exec(heard()) ?? [];
  const forged = logout.replace(
    /\.[^.]+$/,
    (signature) => `.${signature.slice(1).split('').reverse().join('')}`,
  );
  for (const shown of [logout, forged, elsewhere]) {
    const url = `http://127.0.0.1:${gateway.port}/.sallyport/logout`;
    const answer = await fetch(url, { method: 'POST', body: new URLSearchParams({ logout_token: shown }) });
    expect(answer.status).toBe(400);
  }
  expect(staying.readyState).toBe(WebSocket.OPEN);
  const whys = gateway.log.filter(({ error }) => error === 'LOGOUT_REFUSED').map(({ detail }) => detail);
  expect(whys).toEqual([
    expect.stringContaining('shown before'),
    expect.stringContaining('no key of the issuer'),
    expect.stringContaining('events'),
  ]);
});
