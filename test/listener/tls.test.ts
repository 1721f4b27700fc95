import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { GatewayError } from '../../src/errors.ts';
import type { PendingRequest } from '../../src/listener/pending-request.ts';
import type { Listener } from '../../src/listener/server.ts';
import { openTls } from '../../src/listener/tls.ts';
import { tlsFailureOf } from '../../src/listener/tls-handshakes.ts';
import { eventually } from '../support/census.ts';
import {
  certificate,
  deferred,
  depsOf,
  dial,
  flood,
  gone,
  open,
  say,
  serverSocket,
  unheard,
} from '../support/listener.ts';

interface Files {
  cert: string;
  key: string;
}

let folder: string;
let app: Files;
let wildcard: Files;
let exact: Files;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-tls-'));
  [app, wildcard, exact] = await Promise.all([
    certificate(folder, ['app.example.com', 'www.example.com']),
    certificate(folder, ['*.example.org']),
    certificate(folder, ['exact.example.org']),
  ]);
});
afterAll(() => rm(folder, { recursive: true }));

const minVersion = 'TLSv1.2';

function tls(...certificates: Files[]) {
  return { certificates, minVersion } as const;
}

async function shake(listener: Listener, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({
    port: listener.address.port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    ...options,
  });
  onTestFinished(() => {
    socket.destroy();
  });
  await once(socket, 'secureConnect');
  return socket;
}

describe('a TLS listener', () => {
  test('hands on requests and upgrades over TLS', async () => {
    const listener = await open(
      {
        upgrade: (pending) => pending.accept(undefined, []).end('up'),
        request: ({ response }) => response.end('hello'),
      },
      {},
      tls(app),
    );
    const get = await shake(listener);
    get.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    expect(await text(get)).toMatch(/hello$/);
    const upgrade = await shake(listener);
    upgrade.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    expect(await text(upgrade)).toMatch(/\r\n\r\nup$/);
    expect(listener.address.secure).toBe(true);
  });

  test.each([
    ['www.example.com', 'app.example.com'],
    ['a.example.org', '*.example.org'],
    ['exact.example.org', 'exact.example.org'],
    ['a.b.example.org', 'app.example.com'],
    ['unknown.test', 'app.example.com'],
    [undefined, 'app.example.com'],
  ])('answers the server name %s with the certificate of %s', async (servername, subject) => {
    const listener = await open({}, {}, tls(app, wildcard, exact));
    const socket = await shake(listener, { servername: servername ?? '' });
    expect(socket.getPeerCertificate().subject.CN).toBe(subject);
  });

  test('speaks http/1.1 only', async () => {
    const listener = await open({}, {}, tls(app));
    const socket = await shake(listener, { ALPNProtocols: ['h2', 'http/1.1'] });
    expect(socket.alpnProtocol).toBe('http/1.1');
    await expect(shake(listener, { ALPNProtocols: ['h2'] })).rejects.toThrow(/alert/);
  });

  test('refuses versions below its minimum', async () => {
    const old = await open({}, {}, tls(app));
    await expect(
      shake(old, { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }),
    ).rejects.toThrow(/alert protocol version/);
    const modern = await open({}, {}, { certificates: [app, wildcard], minVersion: 'TLSv1.3' });
    for (const servername of ['app.example.com', 'a.example.org']) {
      const shaken = shake(modern, { maxVersion: 'TLSv1.2', servername });
      await expect(shaken).rejects.toThrow(/alert protocol version/);
    }
  });

  test('ends a client that does not finish its handshake', async () => {
    const listener = await open({}, { handshake: 40 }, tls(app));
    await gone(dial(listener));
  });

  test('tells a client that speaks plain HTTP what is spoken here, and goes on', async () => {
    const listener = await open({}, {}, tls(app));
    const answer = await say(listener, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(answer).toMatch(/^HTTP\/1.1 400 Bad Request\r\n.*TLS_REQUIRED: This port speaks TLS: .*\n$/s);
    await shake(listener);
  });

  test.each([
    ['request', ''],
    ['upgrade', 'Connection: Upgrade\r\nUpgrade: websocket\r\n'],
  ])('hands on no %s whose TLS handshake ends after it has closed', async (_what, fields) => {
    const asked: unknown[] = [];
    const handlers = { request: asked.push.bind(asked), upgrade: asked.push.bind(asked) };
    const listener = await open(handlers, {}, tls(app));
    const server = serverSocket(listener);
    const raw = dial(listener);
    await server;
    await listener.close();
    const late = connect({ socket: raw, rejectUnauthorized: false });
    onTestFinished(() => void late.destroy());
    late.write(`GET / HTTP/1.1\r\nHost: x\r\n${fields}\r\n`);
    await gone(late);
    expect(asked).toEqual([]);
  });

  test('reads no more than a part of what floods in behind a refusal', async () => {
    const refuse = { request: (pending: PendingRequest) => pending.refuse(new GatewayError('NO_ROUTE')) };
    const listener = await open(refuse, { linger: 60_000 }, tls(app));
    const server = serverSocket(listener);
    const client = await shake(listener);
    client.on('error', () => {});
    client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    flood(client);
    const socket = await server;
    await eventually(
      () => socket.closed,
      () => `still open after ${socket.bytesRead} bytes`,
    );
    expect(socket.bytesRead).toBeLessThan(2 ** 20);
  });
});

describe('a handshake that fails is told of, with the reason', () => {
  async function failures(talk: (listener: Listener) => Promise<unknown>, count = 1): Promise<string[]> {
    const reasons: string[] = [];
    const { promise, resolve } = deferred<void>();
    const deps = depsOf(Infinity, {
      ...unheard,
      tlsFailed(reason) {
        reasons.push(reason);
        if (reasons.length === count) resolve();
      },
    });
    const listener = await open({}, { handshake: 100 }, tls(app), deps);
    await talk(listener);
    await promise;
    return reasons;
  }

  test.each([
    ['plain_http', (listener: Listener) => say(listener, 'GET / HTTP/1.1\r\n\r\n')],
    ['timeout', (listener: Listener) => gone(dial(listener))],
    ['ended', async (listener: Listener) => void dial(listener).end(Buffer.from([22, 3, 1]))],
    ['not_tls', (listener: Listener) => say(listener, 'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n')],
    ['plain_http', (listener: Listener) => say(listener, 'CONNECT a:1 HTTP/1.1\r\n\r\n')],
    [
      'version',
      (listener: Listener) =>
        shake(listener, {
          minVersion: 'TLSv1.1',
          maxVersion: 'TLSv1.1',
          ciphers: 'DEFAULT@SECLEVEL=0',
        }).catch(() => {}),
    ],
    ['alpn', (listener: Listener) => shake(listener, { ALPNProtocols: ['h2'] }).catch(() => {})],
    [
      'cipher',
      (listener: Listener) =>
        shake(listener, { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' }).catch(() => {}),
    ],
  ])('%s', async (reason, talk) => {
    expect(await failures(talk)).toEqual([reason]);
  });

  test.each([
    ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'certificate'],
    ['ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN', 'certificate'],
    ['ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE', 'certificate'],
    ['ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE', 'cipher'],
    ['ERR_SSL_BAD_EXTENSION', 'other'],
  ])('%s is %s', (code, reason) => {
    expect(tlsFailureOf(code)).toBe(reason);
  });
});

describe('certificates that do not serve stop the start', () => {
  async function file(name: string, content: string): Promise<string> {
    await writeFile(join(folder, name), content);
    return join(folder, name);
  }

  test.each([
    [
      'a missing certificate',
      async () => ({ ...app, cert: '/nowhere/a.crt' }),
      /cannot read the certificate \/nowhere\/a.crt/,
    ],
    [
      'a missing key',
      async () => ({ ...app, key: '/nowhere/a.key' }),
      /cannot read the private key \/nowhere\/a.key/,
    ],
    [
      'an empty certificate',
      async () => ({ ...app, cert: await file('empty.crt', '') }),
      /empty.crt is not a certificate/,
    ],
    [
      'a broken key',
      async () => ({ ...app, key: await file('broken.key', 'x') }),
      /broken.key is not a private key/,
    ],
    [
      'the key of another certificate',
      async () => ({ ...app, key: exact.key }),
      /exact.example.org.key does not belong to .*app.example.com.crt/,
    ],
  ])('%s', async (_what, files, message) => {
    const config = { host: '::', port: 0, tls: tls(wildcard, await files()) };
    await expect(openTls(config)).rejects.toThrow(message);
  });
});
