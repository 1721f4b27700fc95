import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { BINARY, frame, open, type Wire } from '../support/raw.ts';

/** Who shares a limit with busy clients has its turn as often as they. */

const BUSY = 50;
const TURNS = 4;
const SIZE = 1024;

const sockets = new Set<Socket>();
/** Answers each read with a byte. */
let service: Server;
let gateway: TestGateway;

beforeAll(async () => {
  service = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('data', () => socket.write('.'));
  }).listen(0, '127.0.0.1');
  await once(service, 'listening');
  const { port } = service.address() as AddressInfo;
  const limits = { messages: 'rate: 100/s, burst: 1', bytes: 'rate: 100KiB/s' };
  const routes = Object.entries(limits).map(
    ([name, limit]) => `
  - name: ${name}
    match: { path: /${name} }
    auth: none
    limits: { ${name}: { ${limit}, per: route } }
    timeouts: { close: 200ms }
    upstream: { tcp: "127.0.0.1:${port}" }`,
  );
  gateway = await startGateway(`routes:${routes.join('')}`);
});
afterAll(async () => {
  for (const socket of sockets) socket.destroy();
  service.close();
  await gateway.close();
});

/** A client that has `ahead` messages under way, and sends again whenever one has been answered; counts its turns. */
async function busyClient(path: string, ahead: number): Promise<{ wire: Wire; turns: number }> {
  const client = { wire: await open(gateway.port, path), turns: 0 };
  const send = () => client.wire.write(frame(BINARY, Buffer.alloc(SIZE)));
  client.wire.socket.on('data', () => {
    client.turns = client.wire.frames.length;
    send();
  });
  for (let i = 0; i < ahead; i++) send();
  return client;
}

test.each([
  ['messages', 1, 20],
  ['bytes', 100, 1],
])('one client against 50 busy ones that share a limit of %s', async (path, burst, ahead) => {
  const busy = await Promise.all(Array.from({ length: BUSY }, () => busyClient(`/${path}`, ahead)));
  const turns = () => busy.map((client) => client.turns);
  const [first] = busy;
  await first?.wire.until(() => turns().reduce((sum, each) => sum + each) > burst, 'all that was left');
  using lone = await open(gateway.port, `/${path}`);
  const before = turns();
  for (let turn = 1; turn <= TURNS; turn++) {
    lone.send(BINARY, Buffer.alloc(SIZE));
    await lone.until(() => lone.frames.length === turn, `its turn ${turn} while others had ${turns()}`);
  }
  const meanwhile = turns().map((each, index) => each - (before[index] ?? 0));
  expect(Math.max(...meanwhile)).toBeLessThanOrEqual(TURNS + 2);
  const series = `sallyport_limited_total{route="${path}",limit="${path}",per="route",outcome="throttled"}`;
  const throttled = (await gateway.metrics()).split('\n').find((line) => line.startsWith(series));
  expect(Number(throttled?.slice(series.length))).toBeGreaterThan(BUSY);
  for (const { wire } of busy) wire.socket.destroy();
});
