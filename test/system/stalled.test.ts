import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../support/census.ts';
import { startUpstream, startWebSocket, type Upstream } from '../support/faulty.ts';
import { BINARY, frame, open, type Wire } from '../support/raw.ts';

/** A peer that does not read costs what is in flight, however much waits behind it. */

const MiB = 2 ** 20;
const SOURCE = 300;
const CONNECTIONS = 4;
/** Much traffic takes its time, and the stall deadline is three seconds. */
const SLOW_MS = 15_000;
/** The young generation grows with traffic, whoever reads it: a small one leaves what stalled peers cost. */
const FLAGS = ['--expose-gc', '--max-semi-space-size=1'];
/** The C library keeps what large buffers leave behind for the next ones: so it gives it back. */
const ALLOCATOR = { MALLOC_MMAP_THRESHOLD_: '131072', MALLOC_TRIM_THRESHOLD_: '131072' };

let child: ChildProcess;
let lines: Interface;
let port: number;
let http: Server;
const upstreams: Upstream[] = [];

beforeAll(async () => {
  const ws = await startWebSocket(serve((piece) => frame(BINARY, piece, { masked: false })));
  const tcp = await startUpstream(serve((piece) => piece));
  upstreams.push(ws, tcp);
  http = createServer(answer).listen(0, '127.0.0.1');
  await once(http, 'listening');
  const base = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const poll = `target: "${base}", poll: { path: "/{way}" }, send: { path: /send, timeout: 3s }, close: { path: /close }`;
  const rest = 'auth: none, keepalive: off, timeouts: { stall: 3s, close: 200ms }';
  await start(`routes:
  - { name: websocket, match: { path: "/websocket/{way}" }, ${rest}, upstream: { websocket: "ws://127.0.0.1:${ws.port}/{way}" } }
  - { name: tcp, match: { path: "/tcp/{way}" }, ${rest}, upstream: { tcp: "127.0.0.1:${tcp.port}" } }
  - { name: poll, match: { path: "/poll/{way}" }, ${rest}, upstream: { poll: { ${poll} } } }`);
});

afterAll(async () => {
  child.kill('SIGKILL');
  for (const upstream of upstreams) await upstream.close();
  http.close();
  http.closeAllConnections();
});

async function start(config: string): Promise<void> {
  const script = fileURLToPath(new URL('../support/alone.ts', import.meta.url));
  const env = { ...process.env, ...ALLOCATOR };
  child = spawn(process.execPath, [...FLAGS, script, config], { env, stdio: ['pipe', 'pipe', 'inherit'] });
  lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  const [line] = (await once(lines, 'line')) as [string];
  port = Number(line);
}

/** Which way the next connections flow; a TCP service is not told. */
let way: 'down' | 'up' = 'down';
let goodbyes = 0;

/** An upstream that sends all it has, or reads nothing. */
function serve(wrap: (piece: Buffer) => Buffer) {
  return function onOpen(wire: Wire): void {
    if (way === 'up') wire.socket.pause();
    else pour(wire.socket, wrap(Buffer.alloc(MiB)), SOURCE);
  };
}

/** Writes a piece so many times, as fast as it is taken. */
function pour(socket: Socket, piece: Buffer, times: number): void {
  let left = times;
  function write(): void {
    while (left > 0 && !socket.destroyed) {
      left--;
      if (!socket.write(piece)) return;
    }
  }
  socket.on('drain', write);
  write();
}

/** The HTTP service: half a mebibyte at each poll (an answer is held whole), unless it is to be sent to; then it answers nothing. */
function answer(request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  if (request.url === '/close') {
    goodbyes++;
    response.end();
    return;
  }
  if (request.url !== '/down') return;
  response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(Buffer.alloc(MiB / 2));
}

interface Memory {
  readonly rss: number;
  readonly held: number;
}

async function measure(): Promise<Memory> {
  child.stdin?.write('\n');
  const [line] = (await once(lines, 'line')) as [string];
  return JSON.parse(line) as Memory;
}

/** Resolves when none of the sockets has moved a byte for half a second. */
async function quiet(moved: () => number): Promise<void> {
  let before = -1;
  for (let still = 0; still < 5; still++) {
    if (moved() !== before) still = 0;
    before = moved();
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Lets much traffic through, so that what the process keeps for its own sake is there already. */
async function warmUp(bridge: string): Promise<void> {
  using client = await open(port, `/${bridge}/down`);
  await client.until(() => client.received > 64 * MiB, 'the first traffic', SLOW_MS);
}

/** A client that reads nothing, or sends all it can. */
async function connect(bridge: string): Promise<Wire> {
  const client = await open(port, `/${bridge}/${way}`);
  if (way === 'down') client.socket.pause();
  else pour(client.socket, frame(BINARY, Buffer.alloc(64 * 1024)), SOURCE * 16);
  return client;
}

/** The stall deadline has ended them all, as far as the wire lets the other peer be told. */
async function ended(bridge: string, clients: readonly Wire[]): Promise<void> {
  const [ws, tcp] = upstreams as [Upstream, Upstream];
  if (way === 'up') {
    // An HTTP service that takes a message and does not answer may have it or not.
    const code = bridge === 'poll' ? 1014 : 1013;
    for (const client of clients) expect(await client.ended(SLOW_MS)).toMatchObject({ code });
  } else if (bridge === 'websocket') {
    for (const wire of ws.wires.slice(-clients.length))
      expect(await wire.ended(SLOW_MS)).toMatchObject({ code: 1001 });
  } else if (bridge === 'tcp') {
    for (const wire of tcp.wires.slice(-clients.length)) await wire.ended(SLOW_MS);
  } else await eventually(() => goodbyes >= clients.length, 'every goodbye', SLOW_MS);
  for (const client of clients) {
    client.socket.resume();
    await client.ended(SLOW_MS);
  }
}

describe.each(['websocket', 'tcp', 'poll'])('%s', (bridge) => {
  test.each(['down', 'up'] as const)(
    'stalled peers behind 300 MiB cost 4 MiB each at most: %s',
    async (direction) => {
      way = 'down';
      await warmUp(bridge);
      goodbyes = 0;
      way = direction;
      // The first of its kind pays for what stays: code, pools, what the allocator keeps.
      const first = await connect(bridge);
      await quiet(() => first.socket.bytesWritten);
      const floor = await measure();
      const clients: Wire[] = [];
      for (let i = 0; i < CONNECTIONS; i++) clients.push(await connect(bridge));
      await quiet(() => clients.reduce((sum, { socket }) => sum + socket.bytesWritten, 0));
      const { rss, held } = await measure();
      expect((held - floor.held) / CONNECTIONS / MiB).toBeLessThanOrEqual(4);
      expect((rss - floor.rss) / CONNECTIONS / MiB).toBeLessThanOrEqual(4);
      await ended(bridge, [first, ...clients]);
    },
  );
});
