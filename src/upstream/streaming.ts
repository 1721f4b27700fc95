import type { IncomingHttpHeaders } from 'node:http';
import { codingsOf, decodePieces, withoutCoding } from './decoding.ts';
import type { ExchangeFailed } from './exchange-failed.ts';
import { InFlight, joinedFields } from './in-flight.ts';
import type { StreamedAnswer, StreamLimits } from './streamed-answer.ts';
import type { RequestControl, ResponseHandler } from './wire.ts';

const DONE = { done: true, value: undefined } as const;

/**
 * Follows one request whose answer is read while it comes. Its connection is paused whenever nobody waits for a piece,
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
  /** Those that had come when the connection was paused. */
  readonly #pieces: Buffer[] = [];
  /** Who waits for a piece. */
  #taker: PromiseWithResolvers<IteratorResult<Buffer>> | undefined;
  #failure: ExchangeFailed | undefined;

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
    this.#flight.pause();
    if (this.#taker) this.#give({ done: false, value: piece });
    else this.#pieces.push(piece);
  }

  onResponseEnd(): void {
    this.#flight.settle();
    // A request that follows at once would open another connection: undici lends this one again in the next turn.
    queueMicrotask(() => setImmediate(() => this.#give(DONE)));
  }

  onResponseError(_: unknown, error: Error): void {
    this.#flight.lose(error);
  }

  next(): Promise<IteratorResult<Buffer>> {
    const value = this.#pieces.shift();
    if (value !== undefined) return Promise.resolve({ done: false, value });
    if (this.#failure) return Promise.reject(this.#failure);
    if (this.#flight.isSettled) return Promise.resolve(DONE);
    const taker = Promise.withResolvers<IteratorResult<Buffer>>();
    this.#taker = taker;
    this.#flight.wait(this.#silenceMs);
    // A piece that is there already comes before this returns.
    this.#flight.resume();
    return taker.promise;
  }

  /** The rest is not wanted. */
  return(): Promise<IteratorResult<Buffer>> {
    this.#pieces.length = 0;
    if (!this.#flight.isSettled) this.#flight.giveUp(new Error('the rest of the answer is not wanted'));
    this.#give(DONE);
    return Promise.resolve(DONE);
  }

  #decoded(headers: IncomingHttpHeaders): Pick<StreamedAnswer, 'headers' | 'body'> {
    const body = { [Symbol.asyncIterator]: () => this };
    const codings = codingsOf(headers);
    if (codings.length === 0) return { headers, body };
    return { headers: withoutCoding(headers), body: decodePieces(body, codings) };
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
