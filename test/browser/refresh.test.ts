import type { Page } from 'playwright-core';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { launchChromium, openPage } from '../support/chromium.ts';
import { type Guarded, startGuardedExample } from '../support/example.ts';
import { startEcho } from '../support/faulty.ts';
import { startPageServer } from '../support/page.ts';

/** A page of another origin, in a browser: it comes in with a ticket, and stays by showing a new token. */

let scene: Guarded;
let visit: () => Promise<Page>;

beforeEach(async () => {
  const echo = await startEcho();
  onTestFinished(() => echo.close());
  const own = await startPageServer();
  onTestFinished(() => own.close());
  scene = await startGuardedExample('refresh-and-tickets', {
    'https://app.example.com]': `"http://localhost:${own.port}"]`,
    'ws://127.0.0.1:3000': `ws://127.0.0.1:${echo.port}`,
    'audience: app': 'audience: app\n    clockTolerance: 0s',
  });
  const browser = await launchChromium();
  onTestFinished(() => browser.close());
  visit = async () => {
    const page = await openPage(browser);
    await page.goto(`http://localhost:${own.port}/`);
    await page.evaluate(PAGE(scene.gateway.port));
    return page;
  };
});

/** The page of config/guide/ending-sessions.md, which keeps what it hears. */
const PAGE = (port: number) => `
  const GATEWAY = 'https://localhost:${port}';
  const authorised = (token) => ({ method: 'POST', headers: { authorization: 'Bearer ' + token } });
  globalThis.connect = async (token) => {
    const answer = await fetch(GATEWAY + '/_gateway/ticket?route=live', authorised(token));
    if (!answer.ok) throw new Error(await answer.text());
    globalThis.used = (await answer.json()).ticket;
    return open(used);
  };
  globalThis.open = (ticket) => new Promise((resolve, reject) => {
    const socket = new WebSocket(GATEWAY.replace('http', 'ws') + '/live?ticket=' + encodeURIComponent(ticket));
    globalThis.over = new Promise((done) => { socket.onclose = ({ code, reason }) => { done([code, reason]); reject(new Error('closed')); } });
    socket.onopen = () => { globalThis.socket = socket; resolve(); };
  });
  globalThis.refresh = async (token) => (await fetch(GATEWAY + '/_gateway/refresh', authorised(token))).json();
  globalThis.echo = (text) => new Promise((resolve) => {
    socket.onmessage = ({ data }) => resolve(data);
    socket.send(text);
  });`;

const run = (page: Page, script: string): Promise<unknown> => page.evaluate(script);
const inSeconds = (seconds: number) => Date.now() / 1000 + seconds;

test('a socket stays beyond the end of its first token where the page shows a new one, and sees 3000 where it does not', async () => {
  const [stays, goes] = await Promise.all([visit(), visit()]);
  const exp = inSeconds(4);
  await run(stays, `connect('${scene.mint({ exp })}')`);
  await run(goes, `connect('${scene.mint({ exp, sub: 'bob' })}')`);
  const later = Math.floor(inSeconds(3600));
  expect(await run(stays, `refresh('${scene.mint({ exp: later })}')`)).toMatchObject({
    extended: 1,
    sessions: [{ route: 'live', expires: new Date(later * 1000).toISOString() }],
  });
  expect(await run(goes, 'over')).toEqual([3000, 'The token has expired.']);
  expect(Date.now() / 1000).toBeGreaterThanOrEqual(exp);
  expect(await run(stays, `echo('still here')`)).toBe('still here');
});

test('a ticket opens one socket, and no second one', async () => {
  const page = await visit();
  await run(page, `connect('${scene.token}')`);
  await expect(run(page, 'open(used)')).rejects.toThrow('closed');
  await expect(run(page, `connect('x.y.z')`)).rejects.toThrow('TOKEN_INVALID');
});
