import { GatewayError } from '../errors.ts';

/** One attempt's time: its signal aborts when its share of the deadline is over, and with the whole dial. */
export class Share {
  readonly #controller = new AbortController();
  readonly #whole: AbortSignal;
  readonly #timer: NodeJS.Timeout;

  constructor(ms: number, whole: AbortSignal) {
    this.#whole = whole;
    this.#timer = setTimeout(this.#abort, ms);
    whole.addEventListener('abort', this.#abort, { once: true });
    if (whole.aborted) this.#abort();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Takes the time away: what still runs under it is given up. */
  cancel(): void {
    this.end();
    this.#controller.abort();
  }

  /** The attempt is over; nothing of it stays. */
  end(): void {
    clearTimeout(this.#timer);
    this.#whole.removeEventListener('abort', this.#abort);
  }

  readonly #abort = (): void => this.#controller.abort();
}

/** What is raced for: a socket, as a rule. */
interface Prize {
  destroy(): unknown;
}

/** Who takes part, and who hears what became of it. */
export interface Course<C, R extends Prize> {
  /** The next to be tried; undefined if there is none. */
  next(): C | undefined;
  attempt(candidate: C, signal: AbortSignal): Promise<R>;
  /** It has failed by itself, or its share of time is over. */
  failed(candidate: C, error: unknown): void;
  /** Another one has won. `outpaced`: though this one had a head start. */
  lost(candidate: C, outpaced: boolean): void;
}

export interface RaceOptions {
  readonly signal: AbortSignal;
  /** Milliseconds for each attempt. */
  readonly shareMs: number;
  /** Milliseconds after which the next one starts beside those that run. */
  readonly delayMs?: number;
}

/** The one that was first. Whoever gets it ends its `share`. */
export interface Win<C, R> {
  readonly candidate: C;
  readonly prize: R;
  readonly share: Share;
}

/** The Connection Attempt Delay of RFC 8305 §5. */
const DELAY_MS = 250;

/**
 * RFC 8305 §5: attempts start one after the other, each 250 ms after the last or as soon as one fails, and those
 * before go on; the first that succeeds ends the others. Node's own racing gives an attempt up when the next one
 * starts, and so loses to a slow address beside a dead one. Rejects with the last failure when all have failed, or
 * with UPSTREAM_TIMEOUT if `signal` has aborted.
 */
export function race<C, R extends Prize>(course: Course<C, R>, options: RaceOptions): Promise<Win<C, R>> {
  return new Race(course, options).run();
}

class Race<C, R extends Prize> {
  readonly #course: Course<C, R>;
  readonly #signal: AbortSignal;
  readonly #shareMs: number;
  readonly #delayMs: number;
  readonly #won = Promise.withResolvers<Win<C, R>>();
  readonly #running = new Map<C, Share>();
  /** Those that have had the delay to themselves. */
  readonly #late = new Set<C>();
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(course: Course<C, R>, { signal, shareMs, delayMs = DELAY_MS }: RaceOptions) {
    this.#course = course;
    this.#signal = signal;
    this.#shareMs = shareMs;
    this.#delayMs = delayMs;
  }

  run(): Promise<Win<C, R>> {
    if (!this.#start()) this.#won.reject(new GatewayError('UPSTREAM_TIMEOUT'));
    return this.#won.promise;
  }

  /** Starts the next one. Returns false if there is none. */
  #start(): boolean {
    const candidate = this.#signal.aborted ? undefined : this.#course.next();
    if (candidate === undefined) return false;
    const share = new Share(this.#shareMs, this.#signal);
    this.#running.set(candidate, share);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#onDelay, this.#delayMs);
    this.#course.attempt(candidate, share.signal).then(
      (prize) => this.#onSuccess({ candidate, prize, share }),
      (error) => this.#onFailure(candidate, share, error),
    );
    return true;
  }

  readonly #onDelay = (): void => {
    for (const candidate of this.#running.keys()) this.#late.add(candidate);
    this.#start();
  };

  #onSuccess(win: Win<C, R>): void {
    this.#running.delete(win.candidate);
    if (this.#isOver) {
      win.prize.destroy();
      return;
    }
    this.#finish();
    for (const [candidate, share] of this.#running) {
      this.#course.lost(candidate, this.#late.has(candidate));
      share.cancel();
    }
    this.#won.resolve(win);
  }

  #onFailure(candidate: C, share: Share, error: unknown): void {
    share.end();
    this.#running.delete(candidate);
    if (this.#isOver) return;
    this.#course.failed(candidate, error);
    if (this.#start() || this.#running.size > 0) return;
    this.#finish();
    this.#won.reject(error);
  }

  #finish(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }
}
