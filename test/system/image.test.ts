import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { parse } from 'yaml';
import { buildImage, type Image } from '../support/image.ts';
import { eventually, within } from '../support/patience.ts';
import { freePort } from '../support/ports.ts';

/** The Dockerfile's own steps, and what they make, run as the user that it names. */

const ROUTES =
  'routes: [{ name: a, match: { path: /* }, auth: none, upstream: { http: "http://127.0.0.1:9" } }]';
const BUILD_MS = 600_000;
const START_MS = 20_000;

let image: Image;
beforeAll(async () => {
  image = await buildImage('.');
  return () => image[Symbol.asyncDispose]();
}, BUILD_MS);

/** Runs a program of the image to its end. */
async function ran(program: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const child = image.start(program);
  const [[code], out, err] = await Promise.all([
    within(once(child, 'exit') as Promise<[number]>, 'the end of a program', START_MS),
    text(child.stdout as NodeJS.ReadableStream),
    text(child.stderr as NodeJS.ReadableStream),
  ]);
  return { code, out, err };
}

/** Its default command, with this configuration at the place where one is mounted. */
async function startGateway(config: string): Promise<ChildProcess> {
  const file = join(image.root, image.env.SALLYPORT_CONFIG as string);
  await mkdir(join(file, '..'), { recursive: true });
  await writeFile(file, `${config}\n${ROUTES}\n`);
  const child = image.start([...image.entrypoint, ...image.command]);
  onTestFinished(() => void child.kill('SIGKILL'));
  let said = '';
  child.stdout?.on('data', (data) => {
    said += data;
  });
  await eventually(
    () => said.includes('"listening"'),
    () => `a gateway that listens: ${said}`,
    START_MS,
  );
  return child;
}

test.each(['with', 'without'])(
  'runs as a user without rights, is healthy %s admin until it ends, and ends with 0 after SIGTERM',
  async (admin) => {
    const [port, adminPort] = [await freePort(), await freePort()];
    const listeners = `listeners: [{ host: 127.0.0.1, port: ${port} }]`;
    const gateway = await startGateway(
      admin === 'with' ? `${listeners}\nadmin: { port: ${adminPort} }` : listeners,
    );
    const status = await readFile(`/proc/${gateway.pid}/status`, 'utf8');
    expect(/^Uid:\s+(\d+)/m.exec(status)?.[1]).toBe('1000');
    expect(/^Gid:\s+(\d+)/m.exec(status)?.[1]).toBe('1000');

    expect(await ran(image.healthcheck)).toMatchObject({
      code: 0,
      out: expect.stringContaining(`alive: http://127.0.0.1:${admin === 'with' ? adminPort : port}`),
    });
    gateway.kill('SIGTERM');
    expect(await within(once(gateway, 'exit'), 'the end of the gateway')).toEqual([0, null]);
    expect(await ran(image.healthcheck)).toMatchObject({
      code: 1,
      err: expect.stringContaining('not alive'),
    });
  },
);

test('has what the package needs, nothing that only development does, and nothing its user could change', async () => {
  expect(await ran([...image.entrypoint, '--version'])).toMatchObject({ code: 0, out: '0.1.0\n' });
  const script = `
    const { existsSync, accessSync, constants } = require('node:fs');
    for (const name of ['node_modules/vitest', 'node_modules/typescript', 'src', 'test']) if (existsSync(name)) console.log(name);
    for (const name of ['.', 'dist/main.js', 'node_modules/ws/package.json'])
      try { accessSync(name, constants.W_OK); console.log('can write ' + name); } catch {}`;
  expect(await ran(['node', '--eval', script])).toEqual({ code: 0, out: '', err: '' });
});

test('serves as the service behind the gateway of config/compose.yaml', async () => {
  const { echo } = parse(await readFile('config/compose.yaml', 'utf8')).services;
  const port = await freePort();
  const child = image.start([
    ...echo.entrypoint,
    ...echo.command.map((line: string) => line.replace('3000', `${port}`)),
  ]);
  onTestFinished(() => void child.kill('SIGKILL'));
  const client = await opened(`ws://127.0.0.1:${port}`);
  client.send('hello');
  expect(String((await within(once(client, 'message'), 'an echo'))[0])).toBe('hello');
  client.close();
  child.kill('SIGTERM');
  expect(await within(once(child, 'exit'), 'its end')).toEqual([0, null]);
});

/** As soon as somebody listens there. */
async function opened(url: string): Promise<WebSocket> {
  for (const endMs = Date.now() + START_MS; ; ) {
    const client = new WebSocket(url);
    const isOpen = await once(client, 'open').then(
      () => true,
      () => false,
    );
    if (isOpen) return client;
    if (Date.now() > endMs) throw new Error(`nobody listens at ${url}`);
  }
}
