import type { IncomingHttpHeaders } from 'node:http';
import { codingsOf, decodePieces, withoutCoding } from './decoding.ts';
import type { ExchangeFailed } from './exchange-failed.ts';
import { InFlight, joinedFields } from './in-flight.ts';
import type { StreamedAnswer, StreamLimits } from './streamed-answer.ts';
import type { RequestControl, ResponseHandler } from './wire.ts';

const DONE = { done: true, value: undefined } as const;

/** Bytes of small pieces that come while nobody waits for one: to pause behind each costs more than to hold them. */
const MOST_AHEAD = 16 * 1024;

/**
 * Follows one request whose answer is read while it comes. Its connection is paused when nobody waits for a piece,
 * and only while somebody does is silence counted.
 *
 *     head awaited → paused ⇄ piece awaited → ended | failed
 */
export class Streaming implements ResponseHandler, AsyncIterator<Buffer> {
  readonly #silenceMs: number;
  readonly #resolve: (answer: StreamedAnswer) => void;
  readonly #reject: (failure: ExchangeFailed) => void;
  readonly #flight: InFlight;
  #hasHead = false;
  /** Those that have come and nobody has taken. */
  #pieces: Buffer[] = [];
  /** Bytes since the connection was to go on. */
  #ahead = 0;
  /** Who waits for a piece. */
  #taker: PromiseWithResolvers<IteratorResult<Buffer>> | undefined;
  #failure: ExchangeFailed | undefined;
  /** There is no more, and the connection can be used again. */
  #isOver = false;

  constructor(
    limits: StreamLimits,
    resolve: (answer: StreamedAnswer) => void,
    reject: (failure: ExchangeFailed) => void,
  ) {
    this.#silenceMs = limits.silenceMs;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#flight = new InFlight(limits.signal, (failure) => this.#onFailure(failure));
    this.#flight.wait(limits.silenceMs);
  }

  onRequestStart(control: RequestControl): void {
    this.#flight.start(control);
  }

  onResponseStart(_: RequestControl, status: number, fields: IncomingHttpHeaders): void {
    if (status < 200) {
      this.#flight.interim();
      return;
    }
    this.#hasHead = true;
    this.#flight.rest();
    this.#flight.pause();
    const headers = joinedFields(fields);
    try {
      this.#resolve({ status, ...this.#decoded(headers) });
    } catch (error) {
      this.#hasHead = false;
      this.#flight.fail('undecodable', error);
    }
  }

  onResponseData(_: RequestControl, piece: Buffer): void {
    // undici begins with nothing after a pause: to pause again would be to stay there.
    if (piece.length === 0) return;
    this.#flight.rest();
    this.#ahead += piece.length;
    if (this.#ahead >= MOST_AHEAD) this.#flight.pause();
    if (this.#taker) this.#give({ done: false, value: piece });
    else this.#pieces.push(piece);
  }

  onResponseEnd(): void {
    this.#flight.settle();
    // A request that follows at once would open another connection: undici lends this one again in the next turn.
    queueMicrotask(() => setImmediate(() => this.#finish()));
  }

  onResponseError(_: unknown, error: Error): void {
    this.#flight.lose(error);
  }

  next(): Promise<IteratorResult<Buffer>> {
    if (this.#pieces.length > 0) return Promise.resolve({ done: false, value: this.#takeAll() });
    if (this.#failure) return Promise.reject(this.#failure);
    if (this.#isOver) return Promise.resolve(DONE);
    const taker = Promise.withResolvers<IteratorResult<Buffer>>();
    this.#taker = taker;
    // Its end is on its way.
    if (this.#flight.isSettled) return taker.promise;
    this.#flight.wait(this.#silenceMs);
    this.#ahead = 0;
    // A piece that is there already comes before this returns.
    this.#flight.resume();
    return taker.promise;
  }

  /** The rest is not wanted. */
  return(): Promise<IteratorResult<Buffer>> {
    this.#pieces = [];
    if (!this.#flight.isSettled) this.#flight.giveUp(new Error('the rest of the answer is not wanted'));
    this.#finish();
    return Promise.resolve(DONE);
  }

  #takeAll(): Buffer {
    const [first, ...others] = this.#pieces;
    const all = first !== undefined && others.length === 0 ? first : Buffer.concat(this.#pieces);
    this.#pieces = [];
    return all;
  }

  #decoded(headers: IncomingHttpHeaders): Pick<StreamedAnswer, 'headers' | 'body'> {
    const body = { [Symbol.asyncIterator]: () => this };
    const codings = codingsOf(headers);
    if (codings.length === 0) return { headers, body };
    return { headers: withoutCoding(headers), body: decodePieces(body, codings) };
  }

  #finish(): void {
    this.#isOver = true;
    this.#give(DONE);
  }

  #give(result: IteratorResult<Buffer>): void {
    this.#taker?.resolve(result);
    this.#taker = undefined;
  }

  #onFailure(failure: ExchangeFailed): void {
    if (!this.#hasHead) {
      this.#reject(failure);
      return;
    }
    this.#failure = failure;
    this.#taker?.reject(failure);
    this.#taker = undefined;
  }
}
