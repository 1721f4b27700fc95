import type { Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { launchTowards, openPage } from '../support/chromium.ts';
import { within } from '../support/patience.ts';
import {
  CLIMB_MS,
  type Climb,
  climb,
  GLOBALS,
  type Job,
  type Library,
  messages,
  startGuarded,
  startOpen,
} from '../support/transports.ts';

/**
 * Socket.IO and Engine.IO on a page, with the transports they choose by themselves. The page and all it asks for come
 * through one route: its browser reaches nothing but the gateway.
 */

const HOST = 'app.example.com';
/** In plain text on a loopback address no other names are answered to. */
const OPEN_HOST = 'app.localhost';
const LIBRARIES: readonly Library[] = ['Socket.IO', 'Engine.IO'];

/** Has the page connect to where it came from. */
function climbOn(page: Page, library: Library): Promise<Climb> {
  const job: Job = { url: new URL(page.url()).origin, options: { reconnection: false }, count: 1_000 };
  const climbed = page.evaluate<Climb>(`(${climb})(${GLOBALS[library]}, ${JSON.stringify(job)})`);
  return within(climbed, '1,000 messages', CLIMB_MS);
}

describe.each(LIBRARIES)('%s', (library) => {
  test('connects by polling, goes on by WebSocket, and says 1,000 messages through one route', async () => {
    const { gateway } = await startOpen();
    const page = await openPage(await launchTowards(OPEN_HOST, gateway.port));
    await page.goto(`http://${OPEN_HOST}/`);
    expect(await climbOn(page, library)).toEqual({
      transports: ['polling', 'websocket'],
      echoes: messages(1_000),
    });
    await gateway.logged(({ msg }) => msg === 'session ended');
    expect(gateway.log.filter(({ msg }) => msg === 'session opened')).toMatchObject([
      { route: 'app', bridge: 'websocket', origin: `http://${OPEN_HOST}` },
    ]);
  });

  test('does the same with the cookie of somebody who is logged in, which the application never sees', async () => {
    const { app, gateway, token } = await startGuarded();
    const page = await openPage(await launchTowards(HOST, gateway.port));
    const cookie = { url: `https://${HOST}`, secure: true, sameSite: 'Strict' } as const;
    await page.context().addCookies([
      { ...cookie, name: 'theme', value: 'dark' },
      { ...cookie, name: 'session', value: token, httpOnly: true },
    ]);
    await page.goto(`https://${HOST}/`);
    expect(await climbOn(page, library)).toEqual({
      transports: ['polling', 'websocket'],
      echoes: messages(1_000),
    });
    expect(app.requests.map(({ headers }) => headers.upgrade)).toContain('websocket');
    for (const { headers } of app.requests)
      expect(headers).toMatchObject({ cookie: 'theme=dark', 'x-user': 'alice' });
  });
});
