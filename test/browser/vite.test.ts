import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { launchTowards, openPage } from '../support/chromium.ts';
import { startExample } from '../support/example.ts';
import type { TestGateway } from '../support/gateway.ts';
import { startVite } from '../support/vite.ts';

/**
 * Vite's dev server behind the gateway, at the root of a host. The browser reaches nothing but the gateway, so that
 * Vite's client cannot do what it does where its WebSocket fails: turn to the dev server's own port.
 */

const HOST = 'app.localhost';

async function startScene() {
  const project = await startVite(HOST);
  const gateway = await startExample('vite', { 'http://127.0.0.1:5173': `http://127.0.0.1:${project.port}` });
  const page = await openPage(await launchTowards(HOST, gateway.port));
  return { project, gateway, page };
}

/**
 * Opens the page, and resolves once its client is connected. The lists of its WebSockets and of what it complains of
 * go on growing.
 */
async function visit(page: Page, gateway: TestGateway) {
  const webSockets: string[] = [];
  const complaints: string[] = [];
  page.on('websocket', (webSocket) => webSockets.push(webSocket.url()));
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() !== 'debug') complaints.push(message.text());
  });
  await Promise.all([
    page.waitForEvent('console', (message) => message.text() === '[vite] connected.'),
    page.goto(`http://${HOST}/`),
  ]);
  await gateway.logged(({ msg, protocol }) => msg === 'session opened' && protocol === 'vite-hmr');
  return { webSockets, complaints };
}

test('an edit on disk changes the page through the gateway, without a reload', async () => {
  const { project, gateway, page } = await startScene();
  const { webSockets, complaints } = await visit(page, gateway);
  const heading = page.locator('h1');
  expect(await heading.textContent()).toBe('open from nine');
  await page.evaluate('window.marker = "the same page"');

  await project.edit('greeting.js', `export const greeting = 'open from ten';`);
  await page.locator('h1', { hasText: 'open from ten' }).waitFor();
  await project.edit('style.css', 'h1 { color: rgb(0, 0, 200) }');
  await page.waitForFunction('getComputedStyle(document.querySelector("h1")).color === "rgb(0, 0, 200)"');
  expect(await page.evaluate('window.marker')).toBe('the same page');

  expect(webSockets).toEqual([expect.stringMatching(/^ws:\/\/app\.localhost\/\?token=/)]);
  expect(complaints).toEqual([]);
  expect(gateway.log.filter(({ msg }) => msg === 'session opened')).toMatchObject([
    { route: 'vite', bridge: 'websocket', protocol: 'vite-hmr', origin: `http://${HOST}` },
  ]);
});

test("the dev server's own port is out of the page's reach", async () => {
  const { project, gateway, page } = await startScene();
  await visit(page, gateway);
  for (const host of ['127.0.0.1', 'localhost']) {
    const attempt = `fetch('http://${host}:${project.port}/', { mode: 'no-cors' })`;
    await expect(page.evaluate(attempt)).rejects.toThrow('Failed to fetch');
  }
});
