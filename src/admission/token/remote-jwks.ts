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
  { fetch = globalThis.fetch, monotonic = () => performance.now(), logger, times }: RemoteDeps,
): Promise<KeySource> {
  const url = readUrl(address);
  const { coolDownMs, refreshMs, deadlineMs, staleMs } = { ...TIMES, ...times };
  const closing = new AbortController();
  let current: { readonly text: string; readonly find: FindKeys; readonly at: number } | undefined;
  let attemptedAt = Number.NEGATIVE_INFINITY;
  let inFlight: Promise<boolean> | undefined;
  let timer: NodeJS.Timeout | undefined;

  await refresh();
  return {
    find,
    get current() {
      return usable();
    },
    get ready() {
      return usable() !== undefined;
    },
    close() {
      closing.abort();
      clearTimeout(timer);
    },
  };

  async function find(header: TokenHeader) {
    if (usable() === undefined) await refresh();
    const keys = await usable()?.(header);
    if (keys === undefined)
      throw new GatewayError('KEYS_UNAVAILABLE', { detail: `no key set from ${url.host}` });
    // An unknown kid may be a key of tomorrow; any stranger can invent one, so only the clock allows a fetch.
    if (keys.length > 0 || !(await refresh())) return keys;
    return (await usable()?.(header)) ?? keys;
  }

  function usable(): FindKeys | undefined {
    return current !== undefined && monotonic() - current.at < staleMs ? current.find : undefined;
  }

  /** A fetch, unless the cool-down forbids one. Resolves with whether a new set came. */
  async function refresh(): Promise<boolean> {
    const coolingDown = monotonic() - attemptedAt < coolDownMs;
    return inFlight === undefined && coolingDown ? false : start();
  }

  /** Joins the fetch in flight, or starts one. */
  async function start(): Promise<boolean> {
    inFlight ??= load().finally(() => {
      inFlight = undefined;
    });
    return inFlight;
  }

  async function load(): Promise<boolean> {
    attemptedAt = monotonic();
    const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(deadlineMs)]);
    try {
      const text = await download(url, fetch, signal);
      // The same keys stay the same object: what was proven with them holds on.
      const find = current?.text === text ? current.find : await readKeySet(text, algorithms);
      current = { text, find, at: monotonic() };
      schedule(refreshMs);
      return true;
    } catch (err) {
      schedule(coolDownMs);
      if (!closing.signal.aborted) logger?.warn({ err, keys: url.host }, 'the key set could not be fetched');
      return false;
    }
  }

  /** The next fetch in the background; up to a fifth later than asked, lest many gateways come at once. */
  function schedule(delayMs: number): void {
    clearTimeout(timer);
    if (closing.signal.aborted) return;
    timer = setTimeout(start, delayMs * (1 + Math.random() / 5)).unref();
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
