import type { CryptoKey } from 'jose';
import type { Logger } from 'pino';
import { GatewayError } from '../../errors.ts';
import { type FindKeys, type KeySource, readKeySet } from './jwks.ts';
import type { TokenHeader } from './jwt.ts';

/** A key set behind a URL: fetched seldom, kept when its provider is down, never fetched at a stranger's pace. */

const MAX_BYTES = 64 * 1024;

const TIMES = {
  /** From one attempt, however it ended, until a token may cause another. */
  coolDownMs: 30_000,
  /** Between fetches in the background: half of the ten minutes a set is taken to be fresh. */
  refreshMs: 300_000,
  /** For one fetch, from connecting to the last byte. */
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

/**
 * Opens the key set at an http(s) URL. The first load is tried before this resolves; if it fails, `find` rejects
 * with KEYS_UNAVAILABLE until a later one succeeds. Rejects only for what is not a usable URL.
 */
export async function openRemoteKeys(
  address: string,
  algorithms: readonly string[],
  deps: RemoteDeps,
): Promise<KeySource> {
  const keys = new RemoteKeys(readUrl(address), algorithms, deps);
  await keys.refresh();
  return keys;
}

/** A key set as it was fetched. */
interface Fetched {
  readonly text: string;
  readonly find: FindKeys;
  /** Of the monotonic clock. */
  readonly at: number;
}

class RemoteKeys implements KeySource {
  readonly #url: URL;
  readonly #algorithms: readonly string[];
  readonly #fetch: typeof fetch;
  readonly #monotonic: () => number;
  readonly #logger: RemoteDeps['logger'];
  readonly #times: typeof TIMES;

  /** The last good one. */
  #fetched: Fetched | undefined;
  #attemptedAt = Number.NEGATIVE_INFINITY;
  #inFlight: Promise<boolean> | undefined;
  #timer: NodeJS.Timeout | undefined;
  readonly #closing = new AbortController();

  constructor(url: URL, algorithms: readonly string[], deps: RemoteDeps) {
    this.#url = url;
    this.#algorithms = algorithms;
    this.#fetch = deps.fetch ?? globalThis.fetch;
    this.#monotonic = deps.monotonic ?? (() => performance.now());
    this.#logger = deps.logger;
    this.#times = { ...TIMES, ...deps.times };
  }

  get current(): FindKeys | undefined {
    const fetched = this.#fetched;
    if (fetched === undefined) return undefined;
    return this.#monotonic() - fetched.at < this.#times.staleMs ? fetched.find : undefined;
  }

  get ready(): boolean {
    return this.current !== undefined;
  }

  async find(header: TokenHeader): Promise<readonly CryptoKey[]> {
    if (!this.ready) await this.refresh();
    const keys = await this.current?.(header);
    if (keys === undefined)
      throw new GatewayError('KEYS_UNAVAILABLE', { detail: `no key set from ${this.#url.host}` });
    // An unknown kid may be a key of tomorrow; any stranger can invent one, so only the clock allows a fetch.
    if (keys.length > 0 || !(await this.refresh())) return keys;
    return (await this.current?.(header)) ?? keys;
  }

  close(): void {
    this.#closing.abort();
    clearTimeout(this.#timer);
  }

  /** A fetch, unless the cool-down forbids one. Resolves with whether a new set came. */
  async refresh(): Promise<boolean> {
    const coolingDown = this.#monotonic() - this.#attemptedAt < this.#times.coolDownMs;
    return this.#inFlight === undefined && coolingDown ? false : this.#start();
  }

  /** Joins the fetch in flight, or starts one. */
  readonly #start = (): Promise<boolean> => {
    this.#inFlight ??= this.#load().finally(() => {
      this.#inFlight = undefined;
    });
    return this.#inFlight;
  };

  async #load(): Promise<boolean> {
    this.#attemptedAt = this.#monotonic();
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(this.#times.deadlineMs)]);
    try {
      const text = await download(this.#url, this.#fetch, signal);
      // The same keys stay the same object: what was proven with them holds on.
      const last = this.#fetched;
      const find = last?.text === text ? last.find : await readKeySet(text, this.#algorithms);
      this.#fetched = { text, find, at: this.#monotonic() };
      this.#schedule(this.#times.refreshMs);
      return true;
    } catch (err) {
      this.#schedule(this.#times.coolDownMs);
      if (!this.#closing.signal.aborted)
        this.#logger?.warn({ err, keys: this.#url.host }, 'the key set could not be fetched');
      return false;
    }
  }

  /** The next fetch in the background; up to a fifth later than asked, lest many gateways come at once. */
  #schedule(delayMs: number): void {
    clearTimeout(this.#timer);
    if (this.#closing.signal.aborted) return;
    this.#timer = setTimeout(this.#start, delayMs * (1 + Math.random() / 5)).unref();
  }
}

function readUrl(address: string): URL {
  const url = URL.parse(address);
  const fits = url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
  if (!fits) throw new Error('jwks: not an http(s) URL without credentials');
  return url;
}

async function download(url: URL, fetch: typeof globalThis.fetch, signal: AbortSignal): Promise<string> {
  // A redirect could lead anywhere, plain text included: whoever moves a key set changes the configuration.
  const response = await fetch(url, { redirect: 'manual', signal, headers: { accept: 'application/json' } });
  if (response.status !== 200 || response.body === null) {
    await response.body?.cancel();
    throw new Error(`answered ${response.status}`);
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body) {
    size += chunk.byteLength;
    if (size > MAX_BYTES) throw new Error(`answered with more than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
