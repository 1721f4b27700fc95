import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ErrorCode, GatewayError } from '../errors.ts';
import type { TrailersOf } from './trailers.ts';

/** How long the body of an answer may pause, in milliseconds. */
export interface DownloadTimes {
  /** The upstream brings nothing. */
  readonly idle: number;
  /** The client takes nothing. */
  readonly stall: number;
}

/**
 * The body of an answer on its way to the client, its trailers behind it if the client takes any (RFC 9110 §6.5). By hand:
 * `pipe` costs a multiple of what it does here, a listener for each case.
 */
export class Download {
  readonly #answer: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #times: DownloadTimes;
  readonly #trailersOf: TrailersOf | undefined;
  readonly #onLate: (error: GatewayError) => void;
  #idle: NodeJS.Timeout | undefined;
  #stall: NodeJS.Timeout | undefined;
  #bytes = 0;

  /** `onLate` is told who is late, at most once: PEER_STALLED the client, IDLE the upstream. */
  constructor(
    answer: IncomingMessage,
    response: ServerResponse,
    options: { readonly times: DownloadTimes; readonly trailersOf: TrailersOf | undefined },
    onLate: (error: GatewayError) => void,
  ) {
    this.#answer = answer;
    this.#response = response;
    this.#times = options.times;
    this.#trailersOf = options.trailersOf;
    this.#onLate = onLate;
  }

  /** Of the body, so far. */
  get bytes(): number {
    return this.#bytes;
  }

  start(): void {
    const { idle } = this.#times;
    if (idle < Infinity) this.#idle = setTimeout(this.#late, idle, 'IDLE');
    this.#answer.on('data', this.#onData).once('end', this.#onEnd);
  }

  /** Something came the other way: the connection is not idle. */
  keepAlive(): void {
    this.#idle?.refresh();
  }

  /** Ends its deadlines. Again is a no-op. */
  untimed(): void {
    clearTimeout(this.#idle);
    clearTimeout(this.#stall);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#bytes += chunk.length;
    this.#idle?.refresh();
    if (this.#response.write(chunk)) return;
    this.#answer.pause();
    this.#stall = setTimeout(this.#late, this.#times.stall, 'PEER_STALLED');
    this.#response.once('drain', this.#onDrain);
  };

  readonly #onDrain = (): void => {
    clearTimeout(this.#stall);
    this.#answer.resume();
  };

  readonly #onEnd = (): void => {
    clearTimeout(this.#idle);
    if (this.#trailersOf) this.#response.addTrailers(this.#trailersOf(this.#answer));
    this.#response.end();
    // What the socket has not taken yet may stay unread, too.
    if (this.#response.writableLength > 0)
      this.#stall = setTimeout(this.#late, this.#times.stall, 'PEER_STALLED');
  };

  readonly #late = (code: ErrorCode): void => this.#onLate(new GatewayError(code));
}
