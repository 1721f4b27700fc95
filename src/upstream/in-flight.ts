import type { IncomingHttpHeaders } from 'node:http';
import { ExchangeFailed, type FailureKind } from './exchange-failed.ts';
import { NotProcessed, type RequestControl } from './wire.ts';

/** Answers that say only that another will come; a service has reason for a few. */
const MOST_INTERIM = 100;

/**
 * One request under way: knows whether it has left, and is cut short by its signal or by a deadline. Calls `onFailure`
 * at most once, and never after `settle`.
 */
export class InFlight {
  readonly #signal: AbortSignal;
  readonly #onFailure: (failure: ExchangeFailed) => void;
  #control: RequestControl | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isSettled = false;
  #interim = 0;
  /** Why it is not to be sent any more. */
  #reason: Error | undefined;

  /** With a signal that has aborted, `onFailure` is called at once. */
  constructor(signal: AbortSignal, onFailure: (failure: ExchangeFailed) => void) {
    this.#signal = signal;
    this.#onFailure = onFailure;
    signal.addEventListener('abort', this.#onAbort);
    if (signal.aborted) this.#onAbort();
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** The request leaves now, if it is still wanted. */
  start(control: RequestControl): void {
    if (this.#reason) control.abort(this.#reason);
    else this.#control = control;
  }

  /** An answer before the one that counts (RFC 9110 §15.2) has come: of these there may not be very many. */
  interim(): void {
    if (++this.#interim > MOST_INTERIM) this.fail('broken', new Error('it is answered by 1xx without end'));
  }

  pause(): void {
    this.#control?.pause();
  }

  resume(): void {
    this.#control?.resume();
  }

  /** From now on the service has so many milliseconds, in place of those it had before. */
  wait(ms: number): void {
    clearTimeout(this.#timer);
    if (!this.#isSettled) this.#timer = setTimeout(this.#onTimeout, ms);
  }

  /** Nothing is waited for. */
  rest(): void {
    clearTimeout(this.#timer);
  }

  /** The connection was lost, or there has been none. */
  lose(error: Error & { code?: string }): void {
    if (error instanceof NotProcessed) this.#control = undefined;
    if (this.#control) this.fail('broken', error);
    else this.fail(error.code === 'UPSTREAM_TIMEOUT' ? 'timeout' : 'unreachable', error);
  }

  fail(kind: FailureKind, cause?: unknown): void {
    if (this.#isSettled) return;
    const failure = new ExchangeFailed(kind, this.#control === undefined, cause);
    this.giveUp(failure);
    this.#onFailure(failure);
  }

  /** The rest of the answer is not wanted: its connection may end. */
  giveUp(reason: Error): void {
    this.settle();
    this.#reason = reason;
    this.#control?.abort(reason);
  }

  /** It is over: nothing of it stays. */
  settle(): void {
    this.#isSettled = true;
    clearTimeout(this.#timer);
    this.#signal.removeEventListener('abort', this.#onAbort);
  }

  readonly #onTimeout = (): void => this.fail('timeout');
  readonly #onAbort = (): void => this.fail('aborted', this.#signal.reason);
}

/** undici gives a list for any field that came more than once, and none for a lone Set-Cookie. */
export function joinedFields(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const joined: IncomingHttpHeaders = { ...headers };
  for (const [name, value] of Object.entries(headers)) {
    if (name === 'set-cookie') joined[name] = [value ?? []].flat();
    else if (Array.isArray(value)) joined[name] = value.join(', ');
  }
  return joined;
}
