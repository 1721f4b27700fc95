import { isIP } from 'node:net';
import { isAbsolute } from 'node:path';
import type { Resolution, Resolver, ResolverKind } from './resolver.ts';

/** How a host is watched, and who hears of it. */
export interface WatchOptions {
  readonly resolver: Resolver;
  readonly kind: ResolverKind;
  readonly now: () => number;
  /** The addresses are others now. */
  readonly onChange: (addresses: readonly string[]) => void;
}

/** More than any one service has; an answer over TCP could hold thousands. */
const MAX_ADDRESSES = 256;
/** The longest wait before a name whose servers do not answer is asked for again. */
const MAX_RETRY_MS = 30_000;

/**
 * Keeps the addresses of one host current: a numeric one and a socket's path are known at once and for ever, a name is looked up again
 * each time its answer runs out. While its servers do not answer, the last addresses stay (RFC 8767); when they say
 * that there are none, none are left.
 */
export class HostWatch {
  readonly host: string;
  /** Why the host has no address, if it has none. */
  failure: Error | undefined;
  readonly #options: WatchOptions;
  #addresses: readonly string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #retryMs = 1_000;
  #isClosed = false;

  constructor(host: string, options: WatchOptions) {
    this.host = host;
    this.#options = options;
  }

  /** Begins; a numeric host or a socket's path is reported before this returns. Call it once. */
  start(): void {
    if (isIP(this.host) !== 0 || isAbsolute(this.host)) this.#report([this.host]);
    else void this.refresh();
  }

  /** Asks now. Resolves when the answer has been reported; never rejects. */
  async refresh(): Promise<void> {
    const { resolver, kind } = this.#options;
    const resolution = await resolver.resolve(this.host, kind);
    if (!this.#isClosed) this.#take(resolution);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  #take(resolution: Resolution): void {
    const { failure, isGone, addresses, expiresAt } = resolution;
    this.failure = failure;
    if (failure === undefined || isGone) this.#report(addresses.slice(0, MAX_ADDRESSES));
    this.#retryMs = failure === undefined || isGone ? 1_000 : Math.min(this.#retryMs * 2, MAX_RETRY_MS);
    const waitMs = Math.max(expiresAt - this.#options.now(), failure === undefined ? 1 : this.#retryMs);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.refresh(), waitMs).unref();
  }

  #report(addresses: readonly string[]): void {
    const isSame =
      addresses.length === this.#addresses.length && addresses.every((one) => this.#addresses.includes(one));
    if (isSame) return;
    this.#addresses = addresses;
    this.#options.onChange(addresses);
  }
}
