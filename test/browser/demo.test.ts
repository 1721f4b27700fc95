import { execFile } from 'node:child_process';
import { dirname } from 'node:path';
import { promisify } from 'node:util';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launchChromium, openPage } from '../support/chromium.ts';
import { Process } from '../support/cli.ts';
import { type RunningDemo, startDemo } from '../support/demo.ts';
import { eventually } from '../support/patience.ts';
import { run } from '../support/programs.ts';

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

/** The demo's page with all its connections open; `name` is who the visitor is. */
async function visit(): Promise<{ page: Page; name: string }> {
  const page = await openPage(browser);
  await page.goto(demo.origin);
  for (const card of ['chat', 'lines', 'board', 'redis', 'sql']) {
    await page.locator(`#${card} .status[data-state=open]`).waitFor();
  }
  return { page, name: (await page.textContent('#me')) as string };
}

async function send(page: Page, card: string, text: string): Promise<void> {
  await page.fill(`#${card} input`, text);
  await page.click(`#${card} form button`);
}

/** What stands in a terminal. */
function linesOf(page: Page, card: string): Promise<string[]> {
  return page.locator(`#${card} .log > div`).allTextContents();
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

  test('commands Redis, and asks it who he is', async () => {
    const { page, name } = await visit();
    const answered = (lines: number) =>
      eventually(async () => (await linesOf(page, 'redis')).length === lines, `${lines} lines`);
    await send(page, 'redis', 'SET greeting "good  day"');
    await answered(2);
    await page.click('#redis .examples >> text=GET greeting');
    await answered(4);
    await page.click('#redis .examples >> text=ACL WHOAMI');
    await answered(6);
    await send(page, 'redis', 'FLY');
    await page.locator('#redis .log .fault', { hasText: "ERR unknown command 'FLY'" }).waitFor();
    expect((await linesOf(page, 'redis')).slice(0, -1)).toEqual([
      'redis>SET greeting "good  day"',
      'OK',
      'redis>GET greeting',
      '"good  day"',
      'redis>ACL WHOAMI',
      `"${name}"`,
      'redis>FLY',
    ]);
    await expect
      .poll(() => page.textContent('#redis .facts'))
      .toMatch(/^sallyport\.tcp\.v1session [\da-f]{8}\d+ B up\d+ B downwindow 256 KiB$/);
  });

  test('asks for SQL, and sees a table that others have filled', async () => {
    const [one, other] = await Promise.all([visit(), visit()]);
    await send(one.page, 'sql', `INSERT INTO guests (said) VALUES ('<b>')`);
    await one.page.locator('#sql .log', { hasText: 'INSERT 0 1' }).waitFor();
    await send(other.page, 'sql', `SELECT *, 1 AS n, NULL AS z FROM guests WHERE name = '${one.name}'`);
    await other.page.locator('#sql .log', { hasText: '(1 row)' }).waitFor();
    const cells = await other.page.locator('#sql table').locator('th, td').allTextContents();
    expect(cells).toEqual(['name', 'said', 'n', 'z', one.name, '<b>', '1', 'null']);
  });

  test('has the lines of before at the arrow keys, and an empty terminal by Ctrl-L', async () => {
    const { page } = await visit();
    for (const line of ['PING 1', 'PING 2', 'PING 2']) await send(page, 'redis', line);
    const seen: string[] = [];
    for (const key of ['ArrowUp', 'ArrowUp', 'ArrowUp', 'ArrowDown', 'ArrowDown', 'ArrowDown']) {
      await page.press('#redis input', key);
      seen.push(await page.inputValue('#redis input'));
    }
    expect(seen).toEqual(['PING 2', 'PING 1', 'PING 1', 'PING 2', '', '']);
    await page.press('#redis input', 'Control+l');
    expect(await linesOf(page, 'redis')).toEqual([]);
  });

  test('finishes one half by Ctrl-D: the answer still comes, and he connects again', async () => {
    const { page } = await visit();
    await page.click('#sql .examples >> text=a query without end');
    await page.press('#sql input', 'Control+d');
    await page.locator('#sql .status[data-state=finished]').waitFor();
    expect((await linesOf(page, 'sql')).slice(1)).toEqual([
      '↑ FIN: you have finished',
      expect.stringContaining('ERROR: it took too long'),
      '↓ FIN: the service has finished',
    ]);
    expect(await page.textContent('#sql .status')).toBe('closed: both sides have finished');
    await page.click('#sql .toggle');
    await page.locator('#sql .status[data-state=open]').waitFor();
  });

  test('stays where he is when his token ends, by a new one', async () => {
    const page = await openPage(browser);
    await page.route('**/console.js', async (route) => {
      const response = await route.fetch();
      await route.fulfill({
        response,
        body: (await response.text()).replace('TOKEN_S = 300', 'TOKEN_S = 4'),
      });
    });
    await page.goto(demo.origin);
    await page.locator('#redis .facts', { hasText: 'token renewed 2×' }).waitFor();
    // The first one has ended.
    await send(page, 'redis', 'PING still');
    await page.locator('#redis .log', { hasText: '"still"' }).waitFor();
    expect(await page.locator('#redis .log .note').count()).toBe(0);
  });

  test('sees that the service has finished', async () => {
    const { page } = await visit();
    await send(page, 'redis', 'QUIT');
    await page.locator('#redis .status[data-state=finished]').waitFor();
    expect((await linesOf(page, 'redis')).slice(1)).toEqual([
      'OK',
      '↓ FIN: the service has finished',
      '↑ FIN: you have finished',
    ]);
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
    ['closed', '1014 connection_refused: The upstream could not be reached.'],
    [
      'metadata',
      '3003 destination_ip_prohibited: This target is not allowed, or there is none of that name.',
    ],
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
    await send(page, 'redis', `ECHO ${'x'.repeat(500)}`);
    await send(page, 'sql', 'SELECT *, hex(zeroblob(500)) FROM services');
    await page.locator('#sql table').waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
  });

  test('meets no error of the page', async () => {
    const page = await openPage(browser);
    const errors: string[] = [];
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
    page.on('pageerror', (error) => errors.push(error.message));
    await page.goto(demo.origin);
    await page.locator('#sql .status[data-state=open]').waitFor();
    expect(errors).toEqual([]);
  });
});

/** Of this machine, that leads to a path. */
async function portOf(forward: Process, path: string): Promise<string | undefined> {
  const line = await forward.line(new RegExp(`-> wss://.*${path}$`));
  return /:(\d+) ->/.exec(line)?.[1];
}

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

  test('forward gives redis-cli and psql what the page has', async () => {
    const { page } = await visit();
    const text = (await page.textContent('[data-command=forward]')) as string;
    const words = await promisify(execFile)('bash', ['-c', `sallyport() { printf '%s\\n' "$@"; }; ${text}`]);
    const args = words.stdout.trimEnd().split('\n');
    const moved = args.map((word) =>
      word.replace(/^\d+:/, '0:').replace('.sallyport', `${demo.folder}/.sallyport`),
    );
    const forward = new Process(moved);
    const [redis = '', sql = ''] = await Promise.all([portOf(forward, '/redis'), portOf(forward, '/sql')]);

    const whoami = await run(['redis-cli', 'redis-tools'], ['-p', redis, 'ACL', 'WHOAMI']);
    expect(whoami).toMatchObject({ code: 0, output: 'me\n' });
    const query = 'SELECT name, port, NULL FROM services WHERE port < 24; SELECT whoami()';
    const psql = ['psql', 'postgresql-client'] as const;
    const server = ['-h', 'localhost', '-p', sql, '-AtXq', 'demo'];
    const asked = await run(psql, [...server, '-c', query]);
    expect(asked).toEqual({ code: 0, output: 'ftp|21|\nssh|22|\nme\n', errors: '' });
    const refused = await run(psql, [...server, '-c', 'VACUUM']);
    expect(refused).toMatchObject({ code: 1, errors: expect.stringMatching(/^ERROR: {2}here are SELECT, /) });
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
