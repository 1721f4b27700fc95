import { createServer } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { connect, type Socket } from 'node:net';
import type { Pair } from './certificates.ts';
import { portOf } from './servers.ts';
import { listenAt } from './sockets.ts';

/** An HTTP proxy, as companies have them, that leads every name to this machine. Ended with the test. */

export interface ConnectProxy {
  readonly port: number;
  /** `host:port` and Proxy-Authorization of each CONNECT. */
  readonly asked: { readonly place: string; readonly authorization: string | undefined }[];
  /** How many connections to it are open. */
  readonly open: number;
}

interface Ways {
  /** What it answers in place of 200; `silence`: nothing. */
  readonly status?: number | 'silence';
  /** It speaks TLS. */
  readonly tls?: Pair;
}

export async function startConnectProxy({ status = 200, tls }: Ways = {}): Promise<ConnectProxy> {
  const asked: ConnectProxy['asked'] = [];
  const sockets = new Set<Socket>();
  const server = tls === undefined ? createServer() : createSecureServer(tls);
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('connect', ({ url = '', headers }, near: Socket) => {
    near.on('error', () => {});
    asked.push({ place: url, authorization: headers['proxy-authorization'] });
    if (status === 'silence') return void near.on('end', () => near.destroy()).resume();
    if (status !== 200) {
      near.end(`HTTP/1.1 ${status} No\r\nContent-Length: 5\r\n\r\nsorry`);
      return;
    }
    const far = connect(Number(url.split(':').at(-1)), '127.0.0.1');
    far.on('error', () => near.destroy()).on('close', () => near.destroy());
    near.on('close', () => far.destroy());
    near.write('HTTP/1.1 200 Connection established\r\n\r\n');
    near.pipe(far).pipe(near);
  });
  await listenAt({ port: 0, host: '127.0.0.1' }, server);
  return {
    port: portOf(server),
    asked,
    get open() {
      return sockets.size;
    },
  };
}
