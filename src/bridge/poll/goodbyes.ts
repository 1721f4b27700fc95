import { ExchangeFailed, type HttpRequest } from '../../upstream/client.ts';
import { Backoff, type Clock } from './backoff.ts';
import type { SessionClient } from './session-client.ts';

/** What became of a goodbye: the service has answered it, it has not, or too many or too old ones waited. */
export type GoodbyeOutcome = 'told' | 'failed' | 'dropped';

/** Counts goodbyes, by route. */
export interface GoodbyeObserver {
  said(route: string, outcome: GoodbyeOutcome): void;
}

/** A request that tells a service of the end of a session. */
export interface Goodbye {
  readonly http: SessionClient;
  readonly request: HttpRequest;
  /** It is said, or never will be. */
  readonly onDone: () => void;
}

export interface GoodbyesOptions {
  /** Milliseconds one request may take. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly onOutcome: (outcome: GoodbyeOutcome) => void;
}

/** Clients often vanish all at once; the service hears of it from so many requests at a time. */
const MOST_AT_A_TIME = 16;
const MOST_WAITING = 10_000;
const MOST_TRIES = 4;
/** A service forgets silent sessions by itself after a while: older news helps nobody. */
const LONGEST_WAIT_MS = 60_000;

interface Waiting extends Goodbye {
  readonly since: number;
}

/**
 * The goodbyes of one route: in the order they come, a few at a time, each tried again while the service cannot be
 * reached, or fails. No session waits for its own.
 */
export class Goodbyes {
  readonly #options: GoodbyesOptions;
  readonly #waiting: Waiting[] = [];
  readonly #ended = new AbortController();
  #active = 0;
  #onEmpty: (() => void) | undefined;

  constructor(options: GoodbyesOptions) {
    this.#options = options;
  }

  /** Says it as soon as it is its turn. */
  say(goodbye: Goodbye): void {
    if (this.#ended.signal.aborted || this.#waiting.length >= MOST_WAITING) {
      this.#finish(goodbye, 'dropped');
      return;
    }
    this.#waiting.push({ ...goodbye, since: this.#options.clock.now() });
    this.#pump();
  }

  /** Resolves when all are said, or after `ms`: the rest is given up. Again is a no-op. */
  async close(ms: number): Promise<void> {
    if (this.#active > 0) await this.#emptyWithin(ms);
    this.#ended.abort();
    for (const goodbye of this.#waiting.splice(0)) this.#finish(goodbye, 'dropped');
  }

  async #emptyWithin(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onEmpty = resolve;
    const timer = setTimeout(resolve, ms);
    await promise;
    clearTimeout(timer);
  }

  #pump(): void {
    while (this.#active < MOST_AT_A_TIME) {
      const goodbye = this.#waiting.shift();
      if (goodbye === undefined) break;
      this.#active++;
      void this.#run(goodbye);
    }
    if (this.#active === 0) this.#onEmpty?.();
  }

  async #run(goodbye: Waiting): Promise<void> {
    const isStale = this.#options.clock.now() - goodbye.since > LONGEST_WAIT_MS;
    const outcome = isStale ? 'dropped' : await this.#attempt(goodbye);
    this.#finish(goodbye, outcome);
    this.#active--;
    this.#pump();
  }

  /** Tries until the service has certainly had it, or may have. Never rejects. */
  async #attempt({ http, request, since }: Waiting): Promise<GoodbyeOutcome> {
    const { timeoutMs, clock } = this.#options;
    const { signal } = this.#ended;
    const backoff = new Backoff({ outageMs: since + LONGEST_WAIT_MS - clock.now(), clock });
    for (let tries = 1; ; tries++) {
      const outcome = await outcomeOf(() =>
        http.exchange(request, { signal, timeoutMs, bodySize: 'ignored' }),
      );
      if (outcome !== 'again') return outcome;
      if (tries === MOST_TRIES || signal.aborted) return 'failed';
      try {
        await backoff.lose({ cause: undefined }, signal);
      } catch {
        return 'failed';
      }
    }
  }

  #finish({ onDone }: Goodbye, outcome: GoodbyeOutcome): void {
    this.#options.onOutcome(outcome);
    onDone();
  }
}

/** One that may have arrived is not repeated: it may hold the last messages of the client. */
async function outcomeOf(attempt: () => Promise<{ status: number }>): Promise<GoodbyeOutcome | 'again'> {
  try {
    const { status } = await attempt();
    return status >= 500 ? 'again' : 'told';
  } catch (thrown) {
    return thrown instanceof ExchangeFailed && thrown.unsent ? 'again' : 'failed';
  }
}
