import { request as requestPlain } from 'node:http';
import { request as requestSecure } from 'node:https';
import { isIP, isIPv6, type Socket } from 'node:net';
import { unescape as decoded } from 'node:querystring';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { ClientOptions } from 'ws';
import { proxyText } from './proxy.ts';

/** A proxy that is not reached, or does not let anybody through; the message says which, and what to do. */
export class ProxyError extends Error {
  override readonly name = 'ProxyError';
}

/** Where a WebSocket is to lead, as Node is told it. */
interface Place {
  readonly host: string;
  readonly port: number;
}

/** What `ws` leaves open is how Node asks for a connection: whether that is to be one of TLS stands in `isSecure`. */
type Create = (
  options: Place & ConnectionOptions & { readonly defaultPort: number },
  onCreated: (error: Error | null, socket?: Socket) => void,
) => void;

/** A proxy answers when it has reached the gateway. */
const CONNECT_MS = 20_000;

/** Makes the connections of WebSockets through a proxy, until the signal aborts. */
export function connectionsThrough(
  proxy: URL,
  isSecure: boolean,
  gone: AbortSignal,
): NonNullable<ClientOptions['createConnection']> {
  const create: Create = ({ path: _, ...options }, onCreated) => {
    const { host } = options;
    const signal = AbortSignal.any([gone, AbortSignal.timeout(CONNECT_MS)]);
    connectThrough(proxy, options, signal).then((socket) => {
      const servername = isIP(host) === 0 ? host : '';
      onCreated(null, isSecure ? connectTls({ ...options, servername, socket }) : socket);
    }, onCreated);
  };
  return create as unknown as NonNullable<ClientOptions['createConnection']>;
}

/** A connection through an HTTP proxy (CONNECT, RFC 9110 §9.3.6). Rejects with ProxyError. */
function connectThrough(proxy: URL, { host, port }: Place, signal: AbortSignal): Promise<Socket> {
  const place = `${isIPv6(host) ? `[${host}]` : host}:${port}`;
  const request = proxy.protocol === 'https:' ? requestSecure : requestPlain;
  return new Promise((resolve, reject) => {
    const asking = request({
      method: 'CONNECT',
      host: proxy.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: proxy.port,
      path: place,
      headers: { host: place, ...authorization(proxy) },
      agent: false,
      signal,
    });
    asking.on('error', (cause) => reject(new ProxyError(unreached(proxy, cause), { cause })));
    asking.on('connect', ({ statusCode = 0 }, socket: Socket, head: Buffer) => {
      socket.on('error', () => {});
      if (statusCode < 200 || statusCode > 299) {
        socket.destroy();
        reject(new ProxyError(refused(proxy, statusCode, place)));
        return;
      }
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    asking.end();
  });
}

function authorization({ username, password }: URL): Record<string, string> {
  if (username === '' && password === '') return {};
  const credentials = Buffer.from(`${decoded(username)}:${decoded(password)}`);
  return { 'proxy-authorization': `Basic ${credentials.toString('base64')}` };
}

function unreached(proxy: URL, { code, message }: NodeJS.ErrnoException): string {
  const what = `${proxyText(proxy)} is not reached`;
  if (code === 'ECONNREFUSED') return `${what}: nothing listens there`;
  if (code === 'ENOTFOUND') return `${what}: there is no such name`;
  if (code === 'ABORT_ERR') return `${proxyText(proxy)} does not answer`;
  return `${what}: ${message || code}`;
}

function refused(proxy: URL, status: number, place: string): string {
  const who = proxyText(proxy);
  // Some say 401 where 407 is meant.
  if (status === 407 || status === 401)
    return `${who} wants a name and password, or others (${status}): write http://NAME:PASSWORD@HOST:PORT`;
  if (status >= 500) return `${who} does not reach ${place} (${status}); see whether the gateway runs`;
  return `${who} does not let anybody through to ${place} (${status}); ask who runs it, or name the gateway in NO_PROXY`;
}
