import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { expect, onTestFinished, test } from 'vitest';
import { createWebSocketStream, WebSocket } from 'ws';
import { startServing } from '../support/cli.ts';
import { portOf } from '../support/servers.ts';
import { listenAt } from '../support/sockets.ts';

/** Much through one connection to a TCP service: all of it comes through, and the gateway keeps none of it. VOLUME_SHOW=1 shows the figures. */

const MIB = 2 ** 20;
const VOLUME = 512 * MIB;
/** Until then a process grows for its own sake. */
const WARM_UP = 64 * MIB;
const LOOK_EVERY = 16 * MIB;
/** More than buffers and what V8 has not collected yet; a twentieth of what goes through. */
const MOST_GROWTH = 48 * MIB;

async function rssOf(pid: number): Promise<number> {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) * 1024;
}

/** So many bytes, no two pieces alike. */
function* pieces(): Generator<Buffer> {
  const noise = randomBytes(MIB);
  for (let sent = 0; sent < VOLUME; sent += 64 * 1024) {
    const piece = Buffer.from(noise.subarray(sent % MIB, (sent % MIB) + 64 * 1024));
    piece.writeUInt32BE(sent / 1024);
    yield piece;
  }
}

test('512 MiB go each way, byte for byte, and its memory stays as it was', async () => {
  const echo = createServer((socket) => socket.on('error', () => {}).pipe(socket));
  await listenAt({ host: '127.0.0.1', port: 0 }, echo);
  const { daemon, port } = await startServing(`
listeners: [{ host: 127.0.0.1, port: 0 }]
routes: [{ name: r, match: { path: /r }, auth: none, upstream: { tcp: "127.0.0.1:${portOf(echo)}" } }]`);
  const client = new WebSocket(`ws://127.0.0.1:${port}/r`, ['binary'], { perMessageDeflate: false });
  onTestFinished(() => client.terminate());
  await once(client, 'open');
  const stream = createWebSocketStream(client);
  const [sent, received] = [createHash('sha256'), createHash('sha256')];
  const startedAt = performance.now();

  async function* hashed() {
    for (const piece of pieces()) {
      sent.update(piece);
      yield piece;
    }
  }
  /** Megabytes of the gateway's process, from the end of the warm-up on. */
  async function receive(): Promise<number[]> {
    const looks: number[] = [];
    let count = 0;
    for await (const piece of stream as AsyncIterable<Buffer>) {
      received.update(piece);
      const before = count;
      count += piece.length;
      const isLook = Math.floor(count / LOOK_EVERY) > Math.floor(before / LOOK_EVERY);
      if (isLook && count >= WARM_UP) looks.push(await rssOf(daemon.pid));
      if (count === VOLUME) break;
    }
    return looks;
  }

  const sending = pipeline(Readable.from(hashed()), stream, { end: false });
  const [looks] = await Promise.all([receive(), sending.catch(() => {})]);
  const [first = 0] = looks;
  if (process.env.VOLUME_SHOW)
    console.log({
      seconds: (performance.now() - startedAt) / 1_000,
      mib: looks.map((rss) => Math.round(rss / MIB)),
    });
  expect(received.digest('hex')).toBe(sent.digest('hex'));
  expect(Math.max(...looks) - first).toBeLessThan(MOST_GROWTH);
});
