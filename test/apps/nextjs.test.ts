import { expect, test } from 'vitest';
import { launchTowards } from '../support/chromium.ts';
import { startGuardedExample } from '../support/example.ts';
import { startShop } from './shop.ts';
import { loggedIn } from './visit.ts';

/** The dev server of Next.js behind a cookie, at the root of a host. The browser reaches nothing but the gateway. */

const HOST = 'app.example.com';
const ORIGIN = `https://${HOST}`;

async function startScene() {
  const shop = await startShop();
  const { gateway, token } = await startGuardedExample('nextjs', {
    'http://127.0.0.1:3000': `http://127.0.0.1:${shop.port}`,
  });
  const page = await loggedIn(await launchTowards(HOST, gateway.port), HOST, token);
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  await page.goto(`${ORIGIN}/`);
  await gateway.logged(({ msg }) => msg === 'session opened', 20_000);
  return { shop, gateway, page, complaints };
}

test('pages, actions, handlers and hot updates pass, and the service knows who asks', async () => {
  const { shop, gateway, page, complaints } = await startScene();
  expect(await page.textContent('#user')).toBe('alice');
  await page.click('#add');
  await page.locator('#add', { hasText: '1 pears' }).waitFor();
  await page.click('#order');
  await page.locator('#said', { hasText: 'alice has ordered 1 pears' }).waitFor();

  // What the page holds survives the edit of another part of it.
  await shop.edit('app/page.js', (text) => text.replace('open from nine', 'open from ten'));
  await page.locator('h1', { hasText: 'open from ten' }).waitFor();
  expect(await page.textContent('#add')).toBe('1 pears');

  const fetched = `fetch('/feed', { method: 'POST', body: 'κόσμε'.repeat(100000) }).then((answer) => answer.text())`;
  expect(await page.evaluate<string>(fetched)).toBe('ΚΌΣΜΕ'.repeat(100_000));
  await page.click('text=about');
  await page.locator('h1', { hasText: 'about us' }).waitFor();
  expect(complaints).toEqual([]);
  const opened = gateway.log.filter(({ msg }) => msg === 'session opened');
  expect(opened).toMatchObject([{ path: expect.stringMatching(/^\/_next\//), origin: ORIGIN }]);
});
