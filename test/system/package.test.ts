import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import WebSocket, { WebSocketServer } from 'ws';
import { createWebSockets } from '../../src/cli/tunnel/websocket.ts';
import { connect } from '../../src/client/index.ts';
import { folderWith, Process } from '../support/cli.ts';
import { startDemo } from '../support/demo.ts';
import { pageModule } from '../support/demo-visitor.ts';
import { freshToken } from '../support/fresh.ts';
import { curl } from '../support/programs.ts';
import { SECRET } from '../support/tokens.ts';

/** The package as others get it: packed, installed into a fresh TypeScript project, used as the README says. */

const run = promisify(execFile);
const INSTALL_MS = 120_000;

const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const example = (/```ts\n(.*?)```/s.exec(readme)?.[1] ?? '').replace(
  'https://id.example.com/',
  'https://id.test/',
);

/** Packs the package into this folder. Resolves with the tarball. */
async function packedInto(folder: string): Promise<string> {
  const args = ['pack', '--silent', '--pack-destination', folder];
  const { stdout } = await run('npm', args, { timeout: INSTALL_MS });
  return join(folder, stdout.trim().split('\n').at(-1) as string);
}

async function install(folder: string, ...packages: readonly string[]): Promise<void> {
  const quiet = ['--no-audit', '--no-fund', '--silent'];
  await run('npm', ['install', ...quiet, ...packages], { cwd: folder, timeout: INSTALL_MS });
}

async function freshProject(): Promise<string> {
  const folder = await folderWith({
    'package.json': JSON.stringify({ name: 'fresh', private: true, type: 'module' }),
    'tsconfig.json': JSON.stringify({
      compilerOptions: {
        target: 'es2023',
        module: 'nodenext',
        strict: true,
        exactOptionalPropertyTypes: true,
        types: ['node'],
      },
    }),
    'main.ts': example,
  });
  const others = ['express@5', 'typescript@5', '@types/express@5', '@types/node@22'];
  await install(folder, await packedInto(folder), ...others);
  return folder;
}

test('the lines of the README compile and run in a fresh project', { timeout: 2 * INSTALL_MS }, async () => {
  const folder = await freshProject();
  const tsc = join(folder, 'node_modules/typescript/bin/tsc');
  await run(process.execPath, [tsc, '-p', folder], { timeout: INSTALL_MS }).catch((error) => {
    throw new Error(`${error.stdout}`);
  });

  await using rooms = await startRooms();
  await writeFile(
    join(folder, 'start.js'),
    `process.env.PORT = '0';
const { Server } = await import('node:http');
const listen = Server.prototype.listen;
Server.prototype.listen = function (...given) {
  return listen.apply(this, given).once('listening', () => console.log(\`port \${this.address().port}\`));
};
await import('./main.js');
console.log('attached');`,
  );
  const program = new Process([], { SECRET, CHAT: rooms.url }, { program: join(folder, 'start.js') });
  const port = (await program.line(/^port /)).slice('port '.length);
  await program.line(/^attached/);

  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('the page');
  expect(await roomOf(port, freshToken({ sub: 'alice' }))).toBe('blue');
  await expect(roomOf(port, freshToken({ sub: 'mallory' }))).rejects.toThrow('403');
  await program.line(/^alice left chat: 1005 by client/);
});

/** A service that tells its clients the room it was told. */
async function startRooms() {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  server.on('connection', (socket, { headers }) => socket.send(String(headers['x-room'])));
  await once(server, 'listening');
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, 'close');
    },
  };
}

async function roomOf(port: string, token: string): Promise<string> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/chat/blue`, ['bearer', token]);
  const [room] = await once(socket, 'message');
  socket.close();
  await once(socket, 'close');
  return String(room);
}

test('what is packed holds the program, the configurations and their schema, and no source', async () => {
  const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: resolve('.'),
  });
  const [{ files }] = JSON.parse(stdout) as [{ files: { path: string }[] }];
  const paths = files.map(({ path }) => path);
  for (const path of ['dist/index.d.ts', 'dist/main.js', 'config/schema.json', 'config/sallyport.yaml'])
    expect(paths).toContain(path);
  expect(paths.filter((path) => /^(src|test|bench)\//.test(path))).toEqual([]);
});

test('the demo of the package has its consoles', { timeout: 2 * INSTALL_MS }, async () => {
  const folder = await folderWith({ 'package.json': '{}' });
  await install(folder, await packedInto(folder));
  const demo = await startDemo(join(folder, 'node_modules/sallyport/dist/main.js'));
  onTestFinished(async () => void (await demo.stop()));

  const module = await curl(['-k', `${demo.origin}/sallyport/client/index.js`]);
  expect(module.output).toContain("from './connect.js'");
  const { startup, query } =
    await pageModule<{ [K in 'startup' | 'query']: (...words: string[]) => Uint8Array }>('postgres.js');
  const { open } = createWebSockets(await readFile(join(demo.folder, '.sallyport/localhost.crt'), 'utf8'));
  const sql = connect(`${demo.origin.replace('https', 'wss')}/sql`, { token: demo.token, open });
  const writer = sql.writable.getWriter();
  await writer.write(Buffer.concat([startup('me', 'demo'), query('SELECT whoami()')]));
  await writer.close();
  expect(await text(sql.readable)).toContain('somebody');
});
