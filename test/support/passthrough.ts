import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from 'node:net';
import type { Grant } from '../../src/admission/grant.ts';
import type { RouteConfig } from '../../src/config/schema.ts';
import { GatewayError } from '../../src/errors.ts';
import type { GatewayRequest, HeaderField } from '../../src/http/request.ts';
import { answerRefusal } from '../../src/listener/refusal.ts';
import type { Served } from '../../src/passthrough/exchange.ts';
import { createPassthrough, type Passthrough, type PassthroughOptions } from '../../src/passthrough/index.ts';
import { gatewayRequest } from './observe.ts';
import { within } from './patience.ts';

/** Undo of everything a test has opened, last first; call `closeAll` after each. */
const undo: (() => unknown)[] = [];

export async function closeAll(): Promise<void> {
  for (const close of undo.splice(0).reverse()) await close();
}

async function listen(server: Server | TcpServer): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  undo.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

/** An upstream of Node's; returns its URL. */
export async function httpUpstream(onRequest: RequestListener): Promise<string> {
  return `http://127.0.0.1:${await listen(createServer(onRequest))}`;
}

/** An upstream that answers with bytes of its own; returns its URL. */
export async function tcpUpstream(onSocket: (socket: Socket) => void): Promise<string> {
  return `http://127.0.0.1:${await listen(createTcpServer(onSocket))}`;
}

/** What one request came to. */
export type Outcome = Pick<Served, 'status' | 'bytes'> | GatewayError;

export interface Front {
  readonly port: number;
  readonly url: string;
  readonly passthrough: Passthrough;
  /** The outcomes so far, and the next one that is not there yet. */
  readonly outcomes: Outcome[];
  outcome(): Promise<Outcome>;
}

/** A listener that passes every request through, as the gateway does. */
export async function openFront(
  route: RouteConfig,
  grant: Partial<Grant> = {},
  options: PassthroughOptions = {},
): Promise<Front> {
  const passthrough = createPassthrough(route, options);
  undo.push(() => passthrough.close());
  const outcomes: Outcome[] = [];
  const waiting: ((outcome: Outcome) => void)[] = [];
  let taken = 0;
  function report(outcome: Outcome): void {
    outcomes.push(outcome);
    waiting.shift()?.(outcome);
  }
  const server = createServer();
  for (const event of ['request', 'checkContinue']) server.on(event, onRequest);
  const port = await listen(server);
  function onRequest(message: IncomingMessage, response: ServerResponse): void {
    passthrough.serve(requestOf(message), { claims: {}, releases: [], ...grant }, message, response).then(
      ({ status, bytes }) => report({ status, bytes }),
      (thrown) => {
        const error =
          thrown instanceof GatewayError ? thrown : new GatewayError('INTERNAL', { cause: thrown });
        answerRefusal(response, error, 100);
        report(error);
      },
    );
  }
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    passthrough,
    outcomes,
    outcome() {
      const ready = outcomes[taken++];
      if (ready) return Promise.resolve(ready);
      const next = new Promise<Outcome>((resolve) => waiting.push(resolve));
      return within(next, `outcome ${taken}`);
    },
  };
}

function requestOf(message: IncomingMessage): GatewayRequest {
  const [path, query] = splitOnce(message.url as string, '?');
  const raw = message.rawHeaders;
  const headers: HeaderField[] = [];
  for (let at = 0; at < raw.length; at += 2) headers.push([raw[at] as string, raw[at + 1] as string]);
  const authority = message.headers.host as string;
  return gatewayRequest({ method: message.method, path, query, headers, authority });
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** A client on a raw socket. */
export async function dial(port: number): Promise<Socket & { text: string }> {
  const socket = Object.assign(connect(port, '127.0.0.1'), { text: '' });
  socket.on('error', () => {});
  undo.push(() => socket.destroy());
  await once(socket, 'connect');
  socket.on('data', (chunk) => {
    socket.text += chunk.toString('latin1');
  });
  return socket;
}
