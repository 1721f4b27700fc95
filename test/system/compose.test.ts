import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { startEcho } from '../support/faulty.ts';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { eventually, within } from '../support/patience.ts';
import { freePort } from '../support/ports.ts';
import { programPath, type RunningServer, startRedis, startServer } from '../support/servers.ts';
import { claims, mintText, signingKey } from '../support/tokens.ts';

/** config/examples/several-gateways, without its containers: its HAProxy in front of two of its gateways, and their Redis. */

const FOLDER = 'config/examples/several-gateways';
const SECRET = 'the secret of a test, with as many characters as HS256 wants';
/** Of a client that is not what dials. */
const CLIENT = '127.0.0.9';

/** A text in which each of these was found, and replaced. */
async function changed(file: string, changes: readonly (readonly [string, string])[]): Promise<string> {
  return changes.reduce(
    (text, [given, ours]) => {
      expect(text).toContain(given);
      return text.replace(given, ours);
    },
    await readFile(join(FOLDER, file), 'utf8'),
  );
}

async function startOne(redis: number, echo: number) {
  const admin = await freePort();
  const config = await changed('sallyport.yaml', [
    ['  - port: 8080', '  - port: 0\n    host: 127.0.0.1'],
    ['10.213.0.0/24', '127.0.0.1/32'],
    ['host: 0.0.0.0, port: 9090', `host: 127.0.0.1, port: ${admin}`],
    ['redis://redis:6379', `redis://127.0.0.1:${redis}`],
    ['ws://echo:3000', `ws://127.0.0.1:${echo}`],
  ]);
  const gateway = await startGateway(config, { JWT_SECRET: SECRET });
  onTestFinished(() => gateway.close());
  return { gateway, admin };
}

async function startBalancer(
  gateways: readonly { gateway: TestGateway; admin: number }[],
): Promise<RunningServer> {
  const server = await startServer(programPath('haproxy', 'haproxy'), async (folder, port) => {
    const file = join(folder, 'haproxy.cfg');
    const servers = gateways.map(({ gateway, admin }, at) => {
      const name = `gateway-${at + 1}`;
      const line = `server ${name} ${name}:8080`;
      return [line, `server ${name} 127.0.0.1:${gateway.port} port ${admin}`] as const;
    });
    await writeFile(
      file,
      await changed('haproxy.cfg', [['bind :8080', `bind 127.0.0.1:${port}`], ...servers]),
    );
    return { args: ['-db', '-f', file] };
  });
  onTestFinished(() => server.close());
  return server;
}

async function startScene() {
  const redis = await startRedis();
  onTestFinished(() => redis.close());
  const echo = await startEcho();
  onTestFinished(() => echo.close());
  const gateways = [await startOne(redis.port, echo.port), await startOne(redis.port, echo.port)] as const;
  const { port } = await startBalancer(gateways);

  async function enter(sub: string): Promise<WebSocket | number> {
    const exp = Math.floor(Date.now() / 1000) + 3_600;
    const said = claims({ iss: 'https://localhost/', aud: 'sallyport', exp, sub });
    const token = mintText(signingKey('HS256', SECRET), '{"alg":"HS256"}', JSON.stringify(said));
    const headers = { authorization: `Bearer ${token}` };
    const socket = new WebSocket(`ws://127.0.0.1:${port}/`, { headers, localAddress: CLIENT });
    onTestFinished(() => socket.terminate());
    const { promise, resolve } = Promise.withResolvers<WebSocket | number>();
    socket.on('open', () => resolve(socket)).on('error', () => resolve(0));
    socket.on('unexpected-response', (_, { statusCode = 0 }) => resolve(statusCode));
    return within(promise, 'an answer');
  }
  return { gateways, enter };
}

test('clients come in at both gateways by their own addresses, and a user has one limit', async () => {
  const { gateways, enter } = await startScene();
  for (let count = 0; count < 20; count++) expect(await enter('alice')).toBeInstanceOf(WebSocket);
  expect(await enter('alice')).toBe(429);
  expect(await enter('bob')).toBeInstanceOf(WebSocket);
  const open = gateways.map(({ gateway }) => gateway.gateway.connections);
  expect(Math.min(...open)).toBeGreaterThan(5);
  for (const { gateway } of gateways) {
    const line = await gateway.logged(({ msg, subject }) => msg === 'open' || subject === 'alice');
    expect(line).toMatchObject({ clientAddress: CLIENT });
  }
});

test('a gateway that ends is passed over', async () => {
  const { gateways, enter } = await startScene();
  const [{ gateway: first }, { gateway: second }] = gateways;
  await first.close();
  await eventually(async () => (await enter('alice')) instanceof WebSocket, 'nobody is let in', 10_000);
  expect(second.gateway.connections).toBeGreaterThan(0);
});
