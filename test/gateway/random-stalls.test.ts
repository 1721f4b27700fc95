import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startGateway, type TestGateway } from '../support/gateway.ts';
import { certificate } from '../support/listener.ts';
import { handshake, switching } from '../support/raw.ts';
import { portOf } from '../support/servers.ts';
import { heardAll, type Manner, Talker } from '../support/talker.ts';
import { watchUserBuffer } from '../support/userbuffer.ts';

/**
 * Whatever the sizes, whoever stalls and however the reads fall: what one peer sends is what the other gets. To have
 * the same sent again, set STALLS_SEED to the seed in the name of the test that failed; how it is read is the event loop's.
 */

const SEED = Number(process.env.STALLS_SEED ?? randomInt(2 ** 31));
/** Conversations at a time over each way through the gateway. */
const EACH = 3;

interface Way {
  readonly route: string;
  readonly isSecure: boolean;
  readonly manner: Manner;
}
const ROUTES = ['ws', 'wss', 'tcp', 'limited', 'limited-tcp'];
const MIXED = ROUTES.flatMap((route): Way[] => [
  { route, isSecure: false, manner: 'mixed' },
  { route, isSecure: true, manner: 'mixed' },
]);
const WAYS: readonly Way[] = [
  ...Array<Way[]>(EACH).fill(MIXED).flat(),
  { route: 'ws', isSecure: false, manner: 'dripping' },
  { route: 'tcp', isSecure: false, manner: 'dripping' },
];
/** What each side sends. Dripping, it must be more than the kernel takes of it while nobody reads. */
const BYTES = { mixed: 2 ** 20, dripping: 5 * 2 ** 20 };

let folder: string;
let gateway: TestGateway;
const servers: Server[] = [];
/** Upstream sockets that wait for the conversation they belong to, by what names it. */
const arrivals = new Map<string, (socket: Socket) => void>();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-stalls-'));
  const { cert, key } = await certificate(folder, ['test']);
  const options = { allowHalfOpen: true, noDelay: true };
  const plain = createServer(options, (socket) => onWebSocket(socket));
  const secure = createTlsServer(
    { ...options, cert: await readFile(cert), key: await readFile(key) },
    onWebSocket,
  );
  const tcp = createServer(options, onTcp);
  for (const server of [plain, secure, tcp]) {
    servers.push(server.listen(0, '127.0.0.1'));
    await once(server, 'listening');
  }
  const route = (name: string, upstream: string, rest = '') =>
    `  - { name: ${name}, match: { path: "/${name}/{id}" }, auth: none, keepalive: off, ${rest} upstream: { ${upstream} } }`;
  const limits = 'limits: { messages: { rate: 500/s, burst: 3, per: connection } },';
  const websocket = `websocket: "ws://127.0.0.1:${portOf(plain)}"`;
  gateway = await startGateway(`listeners:
  - { host: 127.0.0.1, port: 0 }
  - { host: 127.0.0.1, port: 0, tls: { certificates: [{ cert: "${cert}", key: "${key}" }] } }
drain: 100ms
routes:
${route('ws', websocket)}
${route('wss', `websocket: "wss://127.0.0.1:${portOf(secure)}", tls: { ca: "${cert}", servername: test }`)}
${route('tcp', `tcp: "127.0.0.1:${portOf(tcp)}"`)}
${route('limited', websocket, limits)}
${route('limited-tcp', `tcp: "127.0.0.1:${portOf(tcp)}"`, limits)}`);
});

afterAll(async () => {
  await gateway.close();
  for (const server of servers) server.close();
  await rm(folder, { recursive: true });
});

/** The upstream's side of a handshake: the path says which conversation it is. */
async function onWebSocket(socket: Socket): Promise<void> {
  const head = await readHead(socket);
  socket.write(switching(head));
  arrivals.get(head.split(' ')[1] ?? '')?.(socket);
}

/** A TCP service is told nothing: whoever is dialling is the one who waits. */
function onTcp(socket: Socket): void {
  arrivals.get('tcp')?.(socket);
}

/** Reads up to the end of an HTTP head; what comes behind it stays where it is. */
async function readHead(socket: Socket): Promise<string> {
  socket.on('error', () => {});
  let head = '';
  while (!head.includes('\r\n\r\n')) {
    const byte = socket.read(1) as Buffer | null;
    if (byte === null) await once(socket, 'readable');
    else head += byte.toString('latin1');
  }
  return head;
}

/** A way through the gateway that is open, and the sockets at both ends of it. */
interface Ends {
  readonly way: Way;
  readonly near: Socket;
  readonly far: Socket;
}

/** Opens a way through the gateway. */
async function open(way: Way, id: number): Promise<Ends> {
  const { route, isSecure } = way;
  const path = `/${route}/${id}`;
  const arrived = new Promise<Socket>((resolve) => {
    arrivals.set(route.endsWith('tcp') ? 'tcp' : path, resolve);
  });
  const { port } = gateway.gateway.addresses[isSecure ? 1 : 0] as { port: number };
  const address = { port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true };
  const client = isSecure ? connectTls({ ...address, rejectUnauthorized: false }) : connect(address);
  client.write(handshake(path));
  expect(await readHead(client)).toMatch(/^HTTP\/1.1 101 /);
  return { way, near: client, far: await arrived };
}

/** Lets both ends talk at the same time; resolves with what came of it, and what should have. */
async function converse(
  { way, near, far }: Ends,
  seed: number,
): Promise<[outcome: object, expected: object]> {
  const isTcp = way.route.endsWith('tcp');
  const { manner } = way;
  const client = new Talker(near, { speech: 'masked', heard: 'unmasked', manner, seed: 2 * seed });
  const upstream = new Talker(far, {
    speech: isTcp ? 'bytes' : 'unmasked',
    heard: isTcp ? 'bytes' : 'masked',
    manner,
    seed: 2 * seed + 1,
  });
  [client.other, upstream.other] = [upstream, client];
  await Promise.all([
    client.talk(BYTES[manner]),
    upstream.talk(BYTES[manner]),
    heardAll(client),
    heardAll(upstream),
  ]);
  near.destroy();
  far.destroy();
  const pings = (count: number) => (isTcp ? 0 : count);
  return [
    {
      ...way,
      up: summary(upstream.received),
      down: summary(client.received),
      faults: [client.fault, upstream.fault],
    },
    {
      ...way,
      up: summary(client.sent, pings(client.sent.pings)),
      down: summary(upstream.sent),
      faults: [undefined, undefined],
    },
  ];
}

function summary(tally: Talker['sent'], pings = tally.pings): object {
  return { bytes: tally.bytes, digest: tally.digest(), pings };
}

test.each([
  { reads: 'into reused buffers', closed: false },
  { reads: "by 'data' events", closed: true },
])(`all payload passes as it was sent, $reads (seed ${SEED})`, async ({ closed }) => {
  using door = watchUserBuffer({ closed });
  const opened: Ends[] = [];
  // One after the other: a TCP service cannot tell who dials.
  for (const way of WAYS) opened.push(await open(way, opened.length));
  const conversations = opened.map((ends, id) => converse(ends, SEED + id));
  const results = await Promise.all(conversations);
  expect(results.map(([outcome]) => outcome)).toEqual(results.map(([, expected]) => expected));
  expect(door.count).toBe(closed ? 0 : 2 * conversations.length);
});
