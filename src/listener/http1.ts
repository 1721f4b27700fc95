import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ErrorCode, GatewayError } from '../errors.ts';
import type { AddressMatcher } from '../http/address.ts';
import type { ConnectionInfo } from '../http/parse.ts';
import { Http1Request, type PendingRequest } from './pending-request.ts';
import { Http1Upgrade, type PendingUpgrade } from './pending-upgrade.ts';
import { answerRefusal, writeRefusal } from './refusal.ts';

/** What a listener hands on. Neither may throw; who is given one decides it. */
export interface ListenerHandlers {
  upgrade(pending: PendingUpgrade): void;
  request(pending: PendingRequest): void;
}

/** Sockets that speak plain HTTP so far, each with the response being written on it. */
export type PlainSockets = Map<Duplex, ServerResponse | undefined>;

export interface Http1Deps {
  readonly plain: PlainSockets;
  readonly trustedProxies: AddressMatcher;
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
  const { plain, lingerMs } = deps;

  server.on('upgrade', function onUpgrade(message: IncomingMessage, socket: Duplex, early: Buffer) {
    // Behind a request that was refused in the same breath.
    if (socket.writableEnded) return;
    // A 101 pipelined behind an unfinished response would be read as part of it.
    if (plain.get(socket)) {
      socket.destroy();
      return;
    }
    plain.delete(socket);
    const connection = connectionOf(message, deps);
    handlers.upgrade(new Http1Upgrade({ head: message, connection, client: socket, early, lingerMs }));
  });
  server.on('request', function onRequest(message, response) {
    const { socket } = message;
    if (socket.writableEnded) return;
    plain.set(socket, response);
    response.once('close', function onResponseClose() {
      if (plain.get(socket) === response) plain.set(socket, undefined);
      if (!server.listening) socket.destroySoon();
    });
    handlers.request(new Http1Request(message, response, connectionOf(message, deps), lingerMs));
  });
  // 100 only when the handler starts to read: a refused request is never asked for its body (RFC 9110 §10.1.1).
  server.on('checkContinue', function onCheckContinue(message, response) {
    message.once('resume', () => {
      if (!response.headersSent) response.writeContinue();
    });
    server.emit('request', message, response);
  });
  server.on('connect', function onConnect(_message, socket: Duplex) {
    writeRefusal(socket, new GatewayError('METHOD_NOT_ALLOWED', { headers: { allow: 'GET' } }), lingerMs);
  });
  server.on('clientError', function onClientError(error: NodeJS.ErrnoException, socket: Duplex) {
    // The one that was refused may run into a deadline as well.
    if (socket.writableEnded) return;
    if (!isRequestError(error)) {
      socket.destroy();
      return;
    }
    const refusal = new GatewayError(CLIENT_ERRORS[error.code ?? ''] ?? 'BAD_REQUEST', { cause: error });
    const response = plain.get(socket);
    if (response) answerRefusal(response, refusal, lingerMs);
    else writeRefusal(socket, refusal, lingerMs);
  });
}

/** Each request is given its id and its whereabouts here. */
function connectionOf({ socket }: IncomingMessage, { trustedProxies }: Http1Deps): ConnectionInfo {
  return {
    id: randomUUID(),
    peerAddress: (socket as Socket).remoteAddress,
    secure: 'encrypted' in socket,
    trustedProxies,
  };
}

/** Resets and failed TLS handshakes arrive as `clientError` too; nobody is there to read an answer. */
function isRequestError({ code }: NodeJS.ErrnoException): boolean {
  return code?.startsWith('HPE_') === true || code === 'ERR_HTTP_REQUEST_TIMEOUT';
}
