import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { freshToken, TOKEN_ENV, TOKEN_ISSUER } from '../support/fresh.ts';
import { startGateway } from '../support/gateway.ts';
import { portOf } from '../support/servers.ts';
import { listenAt } from '../support/sockets.ts';

/** The program that config/guide/client.md begins with. */

const run = promisify(execFile);
const LIBRARY = new URL('../../src/client/index.ts', import.meta.url);

/** Writes it as a reader would, next to the package. */
async function writeProgram(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sallyport-guide-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const guide = await readFile(new URL('../../config/guide/client.md', import.meta.url), 'utf8');
  const [, program = ''] = /```js\n(.*?)```/s.exec(guide) ?? [];
  const installed = join(folder, 'node_modules/sallyport');
  await mkdir(installed, { recursive: true });
  await writeFile(
    join(installed, 'package.json'),
    '{ "type": "module", "exports": { "./client": "./client.js" } }',
  );
  await writeFile(join(installed, 'client.js'), `export * from '${LIBRARY}';`);
  await writeFile(join(folder, 'ping.mjs'), program);
  return join(folder, 'ping.mjs');
}

/** Says what Redis says, and that only to who asks for it. */
async function startRedisLike(): Promise<number> {
  const server = createServer((socket) => {
    let heard = '';
    socket
      .on('error', () => {})
      .setEncoding('utf8')
      .on('data', (text) => {
        heard += text;
        if (heard === 'PING\r\nQUIT\r\n') socket.end('+PONG\r\n+OK\r\n');
      });
  });
  await listenAt({ port: 0, host: '127.0.0.1' }, server);
  onTestFinished(() => void server.close());
  return portOf(server);
}

test('the program that the guide begins with asks Redis by way of a gateway', async () => {
  const [file, port] = await Promise.all([writeProgram(), startRedisLike()]);
  const route = `{ name: redis, match: { path: /redis }, auth: { issuer: main, token: [subprotocol] }, upstream: { tcp: "127.0.0.1:${port}" } }`;
  const gateway = await startGateway(`${TOKEN_ISSUER}\nroutes: [${route}]`, TOKEN_ENV);
  onTestFinished(() => gateway.close());
  const env = { ...process.env, SALLYPORT_TOKEN: freshToken() };
  const { stdout } = await run(process.execPath, [file, gateway.url('/redis')], { env, timeout: 30_000 });
  expect(stdout).toBe('+PONG\r\n+OK\r\n');
});
