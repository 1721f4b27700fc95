import { mkdtemp, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { ListenerConfig } from '../../src/config/schema.ts';
import type { ConnectionInfo } from '../../src/http/parse.ts';
import { type Listener, openListener } from '../../src/listener/server.ts';
import { writeVersion1, writeVersion2 } from '../../src/proxy-protocol/write.ts';
import { certificate, depsOf, dial, gone, unheard } from '../support/listener.ts';
import { within } from '../support/patience.ts';

/** Connections that a trusted proxy introduces. */

const ENDS = {
  source: { address: '192.0.2.7', port: 4711 },
  destination: { address: '198.51.100.1', port: 443 },
};
const GET = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';

let folder: string;
let files: { cert: string; key: string };
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-proxied-'));
  files = await certificate(folder, ['app.example.com']);
});
afterAll(() => rm(folder, { recursive: true }));

interface Scene {
  readonly listener: Listener;
  /** What each request came with. */
  readonly seen: ConnectionInfo[];
  readonly failures: unknown[][];
}

async function openProxied(trusted = true, tls?: ListenerConfig['tls'], withinMs = 5_000): Promise<Scene> {
  const seen: ConnectionInfo[] = [];
  const failures: unknown[][] = [];
  const observer = { ...unheard, proxyHeaderFailed: (...all: unknown[]) => void failures.push(all) };
  const listener = await openListener(
    { host: '127.0.0.1', port: 0, tls, proxyProtocol: true },
    {
      upgrade: (pending) => {
        seen.push(pending.connection);
        pending.accept(undefined, []).end(pending.early);
      },
      request: ({ connection, response }) => {
        seen.push(connection);
        response.end('hello');
      },
    },
    {
      ...depsOf(Infinity, observer),
      trustedProxies: () => trusted,
      deadlines: { close: 200, proxyHeader: withinMs },
    },
  );
  onTestFinished(() => listener.close());
  return { listener, seen, failures };
}

function answer(socket: Socket): Promise<string> {
  return within(text(socket), 'the end of an answer');
}

describe('a trusted proxy', () => {
  test.each([
    ['version 1', writeVersion1(ENDS)],
    ['version 2', writeVersion2(ENDS, { subject: 'ann' })],
  ])('says whom a connection is for: %s', async (_, header) => {
    const { listener, seen } = await openProxied();
    const socket = dial(listener);
    socket.write(Buffer.concat([header, Buffer.from(GET)]));
    expect(await answer(socket)).toMatch(/hello$/);
    expect(seen).toMatchObject([{ peerAddress: '192.0.2.7', secure: false, isLocal: false }]);
  });

  test('may say so byte by byte', async () => {
    const { listener, seen } = await openProxied();
    const socket = dial(listener);
    socket.setNoDelay(true);
    for (const byte of Buffer.concat([writeVersion1(ENDS), Buffer.from(GET)])) {
      await new Promise((resolve) => socket.write(Buffer.of(byte), resolve));
    }
    expect(await answer(socket)).toMatch(/hello$/);
    expect(seen[0]?.peerAddress).toBe('192.0.2.7');
  });

  test('says so in front of TLS', async () => {
    const { listener, seen } = await openProxied(true, { certificates: [files], minVersion: 'TLSv1.2' });
    const raw = dial(listener);
    raw.write(writeVersion2(ENDS, {}));
    const socket = connectTls({ socket: raw, rejectUnauthorized: false, servername: 'app.example.com' });
    socket.write(GET);
    expect(await answer(socket)).toMatch(/hello$/);
    expect(seen).toMatchObject([{ peerAddress: '192.0.2.7', secure: true }]);
  });

  test('speaks for itself where it says LOCAL or UNKNOWN', async () => {
    const { listener, seen } = await openProxied();
    const socket = dial(listener);
    socket.write(`PROXY UNKNOWN\r\n${GET}`);
    await answer(socket);
    expect(seen).toMatchObject([{ peerAddress: '127.0.0.1', isLocal: true }]);
  });

  test('says whether the client spoke TLS to it', async () => {
    const { listener, seen } = await openProxied();
    const plain = writeVersion2(ENDS, {});
    const values = Buffer.from('2000050100000000', 'hex');
    plain.writeUInt16BE(plain.length - 16 + values.length, 14);
    const socket = dial(listener);
    socket.write(Buffer.concat([plain, values, Buffer.from(GET)]));
    await answer(socket);
    expect(seen).toMatchObject([{ secure: true }]);
  });

  test('introduces upgrades too, with what came early', async () => {
    const { listener, seen } = await openProxied();
    const socket = dial(listener);
    const head = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly';
    socket.write(Buffer.concat([writeVersion1(ENDS), Buffer.from(head)]));
    expect(await answer(socket)).toMatch(/\r\n\r\nearly$/);
    expect(seen[0]?.peerAddress).toBe('192.0.2.7');
  });

  test('is cut off where it says nothing that can be read', async () => {
    const { listener, seen, failures } = await openProxied();
    const socket = dial(listener);
    socket.write(GET);
    await gone(socket);
    expect(seen).toEqual([]);
    expect(failures).toEqual([
      ['malformed', '127.0.0.1', 'the connection does not begin with a PROXY header'],
    ]);
  });

  test('is cut off where it says nothing in time', async () => {
    const { listener, failures } = await openProxied(true, undefined, 20);
    await gone(dial(listener));
    expect(failures).toEqual([['timeout', '127.0.0.1', undefined]]);
  });

  test('may leave before it has said all', async () => {
    const { listener, failures } = await openProxied();
    const socket = dial(listener);
    socket.end('PROXY TC');
    await gone(socket);
    expect(failures).toEqual([['ended', '127.0.0.1', undefined]]);
  });
});

describe('anybody else', () => {
  test('is taken as he comes', async () => {
    const { listener, seen } = await openProxied(false);
    const socket = dial(listener);
    socket.write(GET);
    expect(await answer(socket)).toMatch(/hello$/);
    expect(seen).toMatchObject([{ peerAddress: '127.0.0.1' }]);
  });

  test('gives himself no other address', async () => {
    const { listener, seen } = await openProxied(false);
    const socket = dial(listener);
    socket.write(Buffer.concat([writeVersion1(ENDS), Buffer.from(GET)]));
    expect(await answer(socket)).toMatch(/^HTTP\/1.1 400/);
    expect(seen).toEqual([]);
  });
});
