import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { TimeoutsConfig } from '../config/schema.ts';
import { GatewayError } from '../errors.ts';
import { createIdleClock, createStallClock, type StopClock } from './clocks.ts';
import type { Parcel } from './library.ts';

/** What was sent to the client: the upstream's status, and the bytes of the body. */
export interface Served {
  readonly status: number;
  readonly bytes: number;
}

/** One request to carry. */
export interface Order {
  readonly message: IncomingMessage;
  readonly response: ServerResponse;
  /** Path and query for the upstream. */
  readonly path: string;
  readonly hasBody: boolean;
  readonly timeouts: TimeoutsConfig;
  /** What the client gets to see of the answer's fields; both alternate names and values. */
  readonly answerFields: (raw: readonly string[]) => string[];
  /** Hands the request to http-proxy. */
  readonly send: (parcel: Pick<Parcel, 'message' | 'response' | 'fill' | 'onError'>) => void;
}

/** Without a byte either way. */
const DEFAULT_IDLE_MS = 60_000;

/** The upstream closed a kept-alive connection just as the request was sent on it: nothing says that it was read. */
export class StaleConnection extends GatewayError {
  constructor(cause: Error) {
    super('UPSTREAM_LOST', { cause, detail: 'the kept-alive connection was closed' });
  }
}

/**
 * Carries one request to the upstream and the answer back, both bodies streamed. Resolves when the client has the
 * whole answer. Rejects with a GatewayError: before the answer's head (UPSTREAM_REFUSED, _LOST, _INVALID, _TIMEOUT,
 * REQUEST_TIMEOUT) the response is untouched; after it (UPSTREAM_LOST, IDLE, PEER_STALLED) it is cut off; CLIENT_LOST
 * may come at any time.
 */
export function exchange(order: Order): Promise<Served> {
  return new Promise((resolve, reject) => new Exchange(order, resolve, reject).start());
}

class Exchange {
  readonly #order: Order;
  readonly #resolve: (served: Served) => void;
  readonly #reject: (failure: GatewayError) => void;
  readonly #clocks: StopClock[] = [];
  #upstream: ClientRequest | undefined;
  /** The upstream has the whole request. */
  #sent = false;
  #answer: IncomingMessage | undefined;
  #bytes = 0;
  #settled = false;

  constructor(order: Order, resolve: (served: Served) => void, reject: (failure: GatewayError) => void) {
    this.#order = order;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  start(): void {
    const { message, response, send } = this.#order;
    if (response.destroyed) {
      this.#settle(new GatewayError('CLIENT_LOST'));
      return;
    }
    response.on('close', this.#onClientClose);
    send({ message, response, fill: this.#fill, onError: this.#onError });
  }

  /** http-proxy hands the upstream request over; nothing of it has been sent. */
  readonly #fill = (upstream: ClientRequest): void => {
    const { message, path, hasBody, timeouts } = this.#order;
    this.#upstream = upstream;
    // http-proxy has made one slash of `//`.
    upstream.path = path;
    const stop = createIdleClock(timeouts.handshake, [message], this.#onLate);
    this.#clocks.push(stop);
    upstream.once('finish', () => {
      this.#sent = true;
    });
    upstream.once('response', (answer) => {
      stop();
      this.#relay(upstream, answer);
    });
    upstream.once('upgrade', this.#onUpgrade);
    if (!hasBody) {
      upstream.end();
      return;
    }
    // The upstream may refuse a body before the client has sent any of it.
    upstream.flushHeaders();
    message.pipe(upstream);
  };

  #relay(upstream: ClientRequest, answer: IncomingMessage): void {
    const { message, response, timeouts } = this.#order;
    answer.on('error', this.#onLost);
    if (!this.#writeHead(answer)) return;
    response.once('finish', () => this.#settle());
    answer.pipe(response);
    answer.on('data', (chunk: Buffer) => {
      this.#bytes += chunk.length;
    });
    this.#clocks.push(createStallClock(timeouts.stall, answer, response, this.#onStall));
    this.#clocks.push(createStallClock(timeouts.stall, message, upstream, this.#onStall));
    const { idle = DEFAULT_IDLE_MS } = timeouts;
    if (idle < Infinity) this.#clocks.push(createIdleClock(idle, [message, answer], this.#onIdle));
  }

  /** Unasked for. Without a listener Node ends the socket and tells nobody. */
  readonly #onUpgrade = (_answer: IncomingMessage, socket: Duplex): void => {
    socket.destroy();
    this.#settle(new GatewayError('UPSTREAM_INVALID', { detail: 'it switched protocols unasked' }));
  };

  #writeHead(answer: IncomingMessage): boolean {
    const { response, answerFields } = this.#order;
    try {
      response.writeHead(answer.statusCode as number, answerFields(answer.rawHeaders));
    } catch (cause) {
      this.#settle(new GatewayError('UPSTREAM_INVALID', { cause }));
      return false;
    }
    this.#answer = answer;
    // A stream of events may have its first one much later.
    if (answer.headers['content-length'] === undefined) response.flushHeaders();
    return true;
  }

  /** http-proxy waits for the request's `aborted`, which a request that has come whole never emits. */
  readonly #onClientClose = (): void => {
    this.#settle(new GatewayError('CLIENT_LOST'));
  };

  /** Either side failed, says http-proxy. */
  readonly #onError = (error: Error): void => {
    if (this.#answer === undefined) this.#settle(this.#failureOf(error));
    // Node takes the end of a body that only the connection delimits for its proper end, even if that was a reset.
    else if (!isDelimited(this.#answer)) this.#onLost(error);
    // Else the answer itself tells whether it is whole; an upstream may answer early and read no more of the request.
  };

  #failureOf(cause: Error): GatewayError {
    const { code = '' } = cause as NodeJS.ErrnoException;
    if (code.startsWith('HPE_')) return new GatewayError('UPSTREAM_INVALID', { cause });
    if (code !== 'ECONNRESET' && code !== 'EPIPE') return new GatewayError('UPSTREAM_REFUSED', { cause });
    return this.#upstream?.reusedSocket
      ? new StaleConnection(cause)
      : new GatewayError('UPSTREAM_LOST', { cause });
  }

  readonly #onLost = (cause?: Error): void => {
    this.#settle(new GatewayError('UPSTREAM_LOST', { cause }));
  };

  readonly #onLate = (): void => {
    // A body still on its way while the upstream is ready for it: the client is the late one.
    const client = !this.#order.message.complete && !this.#upstream?.writableNeedDrain;
    this.#settle(new GatewayError(client ? 'REQUEST_TIMEOUT' : 'UPSTREAM_TIMEOUT'));
  };

  readonly #onStall = (): void => {
    this.#settle(new GatewayError('PEER_STALLED'));
  };

  readonly #onIdle = (): void => {
    this.#settle(new GatewayError('IDLE'));
  };

  #settle(failure?: GatewayError): void {
    if (this.#settled) return;
    this.#settled = true;
    for (const stop of this.#clocks) stop();
    this.#letGo(failure !== undefined);
    if (failure === undefined) this.#resolve({ status: this.#order.response.statusCode, bytes: this.#bytes });
    else this.#reject(failure);
  }

  #letGo(failed: boolean): void {
    const { message, response } = this.#order;
    const upstream = this.#upstream;
    response.off('close', this.#onClientClose);
    // Whatever is left of the body is for nobody now; unread, it would block the connection's next request.
    if (upstream) message.unpipe(upstream).resume();
    if (failed || !this.#sent) upstream?.destroy();
    // Only a cut tells the client that the body is not whole; http-proxy leaves it waiting for ever.
    if (failed && response.headersSent) response.destroy();
  }
}

function isDelimited({ headers }: IncomingMessage): boolean {
  return headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
}
