import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { GatewayError } from '../errors.ts';
import type { AnswerFields } from '../upstream/answer-fields.ts';
import { createStallClock, createTailClock, type StopClock } from './clocks.ts';
import { Download } from './download.ts';
import { drainRest } from './drain.ts';
import { checkAnswer, namingUpgrade, withNoBody } from './head.ts';
import { relayInterim } from './interim.ts';
import type { Parcel } from './library.ts';
import { nominateTe, type TrailersOf } from './trailers.ts';
import { type Upload, type UploadTimes, upload } from './upload.ts';

/** What was sent to the client: the upstream's status, and the bytes of the body; and what was sent to the upstream. */
export interface Served {
  readonly status: number;
  readonly bytes: number;
  readonly requestBytes: number;
}

/** One request to carry. */
export interface Order {
  readonly message: IncomingMessage;
  readonly response: ServerResponse;
  /** Path and query for the upstream. */
  readonly path: string;
  readonly hasBody: boolean;
  /** The client's Expect: it waits with the body for a 100 (RFC 9110 §10.1.1). */
  readonly expect: string | undefined;
  /** The client takes trailers. */
  readonly trailers: boolean;
  /** Which of them go on. */
  readonly trailersOf: { readonly request: TrailersOf; readonly answer: TrailersOf };
  /** The client gets no body of the answer. */
  readonly isHeadOnly: boolean;
  readonly times: Times;
  /** What the client gets to see of the answer's fields. */
  readonly answerFields: AnswerFields;
  /** And of its reason phrase. */
  readonly reasonOf: (head: Pick<IncomingMessage, 'statusCode' | 'statusMessage'>) => string;
}

/** Deadlines in milliseconds. */
export interface Times extends UploadTimes {
  /** From the last byte of the request to the head of the answer. */
  readonly response: number;
}

const NOTHING = Buffer.alloc(0);

/** The upstream closed a kept-alive connection just as the request was sent on it: nothing says that it was read. */
export class StaleConnection extends GatewayError {
  constructor(cause: Error) {
    super('UPSTREAM_LOST', { cause, detail: 'the kept-alive connection was closed' });
  }
}

/**
 * Carries one request to the upstream, handed to http-proxy by `send`, and the answer back, both bodies streamed. Resolves
 * when the client has the whole answer. Rejects with a GatewayError: before the answer's head (UPSTREAM_REFUSED, _LOST,
 * _INVALID, _TIMEOUT, REQUEST_TIMEOUT) the response is untouched; after it (UPSTREAM_LOST, IDLE, PEER_STALLED) it is cut
 * off; CLIENT_LOST may come at any time.
 */
export function exchange(order: Order, send: (parcel: Parcel) => void): Promise<Served> {
  return new Promise((resolve, reject) => new Exchange(order, resolve, reject).start(send));
}

/** `sending → waiting → answering → settled`; what has no body waits at once, and an answer may come while it is sent. */
class Exchange {
  readonly #order: Order;
  readonly #resolve: (served: Served) => void;
  readonly #reject: (failure: GatewayError) => void;
  readonly #clocks: StopClock[] = [];
  #upstream: ClientRequest | undefined;
  #upload: Upload | undefined;
  /** The upstream has the whole request. */
  #sent = false;
  #responseTimer: NodeJS.Timeout | undefined;
  #answer: IncomingMessage | undefined;
  #download: Download | undefined;
  #settled = false;

  constructor(order: Order, resolve: (served: Served) => void, reject: (failure: GatewayError) => void) {
    this.#order = order;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  start(send: (parcel: Parcel) => void): void {
    const { message, response } = this.#order;
    if (response.destroyed) {
      this.#settle(new GatewayError('CLIENT_LOST'));
      return;
    }
    response.on('close', this.#onClientClose);
    send({ message, response, fill: this.#fill, onError: this.#onError });
  }

  /** http-proxy hands the upstream request over; nothing of it has been sent. */
  readonly #fill = (upstream: ClientRequest): void => {
    const { message, path, hasBody, expect, trailers, trailersOf, times } = this.#order;
    this.#upstream = upstream;
    // http-proxy has made one slash of `//`.
    upstream.path = path;
    // Among the other fields it would have made Node write the head at once, with that path.
    if (expect !== undefined) upstream.setHeader('expect', expect);
    if (trailers) nominateTe(upstream);
    upstream.once('finish', this.#onSent).once('response', this.#onAnswer).once('upgrade', this.#onUpgrade);
    relayInterim(upstream, this.#order, this.#onFlood);
    if (hasBody)
      this.#upload = upload(message, upstream, { times, trailersOf: trailersOf.request }, this.#settle);
    else upstream.end();
  };

  readonly #onSent = (): void => {
    this.#sent = true;
    if (this.#answer || this.#settled) return;
    const onLate = () => this.#settle(new GatewayError('UPSTREAM_TIMEOUT'));
    this.#responseTimer = setTimeout(onLate, this.#order.times.response);
  };

  readonly #onAnswer = (answer: IncomingMessage): void => {
    clearTimeout(this.#responseTimer);
    this.#upload?.untimed();
    answer.on('error', this.#onLost);
    if (!this.#writeHead(answer)) return;
    const { response, times, trailers, trailersOf } = this.#order;
    response.once('finish', this.#onFinish);
    if (this.#isCut(answer)) {
      response.end();
      const onStall = () => this.#settle(new GatewayError('PEER_STALLED'));
      this.#clocks.push(createTailClock(times.stall, response, onStall));
      return;
    }
    this.#download = new Download(
      answer,
      response,
      { times, trailersOf: trailers ? trailersOf.answer : undefined },
      this.#settle,
    );
    this.#download.start();
    if (this.#upload && !this.#sent) this.#watchRest(this.#upload);
  };

  /** Its body, if it has one, is not for the client. */
  #isCut({ statusCode, headers }: IncomingMessage): boolean {
    const hasBody = statusCode !== 204 && statusCode !== 304 && headers['content-length'] !== '0';
    return this.#order.isHeadOnly && hasBody;
  }

  /** The rest of the body goes on beside the answer: it must not stand still for ever, and keeps both alive. */
  #watchRest({ body }: Upload): void {
    const { message, times } = this.#order;
    const onStall = () => this.#settle(new GatewayError('PEER_STALLED', { detail: 'the upstream' }));
    if (this.#upstream) this.#clocks.push(createStallClock(times.stall, body, this.#upstream, onStall));
    message.on('data', () => this.#download?.keepAlive());
  }

  readonly #onFinish = (): void => this.#settle();

  /** Unasked for. Without a listener Node ends the socket and tells nobody. */
  readonly #onUpgrade = (_answer: IncomingMessage, socket: Duplex): void => {
    socket.destroy();
    this.#settle(new GatewayError('UPSTREAM_INVALID', { detail: 'it switched protocols unasked' }));
  };

  readonly #onFlood = (): void => {
    this.#settle(new GatewayError('UPSTREAM_INVALID', { detail: 'too many interim answers' }));
  };

  #writeHead(answer: IncomingMessage): boolean {
    const { message, response, expect, answerFields, reasonOf } = this.#order;
    const relayed = answerFields(answer.rawHeaders, answer.statusCode as number);
    const fields = this.#isCut(answer) ? withNoBody(relayed) : relayed;
    // It may never send the body that it has not been asked for, and whatever comes next would be taken for it.
    const isLast = expect !== undefined && !message.complete;
    if (answer.statusCode === 426)
      fields.push('Connection', namingUpgrade(response.shouldKeepAlive && !isLast));
    else if (isLast) fields.push('Connection', 'close');
    try {
      checkAnswer(answer);
      response.writeHead(answer.statusCode as number, reasonOf(answer), fields);
    } catch (cause) {
      this.#settle(new GatewayError('UPSTREAM_INVALID', { cause }));
      return false;
    }
    this.#answer = answer;
    // A stream of events may have its first one much later. flushHeaders() would write the head as UTF-8.
    if (answer.headers['content-length'] === undefined) response.write(NOTHING);
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

  readonly #settle = (failure?: GatewayError): void => {
    if (this.#settled) return;
    this.#settled = true;
    clearTimeout(this.#responseTimer);
    this.#download?.untimed();
    for (const stop of this.#clocks) stop();
    this.#letGo(failure !== undefined);
    if (failure === undefined) this.#resolve(this.#served());
    else this.#reject(failure);
  };

  #served(): Served {
    const { statusCode: status } = this.#order.response;
    return { status, bytes: this.#download?.bytes ?? 0, requestBytes: this.#upload?.bytes() ?? 0 };
  }

  #letGo(failed: boolean): void {
    const { message, response } = this.#order;
    const upstream = this.#upstream;
    response.off('close', this.#onClientClose);
    this.#upload?.abandon();
    // Nobody reads what is left of an answer that was cut off.
    if (failed || !this.#sent || (this.#answer && !this.#download)) upstream?.destroy();
    // Only a cut tells the client that the body is not whole; http-proxy leaves it waiting for ever.
    if (failed && response.headersSent) response.destroy();
    else if (!failed) drainRest(message);
  }
}

function isDelimited({ headers }: IncomingMessage): boolean {
  return headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;
}
