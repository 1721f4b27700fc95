import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { launchChromium, openPage } from '../support/chromium.ts';
import { freshToken, TOKEN_ENV, TOKEN_ISSUER } from '../support/fresh.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { startPageServer } from '../support/page.ts';
import { startTap, type Tap } from '../support/servers.ts';
import { converse, type Events, type SessionClient, startEvents } from '../support/socketio.ts';

/**
 * Socket.IO on a page, logged in by a cookie. All pages are on `localhost`, for a browser's cookies know no ports: it sends
 * them from the foreign page too, and nothing but the check of the origin keeps that page out (CWE-1385).
 */

let browser: Browser;

beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser?.close());

interface Scene {
  readonly gateway: TestGateway;
  readonly events: Events;
  /** Between the browser and the gateway. */
  readonly front: Tap;
  /** Between the gateway and the server. */
  readonly back: Tap;
  readonly token: string;
  /** A page at home or a foreign one, with the cookies of somebody who is logged in. */
  visit(whose: 'own' | 'foreign'): Promise<Page>;
}

async function startScene(deflate: boolean): Promise<Scene> {
  const [events, own, foreign] = await Promise.all([
    startEvents(deflate),
    startPageServer('socket.io-client/dist/socket.io.min.js'),
    startPageServer('socket.io-client/dist/socket.io.min.js'),
  ]);
  onTestFinished(() => own.close());
  onTestFinished(() => foreign.close());
  const back = await startTap(events.port);
  onTestFinished(() => back.close());
  const gateway = await startGateway(
    `
${TOKEN_ISSUER}
routes:
  - name: events
    match: { path: /socket.io/* }
    origins: ["http://localhost:${own.port}"]
    auth: { issuer: main, token: ["cookie:session"], forward: { x-user: sub } }
    upstream: { websocket: "ws://127.0.0.1:${back.port}" }`,
    TOKEN_ENV,
  );
  onTestFinished(() => gateway.close());
  const front = await startTap(gateway.port);
  onTestFinished(() => front.close());
  const token = freshToken();

  async function visit(whose: 'own' | 'foreign'): Promise<Page> {
    const page = await openPage(browser);
    await page.context().addCookies([
      { name: 'theme', value: 'dark', url: 'http://localhost' },
      { name: 'session', value: token, url: 'http://localhost', httpOnly: true, sameSite: 'Strict' },
    ]);
    await page.goto(`http://localhost:${(whose === 'own' ? own : foreign).port}/`);
    return page;
  }
  return { gateway, events, front, back, token, visit };
}

function talkOn(page: Page, { front }: Scene): Promise<SessionClient> {
  const options = '{ transports: ["websocket"], reconnection: false, withCredentials: true }';
  return page.evaluate<SessionClient>(`(${converse})(io('http://localhost:${front.port}', ${options}))`);
}

test.each([
  { deflate: 'on', negotiated: /^permessage-deflate/ },
  { deflate: 'off', negotiated: /^$/ },
])(
  'a page of the allowed origin talks, deflate $deflate; the server sees who it is, never the token',
  async (given) => {
    const scene = await startScene(given.deflate === 'on');
    const { outcomes, transport } = await talkOn(await scene.visit('own'), scene);
    expect(transport).toBe('websocket');
    expect(outcomes).toEqual(Array(22).fill('same'));
    expect(scene.events.extensions()).toMatch(given.negotiated);
    expect(scene.events.handshakes).toMatchObject([{ cookie: 'theme=dark', 'x-user': 'alice' }]);
    expect(scene.back.heard()).toContain('theme=dark');
    expect(scene.back.heard()).not.toContain(scene.token);
  },
);

test('a page of another origin is refused although the browser sends its cookie', async () => {
  const scene = await startScene(true);
  await expect(talkOn(await scene.visit('foreign'), scene)).rejects.toThrow('websocket error');
  const refused = await scene.gateway.logged((line) => line.msg === 'upgrade refused');
  expect(refused).toMatchObject({ error: 'ORIGIN_REFUSED', status: 403 });
  expect(scene.front.heard()).toContain(scene.token);
  expect(scene.back.heard()).toBe('');
});
