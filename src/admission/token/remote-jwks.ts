import type { CryptoKey } from 'jose';
import type { Logger } from 'pino';
import { causeText } from '../../causes.ts';
import { GatewayError } from '../../errors.ts';
import { download } from './download.ts';
import { FetchPace } from './fetch-pace.ts';
import { type FindKeys, type KeySource, readKeySet } from './jwks.ts';
import type { TokenHeader } from './jwt.ts';
import { keyChanges, keyIdsIn, listed, shownKeyId } from './key-ids.ts';
import type { KeySetPlace } from './key-set-place.ts';

/** A key set behind a URL: fetched seldom, kept when its provider is down, never fetched at a stranger's pace. */

const TIMES = {
  /** From one fetch, however it ended, until a token may cause another. */
  earliestMs: 5_000,
  /** Tokens cause no third fetch within this time; and what failed while there are keys is tried again after it. */
  coolDownMs: 30_000,
  /** Between fetches in the background: half of the ten minutes a set is taken to be fresh. */
  refreshMs: 300_000,
  /** While there are no keys, from the first attempt to the second; then twice as long each time. */
  retryMs: 1_000,
  mostRetryMs: 30_000,
  /** For one fetch, from connecting to the last byte, discovery included. */
  deadlineMs: 3_000,
  /** The last good set serves this long without a newer one. */
  staleMs: 24 * 3_600_000,
};

export interface RemoteDeps {
  readonly fetch?: typeof fetch;
  /** Milliseconds of a clock that never jumps. */
  readonly monotonic?: () => number;
  readonly logger?: Pick<Logger, 'info' | 'warn'>;
  readonly times?: Partial<typeof TIMES>;
}

/** Opens the key set at a place, and begins to fetch it; `find` rejects with KEYS_UNAVAILABLE until it has come. */
export function openRemoteKeys(
  place: KeySetPlace,
  algorithms: readonly string[],
  deps: RemoteDeps,
): KeySource {
  const keys = new RemoteKeys(place, algorithms, deps);
  void keys.fetch();
  return keys;
}

/** A key set as it was fetched. */
interface Fetched {
  readonly text: string;
  readonly find: FindKeys;
  readonly ids: readonly string[];
  /** Of the monotonic clock. */
  readonly at: number;
}

class RemoteKeys implements KeySource {
  readonly #place: KeySetPlace;
  readonly #algorithms: readonly string[];
  readonly #fetch: typeof fetch;
  readonly #monotonic: () => number;
  readonly #logger: RemoteDeps['logger'];
  readonly #times: typeof TIMES;
  readonly #pace: FetchPace;

  /** The last good one. */
  #fetched: Fetched | undefined;
  #failures = 0;
  /** Attempts in a row that failed while there were no keys. */
  #inVain = 0;
  #inFlight: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** When the next fetch in the background is due. */
  #nextAt = Number.NEGATIVE_INFINITY;
  readonly #closing = new AbortController();

  constructor(place: KeySetPlace, algorithms: readonly string[], deps: RemoteDeps) {
    this.#place = place;
    this.#algorithms = algorithms;
    this.#fetch = deps.fetch ?? globalThis.fetch;
    this.#monotonic = deps.monotonic ?? (() => performance.now());
    this.#logger = deps.logger;
    this.#times = { ...TIMES, ...deps.times };
    this.#pace = new FetchPace(this.#times);
  }

  get current(): FindKeys | undefined {
    const { ageMs } = this;
    return ageMs !== undefined && ageMs < this.#times.staleMs ? this.#fetched?.find : undefined;
  }

  get ready(): boolean {
    return this.current !== undefined;
  }

  get ageMs(): number | undefined {
    return this.#fetched && this.#monotonic() - this.#fetched.at;
  }

  get failures(): number {
    return this.#failures;
  }

  async find(header: TokenHeader): Promise<readonly CryptoKey[]> {
    // What is being fetched may be what it needs.
    if (!this.ready) await this.#inFlight;
    const keys = await this.current?.(header);
    if (keys === undefined) throw this.#unavailable();
    if (keys.length > 0) return keys;
    // An unknown kid may be a key of tomorrow; any stranger can invent one.
    if (this.#inFlight !== undefined || this.#pace.wait(this.#monotonic()) === 0) await this.fetch();
    return (await this.current?.(header)) ?? keys;
  }

  lack({ alg, kid }: TokenHeader): string {
    const now = this.#monotonic();
    const name = kid === undefined ? `a key for ${alg} without a kid` : `kid ${shownKeyId(kid)} for ${alg}`;
    const age = Math.floor((this.ageMs ?? 0) / 1000);
    const wait = Math.ceil(Math.min(this.#pace.wait(now), this.#untilNext()) / 1000);
    return `${name} is not among the keys fetched ${age} s ago; next fetch in ${wait} s`;
  }

  close(): void {
    this.#closing.abort();
    clearTimeout(this.#timer);
  }

  /** Joins the fetch in flight, or starts one. Never rejects. */
  readonly fetch = (): Promise<void> => {
    this.#inFlight ??= this.#load().finally(() => {
      this.#inFlight = undefined;
    });
    return this.#inFlight;
  };

  async #load(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    const startedAt = this.#monotonic();
    this.#pace.note(startedAt);
    try {
      await this.#take(await this.#download());
      this.#inVain = 0;
      this.#schedule(this.#times.refreshMs * later());
    } catch (thrown) {
      if (this.#closing.signal.aborted) return;
      this.#failures += 1;
      this.#schedule(this.#untilRetry(startedAt));
      this.#logger?.warn(
        { cause: causeText(thrown), ...this.#standing() },
        'the key set could not be fetched',
      );
    }
  }

  #standing() {
    return {
      keys: this.#place.host,
      kids: listed(this.#fetched?.ids ?? []),
      retryMs: this.#untilNext(),
    };
  }

  async #download(): Promise<string> {
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(this.#times.deadlineMs)]);
    const get = (url: URL) => download(url, this.#fetch, signal);
    return get(await this.#place.locate(get));
  }

  async #take(text: string): Promise<void> {
    const last = this.#fetched;
    const at = this.#monotonic();
    // The same keys stay the same object: what was proven with them holds on.
    if (last?.text === text) {
      this.#fetched = { ...last, at };
      return;
    }
    const find = await readKeySet(text, this.#algorithms);
    const ids = keyIdsIn(text);
    this.#fetched = { text, find, ids, at };
    this.#logger?.info(
      { keys: this.#place.host, ...keyChanges(last?.ids ?? [], ids) },
      'the key set has changed',
    );
  }

  /** Without keys nobody gets in, so that it is tried again soon, counted from the attempt's start; with keys there is no hurry. */
  #untilRetry(startedAt: number): number {
    const { retryMs, mostRetryMs, coolDownMs } = this.#times;
    if (this.ready) return coolDownMs * later();
    const pause = Math.min(retryMs * 2 ** this.#inVain, mostRetryMs);
    this.#inVain += 1;
    // At most a fifth sooner: later would add up.
    return Math.max(0, startedAt + pause * (1 - Math.random() / 5) - this.#monotonic());
  }

  #schedule(delayMs: number): void {
    clearTimeout(this.#timer);
    if (this.#closing.signal.aborted) return;
    this.#nextAt = this.#monotonic() + delayMs;
    this.#timer = setTimeout(this.fetch, delayMs).unref();
  }

  #untilNext(): number {
    return Math.max(0, Math.round(this.#nextAt - this.#monotonic()));
  }

  #unavailable(): GatewayError {
    const seconds = Math.ceil(this.#untilNext() / 1000);
    const detail = `no key set from ${this.#place.host}; next fetch in ${seconds} s`;
    return new GatewayError('KEYS_UNAVAILABLE', { detail });
  }
}

/** Up to a fifth later, lest many gateways come at once. */
function later(): number {
  return 1 + Math.random() / 5;
}
