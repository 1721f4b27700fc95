import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import express from 'express';
import type { Page } from 'playwright-core';
import { expect, onTestFinished, test } from 'vitest';
import { launchTowards, openPage } from '../support/chromium.ts';
import { type Changes, startGuardedExample } from '../support/example.ts';
import { eventually } from '../support/patience.ts';
import { startDesktop } from '../support/vnc.ts';
import { serve } from './serve.ts';

/** noVNC in Chromium, over TLS and with a cookie, on the desktop of a TigerVNC. */

const HOST = 'app.example.com';
const NOVNC = fileURLToPath(new URL('node_modules/@novnc/novnc', import.meta.url));
const PATIENCE = { timeout: 10_000 };
/** The background of its terminal. */
const BLUE = '32,64,96';

const pageFor = (path: string) => `<!doctype html><meta charset="utf-8"><title>starting</title>
<link rel="icon" href="data:,"><div id="screen" style="width: 640px; height: 480px"></div>
<script type="module">
  import RFB from '/pages/novnc/core/rfb.js';
  const rfb = new RFB(document.getElementById('screen'), 'wss://${HOST}${path}');
  for (const state of ['connect', 'disconnect'])
    rfb.addEventListener(state, ({ detail }) => { document.title = state + ' ' + JSON.stringify(detail); });
</script>`;

/** A gateway with one of the examples, behind which there are pages with noVNC, too; whoever opens one is signed in. */
async function startScene(example: string, path: string, changes: Changes) {
  const application = express();
  application.get('/pages/', (_request, response) => void response.type('html').send(pageFor(path)));
  application.use('/pages/novnc', express.static(NOVNC));
  const pages = `http://127.0.0.1:${await serve(createServer(application))}`;
  const route = `{ name: pages, match: { path: /pages/* }, auth: none, upstream: { http: "${pages}" } }`;
  const guarded = await startGuardedExample(example, { 'routes:': `routes:\n  - ${route}`, ...changes });
  const page = await openPage(await launchTowards(HOST, guarded.gateway.port));
  async function visit(token: string): Promise<Page> {
    await page.context().addCookies([{ name: 'session', value: token, url: `https://${HOST}/` }]);
    await page.goto(`https://${HOST}/pages/`);
    return page;
  }
  return { ...guarded, page, visit };
}

async function startFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-novnc-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return folder;
}

/** A desktop with one terminal, which writes down what is typed into it. */
async function startTerminal() {
  const file = join(await startFolder(), 'typed');
  const desktop = await startDesktop();
  const look = ['-geometry', '110x40+0+0', '-bg', 'rgb:20/40/60', '-fg', 'white'];
  desktop.run('xterm', 'xterm', [...look, '-e', 'sh', '-c', `cat > ${file}`]);
  return { port: desktop.port, typed: () => readFile(file, 'utf8').catch(() => '') };
}

/** What is seen at a place of the desktop. */
function pixel(page: Page, x: number, y: number): Promise<string> {
  return page.evaluate(
    ([left, top]) => {
      const context = document.querySelector('canvas')?.getContext('2d');
      return String(context?.getImageData(left as number, top as number, 1, 1).data.subarray(0, 3));
    },
    [x, y],
  );
}

test.each([
  ['who has a token that names it', 'novnc', '/desktop'],
  ['who asks for it as websockify’s clients do', 'novnc-tokens', '/websockify?token=desk-7'],
])('a desktop is seen and typed into by %s', async (_, example, path) => {
  const terminal = await startTerminal();
  const table = join(await startFolder(), 'desktops.txt');
  await writeFile(table, `desk-7: 127.0.0.1:${terminal.port}\n`);
  const own: Changes =
    example === 'novnc'
      ? { '127.0.0.1:5901': `127.0.0.1:${terminal.port}` }
      : { 'file:novnc-tokens/desktops.txt': `"file:${table}"` };
  const { visit, mint, gateway } = await startScene(example, path, own);
  const page = await visit(mint({ desktop: 'north' }));
  await page.waitForFunction('document.title.startsWith("connect ")', null, PATIENCE);
  await eventually(async () => (await pixel(page, 600, 440)) === BLUE, 'the terminal', 20_000);
  await page.locator('canvas').click({ position: { x: 100, y: 100 } });
  await page.keyboard.type('tea at five\n');
  await eventually(async () => (await terminal.typed()) === 'tea at five\n', 'what is typed', 10_000);
  expect(await gateway.logged(({ msg }) => msg === 'session opened')).toMatchObject({
    subject: 'alice',
    origin: `https://${HOST}`,
  });
  await page.close();
  expect(await gateway.logged(({ msg }) => msg === 'session ended')).toMatchObject({ by: 'client' });
});

test('a page reads why it gets no desktop', async () => {
  const { page, visit, mint, gateway } = await startScene('novnc', '/desktop', {});
  const said: string[] = [];
  page.on('console', (message) => said.push(message.text()));
  await visit(mint({ desktop: 'attic' }));
  await page.waitForFunction('document.title.startsWith("disconnect ")', null, PATIENCE);
  expect(await page.title()).toBe('disconnect {"clean":false}');
  const why = 'code: 3003, reason: This target is not allowed, or there is none of that name.';
  await eventually(
    () => said.some((text) => text.includes(why)),
    () => `what noVNC has read, but ${said}`,
  );
  await gateway.logged(({ msg, error }) => msg === 'upgrade refused' && error === 'TARGET_REFUSED');
});
