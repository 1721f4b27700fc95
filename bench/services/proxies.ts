import { readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { Agent, createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';

/** What the proxies from npm have in common: a plain and a TLS listener on ports of their own. */

/** What the parent hands each of them, as JSON. */
export interface ProxyOptions {
  echoWebSocket: number;
  echoTcp: number;
  echoHttp: number;
  source: number;
  http: number;
  cert: string;
  key: string;
}

/** What each tells its parent. */
export interface ProxyPorts {
  plain: number;
  tls: number;
}

export const options = JSON.parse(process.argv[2] ?? '{}') as ProxyOptions;

/** The port of the service a path leads to. */
export function upstreamOf({ url }: IncomingMessage): number {
  return url === '/source' ? options.source : options.echoWebSocket;
}

const kept = new Agent({ keepAlive: true });

/** The agent for a request: one that keeps connections where the path asks for it. */
export function agentFor({ url }: IncomingMessage): Agent | undefined {
  return url === '/kept' ? kept : undefined;
}

/** Serves both listeners by the same functions, tells the parent their ports, and ends with it. */
export async function serveBoth(
  onUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void,
  onRequest?: RequestListener,
): Promise<void> {
  const tls = { cert: readFileSync(options.cert), key: readFileSync(options.key) };
  const [plain, secure] = await Promise.all([
    listen(createServer(onRequest).on('upgrade', onUpgrade)),
    listen(createTlsServer(tls, onRequest).on('upgrade', onUpgrade)),
  ]);
  process.once('disconnect', () => process.exit());
  process.send?.({ plain, tls: secure } satisfies ProxyPorts);
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
      resolve((server.address() as AddressInfo).port);
    });
  });
}
