import type { Socket } from 'node:net';
import { asGatewayError, GatewayError } from '../errors.ts';
import type { HttpRequest } from './client.ts';
import type { Connector } from './http-pool.ts';
import { openHttp1 } from './http1-wire.ts';
import { type Http2Connection, type Http2Mode, isHttp2, openHttp2 } from './http2-connection.ts';
import type { ResponseHandler, Wire } from './wire.ts';

/** A service that has accepted a connection has so many milliseconds to begin to speak HTTP/2. */
const BEGIN_MS = 10_000;

export interface Http2Options {
  readonly origin: string;
  readonly mode: Http2Mode;
}

interface Waiting {
  readonly request: HttpRequest;
  readonly handler: ResponseHandler;
}

/**
 * Speaks HTTP/2, and lets requests share connections: another one is dialled when none has room, one at a time. With
 * `auto`, a service that has chosen HTTP/1.1 is spoken with in that, until it chooses otherwise.
 */
export class Http2Wire implements Wire {
  readonly #options: Http2Options;
  readonly #connect: Connector;
  readonly #http1: Wire;
  readonly #connections = new Set<Http2Connection>();
  readonly #waiting: Waiting[] = [];
  /** Dialled before it was known that the service speaks HTTP/1.1 only. */
  #spare: Socket | undefined;
  #speaksHttp1 = false;
  #isDialling = false;
  readonly #closing = new AbortController();

  constructor(connect: Connector, options: Http2Options) {
    this.#options = options;
    this.#connect = connect;
    this.#http1 = openHttp1(options.origin, () => this.#connectHttp1());
  }

  isIdle(): boolean {
    return this.#vacant() !== undefined || this.#http1.isIdle();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    for (const connection of this.#connections) connection.destroy();
    this.#spare?.destroy();
    await this.#http1.close();
  }

  async adopt(socket: Socket, signal: AbortSignal): Promise<boolean> {
    if (!isHttp2(socket, this.#options.mode)) {
      this.#speaksHttp1 = true;
      return false;
    }
    const limit = AbortSignal.any([this.#closing.signal, signal]);
    const connection = await openHttp2(socket, this.#options.origin, limit);
    if (!connection.hasRoom) {
      connection.destroy();
      throw noStream();
    }
    this.#speaksHttp1 = false;
    this.#connections.add(connection);
    connection.whenClosed(() => this.#connections.delete(connection));
    return true;
  }

  dispatch(request: HttpRequest, handler: ResponseHandler): void {
    const connection = this.#vacant();
    if (connection) {
      connection.send(request, handler);
      return;
    }
    if (this.#speaksHttp1) {
      this.#http1.dispatch(request, handler);
      return;
    }
    this.#waiting.push({ request, handler });
    if (!this.#isDialling) void this.#dial();
  }

  #vacant(): Http2Connection | undefined {
    for (const connection of this.#connections) if (connection.hasRoom) return connection;
    return undefined;
  }

  /** Dials until nobody waits any more. */
  async #dial(): Promise<void> {
    this.#isDialling = true;
    try {
      while (this.#waiting.length > 0 && !this.#speaksHttp1) await this.#open();
    } catch (error) {
      for (const { handler } of this.#waiting.splice(0))
        handler.onResponseError(undefined, asGatewayError(error));
    } finally {
      this.#isDialling = false;
    }
    for (const { request, handler } of this.#waiting.splice(0)) this.#http1.dispatch(request, handler);
  }

  /** Another connection, with those that wait and have room in it. */
  async #open(): Promise<void> {
    const socket = await this.#connect();
    if (!(await this.adopt(socket, AbortSignal.timeout(BEGIN_MS)))) this.#spare = socket;
    const connection = this.#vacant();
    if (!this.#speaksHttp1 && !connection) throw noStream();
    for (const { request, handler } of this.#waiting.splice(0)) {
      if (connection?.hasRoom) connection.send(request, handler);
      else this.#waiting.push({ request, handler });
    }
  }

  async #connectHttp1(): Promise<Socket> {
    const spare = this.#spare;
    this.#spare = undefined;
    if (spare && !spare.destroyed) return spare;
    const socket = await this.#connect();
    if (!isHttp2(socket, this.#options.mode)) return socket;
    // It has learnt HTTP/2 meanwhile. This request has not left, and the next one finds it so.
    this.#speaksHttp1 = false;
    socket.destroy();
    throw new GatewayError('UPSTREAM_REFUSED', { detail: 'it has begun to speak HTTP/2' });
  }
}

function noStream(): GatewayError {
  return new GatewayError('UPSTREAM_REFUSED', { detail: 'it takes no HTTP/2 stream' });
}
