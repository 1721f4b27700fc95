import { createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import type { GatewayOptions } from '../../src/gateway.ts';
import { TOKEN_ENV, TOKEN_ISSUER } from './fresh.ts';
import { startGateway } from './gateway.ts';
import { listenAt } from './sockets.ts';
import { RawClient, type RawOptions } from './tcp-v1.ts';

/** A TCP service of a test, and a gateway with a route `/tcp` to it. Call it within a test. */

export type Service = (socket: Socket) => void;

export interface Scene {
  readonly auth?: string;
  /** Further keys of the route, each with a comma behind it. */
  readonly route?: string;
  /** Further keys of its upstream, each with a comma before it. */
  readonly upstream?: string;
  /** In place of the service's address. */
  readonly target?: string;
  readonly options?: Omit<GatewayOptions, 'logger'>;
  readonly issuers?: string;
}

export async function tcpScene(service: Service, scene: Scene = {}) {
  const { auth = 'none', route = '', upstream = '', issuers = TOKEN_ISSUER, options } = scene;
  const server = createServer({ allowHalfOpen: true }, service);
  const listening = await listenAt({ port: 0, host: '127.0.0.1' }, server);
  const { port } = server.address() as { port: number };
  const target = scene.target ?? `127.0.0.1:${port}`;
  const gateway = await startGateway(
    `${issuers}
routes:
  - { name: tcp, match: { path: /tcp }, auth: ${auth}, ${route} upstream: { tcp: "${target}" ${upstream} } }`,
    TOKEN_ENV,
    options,
  );
  onTestFinished(() => gateway.close());
  const open = async (options?: RawOptions) => {
    const client = await RawClient.open(gateway.url('/tcp'), options);
    onTestFinished(() => client.socket.terminate());
    return client;
  };
  return { gateway, open, target, listening };
}

export const bearer = (token: string): RawOptions => ({ headers: { authorization: `Bearer ${token}` } });

export const echo: Service = (socket) => void socket.on('error', () => {}).pipe(socket);

/** Says nothing, and hears nothing but an end. */
export const mute: Service = (socket) => void socket.on('error', () => {}).resume();
