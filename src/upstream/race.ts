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
  const { promise, resolve, reject } = Promise.withResolvers<Win<C, R>>();
  const { signal, shareMs, delayMs = DELAY_MS } = options;
  const running = new Map<C, Share>();
  /** Those that have had the delay to themselves. */
  const late = new Set<C>();
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;

  /** Starts the next one. Returns false if there is none. */
  function start(): boolean {
    const candidate = signal.aborted ? undefined : course.next();
    if (candidate === undefined) return false;
    const share = new Share(shareMs, signal);
    running.set(candidate, share);
    clearTimeout(timer);
    timer = setTimeout(onDelay, delayMs);
    course.attempt(candidate, share.signal).then(
      (prize) => onSuccess({ candidate, prize, share }),
      (error) => onFailure(candidate, share, error),
    );
    return true;
  }

  function onDelay(): void {
    for (const candidate of running.keys()) late.add(candidate);
    start();
  }

  function onSuccess(win: Win<C, R>): void {
    running.delete(win.candidate);
    if (isOver) {
      win.prize.destroy();
      return;
    }
    finish();
    for (const [candidate, share] of running) {
      course.lost(candidate, late.has(candidate));
      share.cancel();
    }
    resolve(win);
  }

  function onFailure(candidate: C, share: Share, error: unknown): void {
    share.end();
    running.delete(candidate);
    if (isOver) return;
    course.failed(candidate, error);
    if (start() || running.size > 0) return;
    finish();
    reject(error);
  }

  function finish(): void {
    isOver = true;
    clearTimeout(timer);
  }

  if (!start()) reject(new GatewayError('UPSTREAM_TIMEOUT'));
  return promise;
}
