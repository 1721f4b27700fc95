import diagnostics from 'node:diagnostics_channel';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { pipeline, Readable, type Writable } from 'node:stream';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { startUpstream, startWebSocket } from '../support/faulty.ts';
import { startGateway } from '../support/gateway.ts';
import { within } from '../support/patience.ts';
import { BINARY, frame, open, type Wire } from '../support/raw.ts';
import { portOf } from '../support/servers.ts';

/**
 * A service that writes for ever after its client's Close has little of it read. What is read is what the gateway's sockets to
 * the service say they have read: the service cannot tell, for much of what it writes lies in the kernel's buffers.
 */

const MiB = 2 ** 20;
const LOT = Buffer.alloc(64 * 1024);
/** `timeouts.close` is 5 s by default. */
const ENDED_MS = 8_000;

/** The ports that sockets were dialled to in this process while a test ran, by the gateway and by clients. */
let dialled: Map<Socket, number | undefined>;

beforeEach(() => {
  const sockets = new Map<Socket, number | undefined>();
  dialled = sockets;
  function onDial(message: unknown): void {
    const { socket } = message as { socket: Socket };
    socket.once('connect', () => sockets.set(socket, socket.remotePort));
  }
  diagnostics.subscribe('net.client.socket', onDial);
  onTestFinished(() => void diagnostics.unsubscribe('net.client.socket', onDial));
});

/** Bytes that have been read from a service so far. */
function readFrom(servicePort: number): number {
  const own = [...dialled].filter(([, port]) => port === servicePort);
  return own.reduce((sum, [{ bytesRead }]) => sum + bytesRead, 0);
}

/** Resolves with the bytes that have been read from a service, once that has not changed for a while. */
async function readInAll(servicePort: number): Promise<number> {
  let before = -1;
  for (let still = 0; still < 5; still++) {
    const now = readFrom(servicePort);
    if (now !== before) still = 0;
    before = now;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return before;
}

interface Service {
  readonly port: number;
  /** The `upstream` of a route to it. */
  readonly upstream: string;
  /** Resolves when it has what the client had sent before its Close, where it waits for that. */
  readonly ready?: Promise<unknown>;
  /** Resolves when it has learnt of the client's Close. */
  told(): Promise<unknown>;
  /** Writes for ever, where it does not do so from the beginning. */
  flood(): void;
}

function pourInto(stream: Writable, lot: Buffer = LOT): void {
  function* forever(): Generator<Buffer> {
    for (;;) yield lot;
  }
  pipeline(Readable.from(forever()), stream, () => {});
}

/** Answers no Close, or no FIN. */
async function streamService(bridge: 'websocket' | 'tcp', floodsAlways: boolean): Promise<Service> {
  const isWebSocket = bridge === 'websocket';
  const lot = isWebSocket ? frame(BINARY, LOT, { masked: false }) : LOT;
  const service = await (isWebSocket ? startWebSocket : startUpstream)(function onOpen(wire: Wire) {
    wire.polite = false;
    if (floodsAlways) pourInto(wire.socket, lot);
  });
  onTestFinished(() => service.close());
  const { port } = service;
  return {
    port,
    upstream: isWebSocket ? `{ websocket: "ws://127.0.0.1:${port}" }` : `{ tcp: "127.0.0.1:${port}" }`,
    async told() {
      const wire = await service.wire();
      await wire.until(() => (isWebSocket ? wire.close : wire.end) !== undefined, 'an end');
    },
    flood() {
      if (!floodsAlways) pourInto((service.wires[0] as Wire).socket, lot);
    },
  };
}

/** Answers what it is sent, or the request to close, without an end; holds polls, or has a lot for every one. */
async function httpService(floods: 'POST' | 'DELETE', hasAlways: boolean): Promise<Service> {
  const responses = new Map<string | undefined, ServerResponse>();
  const ready = Promise.withResolvers<void>();
  const told = Promise.withResolvers<void>();
  function answer(request: IncomingMessage, response: ServerResponse): void {
    request.resume();
    responses.set(
      request.method,
      response.on('error', () => {}),
    );
    if (request.method === 'POST') ready.resolve();
    // While a send is not answered it is not asked to close, but its poll is given up.
    if (request.method === 'DELETE') told.resolve();
    if (request.method === 'GET' && floods === 'POST') response.on('close', told.resolve);
    if (request.method === 'GET' && hasAlways) response.end(LOT);
    if (request.method !== 'GET' && request.method !== floods) response.end();
  }
  const server = createServer(answer).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  onTestFinished(() => server.closeAllConnections());
  const port = portOf(server);
  const poll = `target: "http://127.0.0.1:${port}", poll: { path: / }, send: { path: / }, close: { path: / }`;
  return {
    port,
    upstream: `{ poll: { ${poll} } }`,
    ready: ready.promise,
    told: () => within(told.promise, 'to be told'),
    flood: () => pourInto(responses.get(floods) as ServerResponse),
  };
}

const SERVICES: readonly [string, () => Promise<Service>][] = [
  ['websocket, all the time', () => streamService('websocket', true)],
  ['websocket, from then on', () => streamService('websocket', false)],
  ['tcp, all the time', () => streamService('tcp', true)],
  ['tcp, from then on', () => streamService('tcp', false)],
  ['poll, all the time, and then to the request to close', () => httpService('DELETE', true)],
  ['poll, to the request to close', () => httpService('DELETE', false)],
  ['poll, to what the client had sent', () => httpService('POST', false)],
];

test.each(SERVICES)(
  'of a service that writes for ever, at most 1 MiB is read after the Close: %s',
  async (_, start) => {
    const service = await start();
    await using gateway = await startGateway(
      `routes: [{ name: r, match: { path: /r }, auth: none, upstream: ${service.upstream} }]`,
    );
    using client = await open(gateway.port, '/r');
    client.send(BINARY, 'x');
    await service.ready;
    // Nothing moves any more, so that what is read from here on is read after the Close.
    client.socket.pause();
    const before = await readInAll(service.port);
    client.sendClose(1000);
    await service.told();
    client.socket.resume();
    service.flood();
    const line = await gateway.logged(({ msg }) => msg === 'session ended', ENDED_MS);
    expect(line).toMatchObject({ close: 1000, by: 'client' });
    expect((await readInAll(service.port)) - before).toBeLessThanOrEqual(MiB);
  },
);
