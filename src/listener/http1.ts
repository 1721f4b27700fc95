import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ErrorCode, GatewayError } from '../errors.ts';
import { type AddressMatcher, normaliseAddress } from '../http/address.ts';
import { type Ends, SIGNATURE } from '../proxy-protocol/types.ts';
import type { Connections } from './connections.ts';
import { Http1Request, type PendingRequest } from './pending-request.ts';
import { type Http1Parts, Http1Upgrade, type PendingUpgrade } from './pending-upgrade.ts';
import { proxyHeaderOf } from './proxied.ts';
import { answerRefusal, writeRefusal } from './refusal.ts';
import { tlsInfoOf } from './tls-info.ts';
import { Turns } from './turns.ts';

/** What a listener hands on. Neither may throw; who is given one decides it. */
export interface ListenerHandlers {
  upgrade(pending: PendingUpgrade): void;
  request(pending: PendingRequest): void;
}

/** Sockets that speak plain HTTP so far, each with the response being written on it. */
export type PlainSockets = Map<Socket, ServerResponse | undefined>;

export interface Http1Deps {
  readonly plain: PlainSockets;
  readonly connections: Connections;
  readonly trustedProxies: AddressMatcher;
  /** Requests come in plain text, and from this machine only. */
  readonly isLocal: boolean;
  /** Milliseconds for a refused client to read why. */
  readonly lingerMs: number;
}

/** What llhttp and Node's connection check report, as failures of ours; anything else of theirs is a bad request. */
const CLIENT_ERRORS: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'HEADERS_TOO_LARGE',
  ERR_HTTP_REQUEST_TIMEOUT: 'REQUEST_TIMEOUT',
};

/** Makes of what Node's HTTP/1.1 server finds pending upgrades and requests; answers what is neither. */
export function serveHttp1(server: Server, handlers: ListenerHandlers, deps: Http1Deps): void {
  handOnUpgrades(server, handlers, deps);
  handOnRequests(server, handlers, deps);
  server.on('connect', function onConnect(_message, socket: Duplex) {
    const allow = { allow: 'GET' };
    writeRefusal(socket, new GatewayError('METHOD_NOT_ALLOWED', { headers: allow }), deps.lingerMs);
  });
  // Node's parser finds the same fault again in whatever still comes, and a refused client may run into a deadline as well.
  const faulty = new WeakSet<Socket>();
  server.on('clientError', function onClientError(error: NodeJS.ErrnoException, socket: Socket) {
    if (socket.writableEnded || faulty.has(socket)) return;
    faulty.add(socket);
    answerError(error, socket, deps);
  });
}

// What was read in one go with a request that was refused, or with the end of a TLS handshake that came too late, is handed
// on by Node although nobody can be answered: hence the looks at `writable` in what follows.

function handOnUpgrades(server: Server, handlers: ListenerHandlers, deps: Http1Deps): void {
  const { plain, connections } = deps;
  server.on('upgrade', function onUpgrade(message: IncomingMessage, _socket: Duplex, early: Buffer) {
    const { socket } = message;
    if (!socket.writable) return;
    // A 101 pipelined behind an unfinished response would be read as part of it.
    if (plain.get(socket)) {
      socket.destroy();
      return;
    }
    plain.delete(socket);
    const pending = new Http1Upgrade(partsOf(message, deps), early);
    if (connections.begin(socket)) handlers.upgrade(pending);
    else pending.refuse(new GatewayError('GATEWAY_FULL'));
  });
}

function handOnRequests(server: Server, handlers: ListenerHandlers, deps: Http1Deps): void {
  const { plain, connections } = deps;
  const turns = new Turns();
  function begin(message: IncomingMessage, response: ServerResponse): void {
    const { socket } = message;
    // What is wrong behind it may have been answered in its place.
    if (!socket.writable || response.writableEnded) return;
    const pending = new Http1Request(partsOf(message, deps), response);
    if (connections.begin(socket)) handlers.request(pending);
    else pending.refuse(new GatewayError('GATEWAY_FULL'));
  }
  server.on('request', function onRequest(message, response) {
    const { socket } = message;
    if (!socket.writable) return;
    // Node's parser stops behind an offer to upgrade, taken up or not, and drops what was read with it.
    if (message.headers.upgrade !== undefined) response.shouldKeepAlive = false;
    const ahead = plain.get(socket);
    plain.set(socket, response);
    response.once('close', function onResponseClose() {
      if (plain.get(socket) === response) {
        plain.set(socket, undefined);
        connections.rest(socket);
      }
      if (!server.listening) socket.destroySoon();
    });
    if (ahead === undefined) begin(message, response);
    else turns.wait(socket, ahead, () => begin(message, response));
  });
  // Whether to go on is the service's to say: a proxy passes expectations on (RFC 9110 §10.1.1).
  for (const expectation of ['checkContinue', 'checkExpectation']) {
    server.on(expectation, (message, response) => server.emit('request', message, response));
  }
}

type ClientError = NodeJS.ErrnoException & { readonly rawPacket?: Buffer };

/** Tells a client what is wrong with its request. Resets and failed TLS handshakes come as errors too; nobody is there to read. */
function answerError(error: ClientError, socket: Socket, { plain, lingerMs }: Http1Deps): void {
  const { code = '' } = error;
  if (!code.startsWith('HPE_') && code !== 'ERR_HTTP_REQUEST_TIMEOUT') {
    socket.destroy();
    return;
  }
  const sentence = isProxyHeader(error) ? UNASKED_PROXY_HEADER : undefined;
  const refusal = new GatewayError(CLIENT_ERRORS[code] ?? 'BAD_REQUEST', { cause: error, sentence });
  const response = plain.get(socket);
  if (response === undefined) writeRefusal(socket, refusal, lingerMs);
  else if (!response.req.complete) answerRefusal(response, refusal, lingerMs);
  else refuseNext(response, refusal, socket, lingerMs);
}

/** For who sets up a balancer, and asks through it. */
const UNASKED_PROXY_HEADER =
  'The request begins with a PROXY header: the listener takes one with `proxyProtocol: true`, from `trustedProxies`.';

function isProxyHeader({ rawPacket }: ClientError): boolean {
  const begin = rawPacket?.toString('latin1', 0, SIGNATURE.length) ?? '';
  return begin.startsWith('PROXY ') || begin === SIGNATURE.toString('latin1');
}

/** What is wrong stands behind a request that came whole: that one gets its own answer first. */
function refuseNext(response: ServerResponse, refusal: GatewayError, socket: Socket, lingerMs: number): void {
  // What follows is of no use to anybody, and may be any amount of it.
  socket.pause();
  response.once('close', function refuse() {
    if (socket.writable) writeRefusal(socket, refusal, lingerMs);
  });
}

/** Each request is given its id and its whereabouts here. */
export function partsOf(
  message: IncomingMessage,
  { trustedProxies, isLocal, connections, lingerMs }: Omit<Http1Deps, 'plain'>,
): Http1Parts {
  const { socket } = message;
  const tls = tlsInfoOf(socket);
  const header = proxyHeaderOf(socket);
  const parts = {
    id: randomUUID(),
    // Behind a proxy that says so, the peer is whoever connected to it.
    peerAddress: header?.ends?.source.address ?? socket.remoteAddress,
    ends: () => header?.ends ?? endsOf(socket),
    secure: tls !== undefined || header?.secure === true,
    tls,
    isLocal: isLocal && header?.ends === undefined,
    trustedProxies,
  };
  const connection =
    message.httpVersion === '1.0' ? { ...parts, localAuthority: authorityOf(socket) } : parts;
  return { message, connection, connections, lingerMs };
}

function endsOf({
  remoteAddress = '',
  remotePort = 0,
  localAddress = '',
  localPort = 0,
}: Socket): Ends | undefined {
  const [source, destination] = [normaliseAddress(remoteAddress), normaliseAddress(localAddress)];
  if (source === undefined || destination === undefined) return undefined;
  return {
    source: { address: source, port: remotePort },
    destination: { address: destination, port: localPort },
  };
}

function authorityOf({ localAddress = '', localPort }: Socket): string {
  const address = normaliseAddress(localAddress) ?? '';
  return `${address.includes(':') ? `[${address}]` : address}:${localPort}`;
}
