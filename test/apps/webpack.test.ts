import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import webpack from 'webpack';
import WebpackDevServer from 'webpack-dev-server';
import { launchTowards } from '../support/chromium.ts';
import { startGuardedExample } from '../support/example.ts';
import { portOf } from '../support/servers.ts';
import { loggedIn } from './visit.ts';

/**
 * webpack-dev-server behind a cookie, at the root of a host. The browser reaches nothing but the gateway, so that the client of
 * webpack cannot turn to the dev server's own port.
 */

const HOST = 'app.example.com';

const FILES = {
  'index.html': `<!doctype html><meta charset="utf-8"><title>shop</title><link rel="icon" href="data:,">
<h1></h1><script src="/main.js"></script>`,
  'main.js': `import { greeting } from './greeting.js';
const show = () => { document.querySelector('h1').textContent = greeting; };
show();
import.meta.webpackHot.accept('./greeting.js', show);`,
  'greeting.js': `export const greeting = 'open from nine';`,
};

/** A project of three files, and its dev server; gone when the test has finished. */
async function startProject() {
  const root = await mkdtemp(join(tmpdir(), 'sallyport-webpack-'));
  onTestFinished(() => rm(root, { recursive: true }));
  const edit = (file: string, text: string) => writeFile(join(root, file), text);
  await Promise.all(Object.entries(FILES).map(([file, text]) => edit(file, text)));
  const compiler = webpack({
    context: root,
    mode: 'development',
    entry: './main.js',
    output: { path: join(root, 'dist') },
    infrastructureLogging: { level: 'error' },
    stats: 'errors-only',
    // The client of the dev server is no package of a project in a temporary folder.
    resolve: { modules: [dirname(dirname(createRequire(import.meta.url).resolve('webpack/package.json')))] },
  });
  const server = new WebpackDevServer(
    {
      host: '127.0.0.1',
      port: 0,
      hot: true,
      static: { directory: root, watch: false },
      allowedHosts: [HOST],
      client: { webSocketURL: 'auto://0.0.0.0:0/ws' },
    },
    compiler,
  );
  onTestFinished(() => server.stop());
  await server.start();
  if (server.server === undefined || server.server === null)
    throw new Error('the dev server has no HTTP server');
  return { port: portOf(server.server as Parameters<typeof portOf>[0]), edit };
}

test('an edit on disk changes the page through the gateway, without a reload', async () => {
  const project = await startProject();
  const changes = { 'http://127.0.0.1:8081': `http://127.0.0.1:${project.port}` };
  const { gateway, token } = await startGuardedExample('webpack-dev-server', changes);
  const page = await loggedIn(await launchTowards(HOST, gateway.port), HOST, token);
  const webSockets: string[] = [];
  page.on('websocket', (webSocket) => webSockets.push(webSocket.url()));
  await page.goto(`https://${HOST}/`);
  await gateway.logged(({ msg }) => msg === 'session opened');
  expect(await page.locator('h1').textContent()).toBe('open from nine');
  await page.evaluate('window.marker = "the same page"');

  for (const hour of ['ten', 'eleven']) {
    await project.edit('greeting.js', `export const greeting = 'open from ${hour}';`);
    await page.locator('h1', { hasText: `open from ${hour}` }).waitFor();
  }
  expect(await page.evaluate('window.marker')).toBe('the same page');
  expect(webSockets).toEqual([`wss://${HOST}/ws`]);
  expect(gateway.log.filter(({ msg }) => msg === 'session opened')).toMatchObject([
    { route: 'webpack', bridge: 'websocket', origin: `https://${HOST}` },
  ]);
});
