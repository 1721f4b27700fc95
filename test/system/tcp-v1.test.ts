import { createHash, randomFillSync } from 'node:crypto';
import { createServer, type Socket } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { WINDOW_BYTES } from '../../src/tcp-protocol/types.ts';
import { metric } from '../support/census.ts';
import { startServing } from '../support/cli.ts';
import { eventually, within } from '../support/patience.ts';
import { freePort } from '../support/ports.ts';
import { seeded } from '../support/seeded.ts';
import { portOf } from '../support/servers.ts';
import { listenAt } from '../support/sockets.ts';
import { RawClient } from '../support/tcp-v1.ts';
import { type Content, TcpReturner } from '../support/tcp-v1-returner.ts';

/** sallyport.tcp.v1 with a gateway in a process of its own: half a gigabyte each way over a WebSocket that is cut, and who does not read. */

const MiB = 2 ** 20;
const SIZE = 512 * MiB;
const CUTS = 20;
const LONG_MS = 100_000;

/** Random bytes of a length that is prime, over and over: a piece in another's place differs from it. */
const BLOCK = randomFillSync(Buffer.allocUnsafe(1_048_583));

const content: Content = {
  length: SIZE,
  slice(from, to) {
    const pieces: Buffer[] = [];
    for (let at = from; at < to; ) {
      const start = at % BLOCK.length;
      const piece = BLOCK.subarray(start, start + to - at);
      pieces.push(piece);
      at += piece.length;
    }
    return Buffer.concat(pieces);
  },
};

/** What is freed goes back to the system, so that what is left is what is held. */
const MEMORY = {
  MALLOC_MMAP_THRESHOLD_: '131072',
  MALLOC_TRIM_THRESHOLD_: '131072',
  NODE_OPTIONS: '--max-semi-space-size=1',
};

function hashOfContent(): string {
  const hash = createHash('sha256');
  for (let at = 0; at < SIZE; at += MiB) hash.update(content.slice(at, Math.min(at + MiB, SIZE)));
  return hash.digest('hex');
}

/** Sends all of the content as it is taken, then FIN. */
function sendAll(socket: Socket): void {
  let at = 0;
  const write = () => {
    while (at < SIZE) {
      const to = Math.min(at + 256 * 1024, SIZE);
      const isTaken = socket.write(content.slice(at, to));
      at = to;
      if (!isTaken) return void socket.once('drain', write);
    }
    socket.end();
  };
  write();
}

async function startGateway(service: (socket: Socket) => void, upstream = '') {
  const server = createServer({ allowHalfOpen: true }, (socket) => service(socket.on('error', () => {})));
  await listenAt({ port: 0, host: '127.0.0.1' }, server);
  const admin = await freePort();
  const { port } = await startServing(
    `listeners: [{ host: 127.0.0.1, port: 0 }]
admin: { port: ${admin} }
routes:
  - name: tcp
    match: { path: /tcp }
    auth: none
    upstream: { tcp: "127.0.0.1:${portOf(server)}" ${upstream} }
`,
    MEMORY,
  );
  const metrics = async () => (await fetch(`http://127.0.0.1:${admin}/metrics`)).text();
  return {
    url: `ws://127.0.0.1:${port}/tcp`,
    metrics,
    rss: async () => metric(await metrics(), 'process_resident_memory_bytes'),
  };
}

test('512 MiB each way over a WebSocket that is cut 20 times are the same, in flat memory', async () => {
  const seed = (Math.random() * 2 ** 32) | 0;
  console.log(`seed ${seed}`);
  const random = seeded(seed);
  const up = createHash('sha256');
  const arrived = Promise.withResolvers<void>();
  const { url, rss, metrics } = await startGateway((socket) => {
    sendAll(socket);
    socket.on('data', (chunk) => up.update(chunk)).on('end', arrived.resolve);
  }, ', resume: 60s');
  const down = createHash('sha256');
  const client = new TcpReturner(url, content, { random, onData: (bytes) => void down.update(bytes) });
  const seen: number[] = [];
  const watch = setInterval(() => void rss().then((bytes) => seen.push(bytes)), 1_000);
  onTestFinished(() => clearInterval(watch));
  const began = performance.now();
  for (let cuts = 0; await client.comeUntil(cuts < CUTS ? random((2 * SIZE) / CUTS) : Infinity); cuts++);
  await within(arrived.promise, 'all that was sent', LONG_MS);
  clearInterval(watch);
  const seconds = (performance.now() - began) / 1_000;
  const expected = hashOfContent();
  expect([down.digest('hex'), up.digest('hex')]).toEqual([expected, expected]);
  const [first = 0] = seen;
  const growth = (Math.max(...seen) - first) / MiB;
  console.log(`${((2 * SIZE) / MiB / seconds).toFixed(0)} MiB/s, memory grew by ${growth.toFixed(1)} MiB`);
  expect(growth).toBeLessThan(32);
  expect(metric(await metrics(), 'sallyport_resumed_total', { route: 'tcp' })).toBeGreaterThanOrEqual(CUTS);
  expect(metric(await metrics(), 'sallyport_lingering_sessions')).toBe(0);
});

test.each(['', ', resume: 60s'])(
  'who does not read, and whose service does not, costs 1.5 MiB at most {%s }',
  async (upstream) => {
    const count = 64;
    const written = new Map<Socket, number>();
    const { url, rss, metrics } = await startGateway((socket) => {
      socket.pause();
      const write = (error?: Error | null) => {
        if (error) return;
        written.set(socket, (written.get(socket) ?? 0) + 1);
        socket.write(Buffer.alloc(64 * 1024), write);
      };
      write();
    }, upstream);
    async function stall(): Promise<RawClient> {
      const client = await RawClient.open(url);
      onTestFinished(() => client.socket.terminate());
      let credit = WINDOW_BYTES;
      const spend = () => {
        for (; credit >= 32 * 1024; credit -= 32 * 1024) client.data(Buffer.alloc(32 * 1024));
      };
      client.onMessage = (message) => {
        if (message.type !== 'WINDOW') return;
        credit += message.credit;
        spend();
      };
      spend();
      return client;
    }
    const settled = async () => {
      let last = '';
      await eventually(
        async () => {
          const before = last;
          last = `${metric(await metrics(), 'sallyport_payload_bytes_total')}`;
          await new Promise((resolve) => setTimeout(resolve, 300));
          return last === before && last !== '0';
        },
        'that nothing moves any more',
        LONG_MS,
      );
    };
    const first = await stall();
    await settled();
    const before = await rss();
    const clients = await Promise.all(Array.from({ length: count }, stall));
    await settled();
    const each = ((await rss()) - before) / count / MiB;
    console.log(`${each.toFixed(2)} MiB each`);
    for (const { received } of [first, ...clients]) expect(received).toBe(WINDOW_BYTES);
    expect(each).toBeLessThan(1.5);
  },
);
