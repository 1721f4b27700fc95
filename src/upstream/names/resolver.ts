import { lookup as systemLookup } from 'node:dns/promises';
import { type Addresses, askerOf, type LookupOptions, lookUp, NoSuchName } from './lookup.ts';

/** Where names are looked up: `dns` is our own resolver, `system` the machine's (getaddrinfo, which knows NSS). */
export type ResolverKind = 'dns' | 'system';

/** What is known of a name for now: its addresses, or why it has none. */
export interface Resolution {
  readonly addresses: readonly string[];
  /** Why there are none. */
  readonly failure?: Error;
  /** The name has no address, say the servers. Otherwise a failure may pass, and what was known before still counts. */
  readonly isGone: boolean;
  /** On the resolver's clock. */
  readonly expiresAt: number;
}

export interface ResolverOptions extends LookupOptions {
  readonly now?: () => number;
  /** Replaces the lookups: for tests. */
  readonly lookups?: Readonly<Record<ResolverKind, Lookup>>;
}

type Lookup = (name: string, signal: AbortSignal) => Promise<Addresses>;

/** What a TTL counts for at least and at most. */
const MIN_TTL_MS = 1_000;
const MAX_TTL_MS = 5 * 60_000;
/** getaddrinfo tells no TTL. */
const SYSTEM_TTL_MS = 30_000;
/** How long it is believed that a name has no address; and that its servers do not answer. */
const GONE_MS = 5_000;
const FAILED_MS = 1_000;

/** Answers that are kept, and lookups of names that clients choose. */
const MAX_KNOWN = 4_096;
const MAX_FREE_FLIGHTS = 256;

/**
 * Turns names into addresses: one lookup a name at a time, however many ask, and its answer, good or bad, kept for its
 * TTL. So many are kept; then the oldest goes, and is asked for again when it is wanted.
 */
export class Resolver {
  readonly #lookups: Readonly<Record<ResolverKind, Lookup>>;
  readonly #now: () => number;
  readonly #known = new Map<string, Resolution>();
  readonly #flights = new Map<string, Promise<Resolution>>();
  readonly #closing = new AbortController();

  /** Throws the error of node:dns if a server is no address. */
  constructor({ now = () => performance.now(), lookups, ...options }: ResolverOptions = {}) {
    // Said now, not at each lookup.
    askerOf(options.servers);
    this.#now = now;
    this.#lookups = lookups ?? {
      dns: (name, signal) => lookUp(name, options, signal),
      system: lookUpBySystem,
    };
  }

  /** Never rejects. Who does not want to wait any longer just leaves: the answer is there for the next. */
  resolve(name: string, kind: ResolverKind): Promise<Resolution> {
    const key = `${kind} ${name}`;
    const known = this.#fresh(key);
    if (known !== undefined) return Promise.resolve(known);
    const underWay = this.#flights.get(key);
    if (underWay !== undefined) return underWay;
    const flight = this.#look(name, kind).then((resolution) => {
      this.#flights.delete(key);
      this.#keep(key, resolution);
      return resolution;
    });
    this.#flights.set(key, flight);
    return flight;
  }

  /** The same of a name that a client has chosen. Undefined, with nothing asked, while too many lookups are under way. */
  resolveFree(name: string, kind: ResolverKind): Promise<Resolution> | undefined {
    const key = `${kind} ${name}`;
    const asksNobody = this.#flights.has(key) || this.#fresh(key) !== undefined;
    return asksNobody || this.#flights.size < MAX_FREE_FLIGHTS ? this.resolve(name, kind) : undefined;
  }

  /** Cancels every lookup under way; later ones fail at once. */
  close(): void {
    this.#closing.abort();
    this.#known.clear();
  }

  /** What is known, and holds still. */
  #fresh(key: string): Resolution | undefined {
    const known = this.#known.get(key);
    return known !== undefined && known.expiresAt > this.#now() ? known : undefined;
  }

  #keep(key: string, resolution: Resolution): void {
    this.#known.delete(key);
    this.#known.set(key, resolution);
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_KNOWN && oldest !== undefined) this.#known.delete(oldest);
  }

  async #look(name: string, kind: ResolverKind): Promise<Resolution> {
    try {
      this.#closing.signal.throwIfAborted();
      const { addresses, ttlMs } = await this.#lookups[kind](name, this.#closing.signal);
      const heldMs = Math.min(Math.max(ttlMs, MIN_TTL_MS), MAX_TTL_MS);
      return { addresses, isGone: false, expiresAt: this.#now() + heldMs };
    } catch (thrown) {
      const isGone = thrown instanceof NoSuchName;
      const expiresAt = this.#now() + (isGone ? GONE_MS : FAILED_MS);
      return { addresses: [], failure: thrown as Error, isGone, expiresAt };
    }
  }
}

/** Takes one of the four threads that Node has for such things, for as long as NSS takes. */
async function lookUpBySystem(name: string): Promise<Addresses> {
  try {
    const found = await systemLookup(name, { all: true, order: 'ipv6first' });
    return { addresses: [...new Set(found.map(({ address }) => address))], ttlMs: SYSTEM_TTL_MS };
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    throw code === 'ENOTFOUND' ? new NoSuchName(name, code) : error;
  }
}
