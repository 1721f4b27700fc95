import { GatewayError } from '../../errors.ts';
import { addressKey } from '../../http/address.ts';
import { BucketTable, type Clock } from '../../store/buckets.ts';

const BOUNDS = {
  /** Proofs being looked at, of everybody. */
  inFlight: 8_192,
  /** Of one address that has shown no bad ones lately: of 8,000 clients that come again at once some 3,800 are in flight. */
  perAddress: 4_096,
  /** Bad proofs of one address that are looked at: so many at once, … */
  failures: 40,
  /** … and so many a second. */
  failuresPerSecond: 20,
};

/** Those that were under way together are paid for later, but for no longer than so many milliseconds. */
const MOST_DEBT_MS = 4_000;

/** Addresses remembered, some 200 bytes each; an IPv6 one stands for its network. */
const MAX_ADDRESSES = 32_768;

interface VerificationOptions extends Partial<typeof BOUNDS> {
  readonly now?: Clock;
  readonly ipv6Prefix?: number;
}

/** What counts them. */
export type Verifying = Pick<Verifications, 'check' | 'enter' | 'failed' | 'keyOf'>;

/**
 * What strangers may cost by showing bad proofs (tokens, keys, cookies): looking at a signature, or asking another service,
 * is dearer than saying no. Counted per client address, for nothing else is known of a client by then. One for the process.
 *
 * An address has as many places as its budget of failures is full: all of them while its clients prove what they say, so
 * that a thousand of them may come again at once; none once it has shown nothing but bad ones.
 */
export class Verifications {
  readonly #bounds: typeof BOUNDS;
  readonly #ipv6Prefix: number | undefined;
  readonly #failures: BucketTable;
  readonly #inFlight = new Map<string, number>();
  #all = 0;

  /** `now` is a clock that never jumps, in milliseconds; so many bits of an IPv6 address make one client (64 unless given). */
  constructor({ now, ipv6Prefix, ...bounds }: VerificationOptions = {}) {
    this.#ipv6Prefix = ipv6Prefix;
    this.#bounds = { ...BOUNDS, ...bounds };
    const { failures, failuresPerSecond } = this.#bounds;
    const rate = { count: failuresPerSecond, perMs: 1000 };
    this.#failures = new BucketTable(rate, failures, { maxKeys: MAX_ADDRESSES, now });
  }

  /** Throws RATE_LIMITED where the proofs of an address have failed too often for another one to be looked at. */
  check(address: string): void {
    this.#budget(this.keyOf(address));
  }

  /**
   * Takes a place for one proof, and returns its release, which may be called twice. Throws RATE_LIMITED as `check` does,
   * and where too many are being looked at.
   */
  enter(address: string): () => void {
    const key = this.keyOf(address);
    const budget = this.#budget(key);
    if (this.#all >= this.#bounds.inFlight) throw refused('too many proofs are being looked at');
    const taken = this.#inFlight.get(key) ?? 0;
    if (taken >= (this.#bounds.perAddress * budget) / this.#bounds.failures)
      throw refused('too many proofs from this address are being looked at');
    this.#all += 1;
    this.#inFlight.set(key, taken + 1);
    return once(() => this.#leave(key));
  }

  /** The proof of an address turned out to be bad. */
  failed(address: string): void {
    const bucket = this.#failures.bucket(this.keyOf(address));
    if (bucket.take(0) < MOST_DEBT_MS) bucket.debit(1);
  }

  /** What an address counts as: itself, or the network of an IPv6 one. */
  keyOf(address: string): string {
    return addressKey(address, this.#ipv6Prefix);
  }

  /** How many more bad ones of an address may be looked at: one or more. Throws RATE_LIMITED where there are none. */
  #budget(key: string): number {
    const bucket = this.#failures.bucket(key);
    const { remaining } = bucket;
    if (remaining === 0) throw refused('too many bad proofs from this address', bucket.take(0));
    return remaining;
  }

  #leave(key: string): void {
    this.#all -= 1;
    const left = (this.#inFlight.get(key) ?? 1) - 1;
    if (left === 0) this.#inFlight.delete(key);
    else this.#inFlight.set(key, left);
  }
}

function refused(detail: string, waitMs = 0): GatewayError {
  const seconds = Math.max(1, Math.ceil(waitMs / 1000));
  return new GatewayError('RATE_LIMITED', { detail, headers: { 'retry-after': String(seconds) } });
}

function once(act: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    act();
  };
}
