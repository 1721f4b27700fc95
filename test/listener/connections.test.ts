import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect as connectNet, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { GatewayError } from '../../src/errors.ts';
import type { ConnectionObserver } from '../../src/listener/observer.ts';
import type { PendingRequest } from '../../src/listener/pending-request.ts';
import type { PendingUpgrade } from '../../src/listener/pending-upgrade.ts';
import type { Listener, ListenerHandlers } from '../../src/listener/server.ts';
import { certificate, closed, depsOf, dial, open, say, serverSocket } from '../support/listener.ts';

const UPGRADE =
  'GET /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
const GET = 'GET /a HTTP/1.1\r\nHost: x\r\n\r\n';
const LAST_GET = GET.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n');
const FULL = /^HTTP\/1.1 503 .*\r\nretry-after: 5\r\n.*\r\n\r\nGATEWAY_FULL: .*\n$/s;
/** Connections that may wait beyond the bound. */
const SPARE = 8;

let folder: string;
let files: { cert: string; key: string };
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-connections-'));
  files = await certificate(folder, ['app.example.com']);
});
afterAll(() => rm(folder, { recursive: true }));

/** Hears of connections. */
class Ears implements ConnectionObserver {
  readonly partings: string[] = [];
  open = 0;
  most = 0;
  #onOpened = (): void => {};

  opened(): void {
    this.most = Math.max(this.most, ++this.open);
    this.#onOpened();
  }
  closed(): void {
    this.open--;
  }
  parted(reason: string): void {
    this.partings.push(reason);
  }
  proxyHeaderFailed(): void {}
  tlsFailed(): void {}
  acceptFailed(): void {}

  /** Resolves when so many are open. */
  async until(count: number): Promise<void> {
    while (this.open < count) {
      await new Promise<void>((resolve) => {
        this.#onOpened = resolve;
      });
    }
  }
}

const acceptAll: ListenerHandlers = {
  upgrade: (pending) => void pending.accept(undefined, []),
  request: ({ response }) => void response.end('hello'),
};

/** A listener on which `max` requests and sessions may be under way. */
async function openBounded(max: number, handlers: Partial<ListenerHandlers> = {}, tls = false) {
  const ears = new Ears();
  const config = tls ? { certificates: [files], minVersion: 'TLSv1.2' as const } : undefined;
  const deps = depsOf(max, ears);
  const deadlines = { linger: 60_000, headers: 60_000, handshake: 60_000 };
  const listener = await open({ ...acceptAll, ...handlers }, deadlines, config, deps);
  return { listener, ears };
}

async function session(listener: Listener): Promise<Socket> {
  const client = dial(listener);
  client.write(UPGRADE);
  expect(String((await once(client, 'data'))[0])).toMatch(/^HTTP\/1.1 101 /);
  return client;
}

/** Opens connections that say nothing, and returns the first; all have been taken then. */
async function silence(listener: Listener, ears: Ears, count: number): Promise<Socket> {
  const before = ears.open;
  const first = dial(listener);
  await ears.until(before + 1);
  for (let i = 1; i < count; i++) dial(listener);
  await ears.until(before + count);
  return first;
}

/** Time that has passed for whoever asks performance.now(). */
function passTime(ms: number): void {
  const later = performance.now() + ms;
  const clock = vi.spyOn(performance, 'now').mockReturnValue(later);
  onTestFinished(() => clock.mockRestore());
}

describe('beyond the bound', () => {
  test.each([
    ['an upgrade', UPGRADE],
    ['a request', GET],
  ])('%s is answered 503, and let in again when a session has ended', async (_what, bytes) => {
    const { listener, ears } = await openBounded(2);
    const server = serverSocket(listener);
    const first = await session(listener);
    await session(listener);
    expect(await say(listener, bytes)).toMatch(FULL);
    expect(ears.partings).toEqual(['full']);
    first.destroy();
    (await server).destroy();
    await closed(await server);
    await session(listener);
  });

  test('a connection that has been answered keeps nobody out', async () => {
    const { listener } = await openBounded(1);
    const idle = dial(listener);
    idle.write(GET);
    await once(idle, 'data');
    expect(await say(listener, LAST_GET)).toMatch(/hello$/);
    await session(listener);
  });

  test.each([
    ['an upgrade', UPGRADE],
    ['a request', GET],
  ])('%s that was refused, and does not leave, keeps nobody out', async (_what, bytes) => {
    let refuse = true;
    function decide(pending: PendingUpgrade | PendingRequest, otherwise: () => void): void {
      if (refuse) pending.refuse(new GatewayError('NO_ROUTE'));
      else otherwise();
      refuse = false;
    }
    const { listener } = await openBounded(1, {
      upgrade: (pending) => decide(pending, () => pending.accept(undefined, [])),
      request: (pending) => decide(pending, () => pending.response.end('hello')),
    });
    const refused = dial(listener);
    refused.write(bytes);
    expect(String((await once(refused, 'data'))[0])).toMatch(/^HTTP\/1.1 404 /);
    await session(listener);
  });

  test('requests on one connection count once', async () => {
    const { listener } = await openBounded(1, {
      request: ({ response }) => setImmediate(() => response.end('hello')),
    });
    expect((await say(listener, GET + LAST_GET)).match(/ 200 OK/g)).toHaveLength(2);
  });
});

describe('without room even for an answer', () => {
  test.each([
    ['unasked', ''],
    ['though it has asked already', LAST_GET],
  ])('a newcomer is told so %s, and sent away', async (_what, bytes) => {
    const { listener, ears } = await openBounded(1);
    await silence(listener, ears, SPARE + 1);
    expect(await say(listener, bytes)).toMatch(FULL);
    expect(ears.partings).toEqual(['crowded']);
  });

  test('newcomers in numbers that do not leave are sent away at once', async () => {
    const { listener, ears } = await openBounded(1);
    await silence(listener, ears, SPARE + 1);
    const crowd = Array.from({ length: 50 }, () => dial(listener));
    const answers = await Promise.all(crowd.map((client) => text(client)));
    expect(answers.filter((answer) => FULL.test(answer))).toHaveLength(50);
    // Every client keeps its side open.
    expect(ears.most).toBe(1 + SPARE + 8);
  });

  test('the connection that has been silent longest gives way', async () => {
    const { listener, ears } = await openBounded(1);
    const first = await silence(listener, ears, SPARE + 1);
    passTime(1_001);
    expect(await say(listener, LAST_GET)).toMatch(/hello$/);
    expect(await text(first)).toMatch(FULL);
    expect(ears.partings).toEqual(['idle']);
  });

  test('a session never gives way', async () => {
    const { listener, ears } = await openBounded(1);
    const client = await session(listener);
    const first = await silence(listener, ears, SPARE);
    passTime(1_001);
    expect(await say(listener, GET)).toMatch(FULL);
    expect(await text(first)).toMatch(FULL);
    expect(client.readableEnded).toBe(false);
  });

  test('a WebSocket gives way while its client alone is waited for, and is told so by a Close', async () => {
    const { listener, ears } = await openBounded(1, {
      upgrade(pending) {
        pending.accept(undefined, []);
        pending.rest();
      },
    });
    const first = await session(listener);
    const heard = first.toArray();
    for (let i = 0; i < SPARE; i++) await session(listener);
    passTime(1_001);
    expect(await say(listener, LAST_GET)).toMatch(/hello$/);
    expect(Buffer.concat(await heard).subarray(0, 4)).toEqual(Buffer.from([0x88, 39, 0x03, 0xf5]));
    expect(ears.partings).toEqual(['idle']);
  });

  test('who says more is under way again, if there is room, and it is there', async () => {
    const waiting: { pending: PendingUpgrade; client: Duplex }[] = [];
    const { listener } = await openBounded(1, {
      upgrade(pending) {
        waiting.push({ pending, client: pending.accept(undefined, []) });
        pending.rest();
      },
    });
    for (let i = 0; i < 3; i++) await session(listener);
    const [first, second, gone] = waiting;
    gone?.client.destroy();
    expect(() => gone?.pending.resume()).toThrow(new GatewayError('CLIENT_LOST').message);
    first?.pending.resume();
    expect(() => second?.pending.resume()).toThrow(new GatewayError('GATEWAY_FULL').message);
  });

  test('every connection is counted, once, and out again', async () => {
    const { listener, ears } = await openBounded(1);
    await silence(listener, ears, SPARE + 1);
    expect(ears.open).toBe(SPARE + 1);
    await listener.close();
    expect(ears.open).toBe(0);
  });
});

describe('over TLS', () => {
  function shake(listener: Listener, onOpen: (socket: Socket) => void): Promise<Error | string> {
    const { port } = listener.address;
    const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => onOpen(socket));
    onTestFinished(() => void socket.destroy());
    return text(socket).catch((error: Error) => error);
  }

  test('an upgrade is answered 503 behind the handshake', async () => {
    const { listener } = await openBounded(1, {}, true);
    await new Promise<void>((resolve) => {
      void shake(listener, (socket) => {
        socket.write(UPGRADE);
        socket.once('data', () => resolve());
      });
    });
    expect(await shake(listener, (socket) => socket.write(UPGRADE))).toMatch(FULL);
  });

  test('a newcomer without room is sent away with an alert, and the longest handshake gives way', async () => {
    const { listener, ears } = await openBounded(1, {}, true);
    const first = await silence(listener, ears, SPARE + 1);
    expect(await shake(listener, () => {})).toMatchObject({ code: 'ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR' });
    passTime(1_001);
    expect(await shake(listener, (socket) => socket.write(LAST_GET))).toMatch(/hello$/);
    expect((await first.toArray())[0]).toEqual(Buffer.from([21, 3, 3, 0, 2, 2, 80]));
    expect(ears.partings).toEqual(['crowded', 'idle']);
  });

  test('a session never gives way, nor is it taken for a handshake', async () => {
    const { listener, ears } = await openBounded(1, {}, true);
    const { port } = listener.address;
    const raw = connectNet(port, '127.0.0.1');
    const client = connect({ socket: raw, rejectUnauthorized: false });
    onTestFinished(() => void client.destroy());
    client.write(UPGRADE);
    expect(String((await once(client, 'data'))[0])).toMatch(/^HTTP\/1.1 101 /);
    const first = await silence(listener, ears, SPARE);
    passTime(1_001);
    expect(await shake(listener, (socket) => socket.write(GET))).toMatch(FULL);
    expect((await first.toArray())[0]).toHaveLength(7);
    expect(client.readableEnded).toBe(false);
  });
});
