import { execFile } from 'node:child_process';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launchChromium, openPage } from '../support/chromium.ts';
import { type RunningDemo, startDemo } from '../support/demo.ts';

let demo: RunningDemo;
let browser: Browser;

beforeAll(async () => {
  demo = await startDemo();
  browser = await launchChromium();
});

afterAll(async () => {
  await browser?.close();
  expect(await demo.stop()).toBe(0);
});

/** The demo's page with its three bridges open; `name` is who the visitor is. */
async function visit(): Promise<{ page: Page; name: string }> {
  const page = await openPage(browser);
  await page.goto(demo.origin);
  for (const card of ['chat', 'lines', 'board']) {
    await page.locator(`#${card} .status[data-state=open]`).waitFor();
  }
  return { page, name: (await page.textContent('#me')) as string };
}

async function send(page: Page, card: string, text: string): Promise<void> {
  await page.fill(`#${card} input`, text);
  await page.click(`#${card} form button`);
}

describe('a visitor', () => {
  test.each([['chat'], ['board']])('is heard by another one through the %s', async (card) => {
    const [one, other] = await Promise.all([visit(), visit()]);
    const text = `hello ${card} of ${one.name} <b>`;
    await send(one.page, card, text);
    for (const { page } of [one, other]) {
      await page.locator(`#${card} .log div`, { hasText: `${one.name}${text}` }).waitFor();
    }
  });

  test('talks to a TCP service', async () => {
    const { page } = await visit();
    await send(page, 'lines', 'upper größe');
    await page.locator('#lines .log div', { hasText: 'GRÖSSE' }).waitFor();
    await send(page, 'lines', 'quit');
    await page.locator('#lines .status', { hasText: 'closed: 1000' }).waitFor();
    await page.click('#lines .toggle');
    await page.locator('#lines .status[data-state=open]').waitFor();
  });

  test.each([
    ['missing', '3000 A token is required.'],
    ['expired', '3000 The token has expired.'],
    ['forged', '3000 The token is not valid.'],
    ['expiring', '3000 The token has expired.'],
    ['origin', '3003 This origin may not connect here.'],
    ['messages', '1008 Too many messages per connection; slow down.'],
    ['size', '1009 The message is too big: at most 4096 bytes.'],
    ['connections', '7 open; 3 refused: 1013 Too many open connections per address.'],
  ])('sees what the trial "%s" leads to', async (trial, outcome) => {
    const { page } = await visit();
    await page.click(`[data-trial=${trial}] button`);
    const output = page.locator(`[data-trial=${trial}] output[data-state=refused]`);
    await output.waitFor();
    expect(await output.textContent()).toBe(outcome);
  });

  test.each([[1280], [390]])('finds everything within a window of %i px', async (width) => {
    const { page } = await visit();
    await page.setViewportSize({ width, height: 900 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
  });

  test('meets no error of the page', async () => {
    const page = await openPage(browser);
    const errors: string[] = [];
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
    page.on('pageerror', (error) => errors.push(error.message));
    await page.goto(demo.origin);
    await page.locator('#board .status[data-state=open]').waitFor();
    expect(errors).toEqual([]);
  });
});

describe('the commands to copy', () => {
  test.each([
    ['missing', /^HTTP\/1.1 401 .*TOKEN_MISSING: A token is required./s],
    ['origin', /^HTTP\/1.1 403 .*ORIGIN_REFUSED: This origin may not connect here./s],
    ['limit', /^(401\n)*(429\n){3,}$/],
    ['lines', /^Plain TCP here. Try: help\n\d{4}-\d\d-\d\dT.*\nbye\n$/],
  ])('%s works as printed', async (command, output) => {
    const { page } = await visit();
    const text = (await page.textContent(`[data-command=${command}]`)) as string;
    const PATH = `${dirname(process.execPath)}:${process.env.PATH}`;
    const { stdout } = await promisify(execFile)('bash', ['-c', text], { env: { ...process.env, PATH } });
    expect(stdout.replaceAll('\r', '')).toMatch(output);
  });

  test('are copied by their buttons', async () => {
    const { page } = await visit();
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'], { origin: demo.origin });
    const figure = page.locator('figure', { has: page.locator('[data-command=chat]') });
    await figure.locator('button').click();
    await figure.locator('button', { hasText: 'Copied' }).waitFor();
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe(
      await figure.locator('code').textContent(),
    );
  });
});
