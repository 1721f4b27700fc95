import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import express from 'express';
import type { Page } from 'playwright-core';
import { expect, onTestFinished, test } from 'vitest';
import { launchTowards, openPage } from '../support/chromium.ts';
import { startGuardedExample } from '../support/example.ts';
import { eventually } from '../support/patience.ts';
import { startDesktop } from '../support/vnc.ts';
import { serve } from './serve.ts';

/** noVNC in Chromium, over TLS and with a cookie, on the desktop of a TigerVNC. */

const HOST = 'app.example.com';
const NOVNC = fileURLToPath(new URL('node_modules/@novnc/novnc', import.meta.url));
const PAGE = `<!doctype html><meta charset="utf-8"><title>starting</title><link rel="icon" href="data:,">
<div id="screen" style="width: 640px; height: 480px"></div>
<script type="module">
  import RFB from '/novnc/core/rfb.js';
  const rfb = new RFB(document.getElementById('screen'), 'wss://' + location.host + '/desktop');
  for (const state of ['connect', 'disconnect'])
    rfb.addEventListener(state, ({ detail }) => { document.title = state + ' ' + JSON.stringify(detail); });
</script>`;
/** The background of its terminal. */
const BLUE = [32, 64, 96];

/** Its page, served by itself. */
function startPages(): Promise<number> {
  const application = express();
  application.get('/', (_request, response) => void response.type('html').send(PAGE));
  application.use('/novnc', express.static(NOVNC));
  return serve(createServer(application));
}

/** A desktop with one terminal, which writes down what is typed into it. */
async function startTerminal() {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-novnc-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'typed');
  const desktop = await startDesktop();
  const look = ['-geometry', '110x40+0+0', '-bg', 'rgb:20/40/60', '-fg', 'white'];
  desktop.run('xterm', 'xterm', [...look, '-e', 'sh', '-c', `cat > ${file}`]);
  return { port: desktop.port, typed: () => readFile(file, 'utf8').catch(() => '') };
}

async function startScene() {
  const [terminal, pages] = [await startTerminal(), await startPages()];
  const guarded = await startGuardedExample('novnc', {
    '127.0.0.1:5900': `127.0.0.1:${terminal.port}`,
    'http://127.0.0.1:8000': `http://127.0.0.1:${pages}`,
  });
  const page = await openPage(await launchTowards(HOST, guarded.gateway.port));
  return { ...guarded, terminal, page };
}

async function signIn(page: Page, token: string): Promise<void> {
  await page.context().addCookies([{ name: 'session', value: token, url: `https://${HOST}/` }]);
}

/** What is seen at a place of the desktop. */
function pixel(page: Page, x: number, y: number): Promise<number[]> {
  return page.evaluate(
    ([left, top]) => {
      const canvas = document.querySelector('canvas') as HTMLCanvasElement;
      const context = canvas.getContext('2d') as CanvasRenderingContext2D;
      return [...context.getImageData(left as number, top as number, 1, 1).data.subarray(0, 3)];
    },
    [x, y],
  );
}

test('a desktop is seen and typed into', async () => {
  const { page, terminal, token, gateway } = await startScene();
  await signIn(page, token);
  await page.goto(`https://${HOST}/`);
  await page.waitForFunction('document.title.startsWith("connect ")');
  await eventually(async () => `${await pixel(page, 600, 440)}` === `${BLUE}`, 'the terminal', 20_000);
  await page.locator('canvas').click({ position: { x: 100, y: 100 } });
  await page.keyboard.type('tea at five\n');
  await eventually(async () => (await terminal.typed()) === 'tea at five\n', 'what is typed', 10_000);
  const opened = await gateway.logged(({ msg }) => msg === 'session opened');
  expect(opened).toMatchObject({ route: 'desktop', subject: 'alice', origin: `https://${HOST}` });
  await page.close();
  expect(await gateway.logged(({ msg }) => msg === 'session ended')).toMatchObject({ by: 'client' });
});
