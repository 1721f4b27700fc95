import type { IncomingHttpHeaders } from 'node:http';
import type { ExchangeLimits, HttpAnswer } from './client.ts';
import { type Coding, codedSize, codingsOf, decodeWhole, withoutCoding } from './decoding.ts';
import type { ExchangeFailed } from './exchange-failed.ts';
import { Gathered } from './gathered.ts';
import { InFlight, joinedFields } from './in-flight.ts';
import type { RequestControl, ResponseHandler } from './wire.ts';

/** Read of a body that nobody wants, so that its connection can be used again; beyond it that is given up. */
const IGNORED_BYTES = 256 * 1024;

/** Follows one request until its answer is whole; settles its promise once. */
export class Exchange implements ResponseHandler {
  readonly #limits: ExchangeLimits;
  readonly #resolve: (answer: HttpAnswer) => void;
  readonly #flight: InFlight;
  readonly #body = new Gathered();
  #status = 0;
  #headers: IncomingHttpHeaders = {};
  #codings: readonly Coding[] = [];
  #size = 0;

  constructor(
    limits: ExchangeLimits,
    resolve: (answer: HttpAnswer) => void,
    reject: (failure: ExchangeFailed) => void,
  ) {
    this.#limits = limits;
    this.#resolve = resolve;
    this.#flight = new InFlight(limits.signal, (failure) => {
      if (this.#status > 0) failure.head = { status: this.#status, headers: this.#headers };
      reject(failure);
    });
    this.#flight.wait(limits.timeoutMs);
  }

  onRequestStart(control: RequestControl): void {
    this.#flight.start(control);
  }

  onResponseStart(_: RequestControl, status: number, headers: IncomingHttpHeaders): void {
    if (status < 200) {
      this.#flight.interim();
      return;
    }
    this.#status = status;
    this.#headers = joinedFields(headers);
  }

  onResponseData(_: RequestControl, chunk: Buffer): void {
    const { bodySize } = this.#limits;
    this.#size += chunk.length;
    if (bodySize === 'ignored') {
      if (this.#size > IGNORED_BYTES) this.#succeedAtOnce();
      return;
    }
    if (this.#body.size === 0 && !this.#readCodings()) return;
    if (this.#size > (this.#codings.length > 0 ? codedSize(bodySize) : bodySize)) {
      this.#flight.fail('too big');
      return;
    }
    this.#body.add(chunk);
  }

  onResponseEnd(): void {
    if (this.#flight.isSettled) return;
    if (this.#codings.length > 0) void this.#decode();
    else this.#succeed(this.#headers, this.#body.whole);
  }

  onResponseError(_: unknown, error: Error): void {
    this.#flight.lose(error);
  }

  /** An answer without a body may say what it likes of its coding. False if nobody knows it. */
  #readCodings(): boolean {
    try {
      this.#codings = codingsOf(this.#headers);
      return true;
    } catch (error) {
      this.#flight.fail('undecodable', error);
      return false;
    }
  }

  async #decode(): Promise<void> {
    try {
      const body = await decodeWhole(this.#body.whole, this.#codings, Number(this.#limits.bodySize));
      if (!this.#flight.isSettled) this.#succeed(withoutCoding(this.#headers), body);
    } catch (thrown) {
      const { kind, cause } = thrown as ExchangeFailed;
      this.#flight.fail(kind, cause);
    }
  }

  #succeed(headers: IncomingHttpHeaders, body: Buffer): void {
    this.#flight.settle();
    const answer = { status: this.#status, headers, body };
    // A request that follows at once would open another connection: undici lends this one again in the next turn.
    queueMicrotask(() => setImmediate(this.#resolve, answer));
  }

  /** What counts of the answer is there: the rest is not read. */
  #succeedAtOnce(): void {
    this.onResponseEnd();
    this.#flight.giveUp(new Error('the body of the answer is not wanted'));
  }
}
