import { once } from 'node:events';
import {
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type Settings,
} from 'node:http2';
import { createServer as createTcpServer } from 'node:net';
import { createSecureContext } from 'node:tls';
import { onTestFinished } from 'vitest';
import { openHttpTarget } from '../../src/upstream/client.ts';
import { openSocket } from '../../src/upstream/connect.ts';
import { ALPN, type Http2Mode } from '../../src/upstream/http2-connection.ts';
import { targetsOf } from '../../src/upstream/target.ts';
import { makeCertificate } from './certificates.ts';
import { portOf } from './servers.ts';

export interface Asked {
  readonly stream: ServerHttp2Stream;
  readonly headers: IncomingHttpHeaders;
}

export interface Http2PeerOptions {
  readonly mode?: Http2Mode;
  readonly isPlain?: boolean;
  readonly settings?: Settings;
  /** A path of the target itself. */
  readonly path?: string;
}

const pair = makeCertificate({ dns: ['localhost'] });

/** A service that speaks HTTP/2, gives each request to `answer`, and a client of it. */
export async function http2Peer(answer: (asked: Asked) => void, options: Http2PeerOptions = {}) {
  const { settings = {}, isPlain = false, mode = 'auto', path = '' } = options;
  const server = isPlain ? createServer({ settings }) : createSecureServer({ ...(await pair), settings });
  const sessions = new Set<ServerHttp2Session>();
  const asked: Asked[] = [];
  server.on('sessionError', () => {});
  server.on('session', (session: ServerHttp2Session) => {
    sessions.add(session);
    session.on('error', () => {});
  });
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on('error', () => {});
    asked.push({ stream, headers });
    answer({ stream, headers });
  });
  await listening(server);
  onTestFinished(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  const url = `${isPlain ? 'http' : 'https'}://localhost:${portOf(server)}${path}`;
  return { sessions, asked, server, url, target: http2ClientOf(url, mode) };
}

async function listening(server: Http2Server | Http2SecureServer): Promise<void> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
}

/** A client whose connections offer what `mode` says. */
export function http2ClientOf(url: string, mode: Http2Mode) {
  const [parsed] = targetsOf({ http: [{ url }] }, 'http');
  if (parsed === undefined) throw new Error('no target');
  const { port, secure } = parsed;
  const trust = { context: createSecureContext(), servername: 'localhost', isVerified: false };
  const where = { host: '127.0.0.1', port, autoEnd: true, alpn: ALPN[mode], ...(secure && { tls: trust }) };
  const target = openHttpTarget(parsed, () => openSocket(where, AbortSignal.timeout(2_000)), mode);
  onTestFinished(() => void target.close());
  return target;
}

/** A frame (RFC 9113 §4.1). */
export function frame(type: number, flags: number, stream: number, payload: Buffer | string = ''): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(Buffer.byteLength(payload), 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, Buffer.from(payload)]);
}

const PREFACE_BYTES = 24;
const HEADERS = 1;
const SETTINGS = 4;

/** A service that begins in HTTP/2, then writes these bytes to each request in the first stream, and no pong. */
export async function rawHttp2Peer(bytes: Buffer) {
  const server = createTcpServer((socket) => {
    let received = Buffer.alloc(0);
    let at = PREFACE_BYTES;
    socket.on('error', () => {});
    socket.write(frame(SETTINGS, 0, 0));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      for (; at + 9 <= received.length; at += 9 + received.readUIntBE(at, 3))
        if (received[at + 3] === HEADERS) socket.write(bytes);
    });
    onTestFinished(() => void socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return http2ClientOf(`http://localhost:${portOf(server)}`, 'on');
}
