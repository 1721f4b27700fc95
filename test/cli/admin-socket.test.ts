import { once } from 'node:events';
import { link, readFile, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createGateway, type Gateway } from '../../src/gateway.ts';
import { sallyport } from '../support/cli.ts';
import { problemOf, sampleConfig, warningsOf } from '../support/config.ts';
import { listenAt, socketPath } from '../support/sockets.ts';

/** An admin listener at a unix socket, for operators on the same machine. */

const SECRET = 'a-secret-of-operators-on-this-machine';

const configWith = (admin: string) => `listeners: []
admin: ${admin}
routes: [{ name: a, match: { path: /a }, auth: none, upstream: { websocket: "ws://127.0.0.1:9" } }]
`;

async function start(path: string): Promise<Gateway> {
  const gateway = await createGateway(
    configWith(`{ socket: ${path}, names: [gateway.internal], secret: ${SECRET} }`),
  );
  onTestFinished(() => gateway.close());
  return gateway;
}

async function ask(socket: string, path: string, host: string): Promise<{ status?: number; body: string }> {
  const headers = { host, authorization: `Bearer ${SECRET}` };
  const asked = request({ socketPath: socket, path, headers, agent: false }).end();
  const [response] = await once(asked, 'response');
  return { status: response.statusCode, body: await text(response) };
}

describe('a gateway with an admin socket', () => {
  test('answers there, to its own names, and leaves no file behind', async () => {
    const path = await socketPath();
    const gateway = await start(path);
    expect(gateway.adminAddress).toBeUndefined();
    expect(await ask(path, '/livez', 'localhost')).toEqual({ status: 200, body: 'alive\n' });
    expect((await ask(path, '/livez', 'gateway.internal')).status).toBe(200);
    expect((await ask(path, '/livez', 'rebound.example.com')).status).toBe(403);
    await gateway.close();
    await expect(stat(path)).rejects.toThrow('ENOENT');
  });

  test('lets nobody but its own user come there', async () => {
    const path = await socketPath();
    const mask = process.umask(0);
    onTestFinished(() => void process.umask(mask));
    await start(path);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test('takes over the file of one that was killed', async () => {
    const path = await socketPath();
    const left = createServer().listen(`${path}.left`);
    await once(left, 'listening');
    // Its other name is not taken away with it, as if nobody had closed it.
    await link(`${path}.left`, path);
    await new Promise((resolve) => left.close(resolve));
    expect((await stat(path)).isSocket()).toBe(true);
    await start(path);
    expect((await ask(path, '/livez', 'localhost')).status).toBe(200);
  });

  test('leaves a file of another kind, and a socket that is used, alone', async () => {
    const used = await socketPath();
    const file = join(dirname(used), 'file');
    await writeFile(file, 'precious');
    await listenAt(used, createServer());
    for (const path of [file, used]) await expect(start(path)).rejects.toThrow(`${path} is taken: `);
    expect(await readFile(file, 'utf8')).toBe('precious');
  });
});

describe('commands', () => {
  test('reach it by the configuration, from whose folder its path is taken', async () => {
    const path = await socketPath();
    await start(path);
    const file = join(dirname(path), 'gate.yaml');
    await writeFile(file, configWith(`{ socket: it.sock, secret: ${SECRET} }`));
    expect(await sallyport(['sessions', file])).toMatchObject({ code: 0, out: 'no open sessions\n' });
    expect(await sallyport(['health', file])).toMatchObject({
      code: 0,
      out: `alive: unix:${path}/livez: 200 alive\n`,
    });
    expect((await sallyport(['check', file])).out).toContain(`unix:${path}`);
  });

  test('say so where nobody listens', async () => {
    const path = await socketPath();
    const file = join(dirname(path), 'gate.yaml');
    await writeFile(file, configWith(`{ socket: it.sock, secret: ${SECRET} }`));
    const { code, err } = await sallyport(['sessions', file]);
    expect([code, err]).toEqual([
      1,
      expect.stringContaining(`unix:${path} does not answer: nothing listens there`),
    ]);
  });
});

test.each([
  ['{}', 'has no place to listen: add port: 9090, or socket: admin.sock'],
  ['{ port: 1, socket: a.sock }', 'it listens on `port` already'],
  ['{ host: 0.0.0.0, socket: a.sock }', 'admin.host: has no effect with socket'],
  [`{ socket: /${'long/'.repeat(40)} }`, 'at most 107'],
])('admin: %s is refused, in words', (admin, words) => {
  expect(problemOf(sampleConfig({ top: `admin: ${admin}` }))).toContain(words);
});

test('it is nothing to be warned of', () => {
  expect(warningsOf(sampleConfig({ top: 'admin: { socket: a.sock, names: [a.internal] }' }))).toEqual([]);
});
