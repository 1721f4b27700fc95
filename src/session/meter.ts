import type { LimitsConfig } from '../config/schema.ts';
import type { Rate } from '../config/units.ts';
import { GatewayError } from '../errors.ts';
import { type Clock, TokenBucket } from '../store/buckets.ts';
import type { Store } from '../store/index.ts';

/** What one connection may still send; the semantics are SessionHandle's. */
export interface Meter {
  admitMessage(now?: number): number;
  admitBytes(count: number, now?: number): number;
}

type Limit = NonNullable<LimitsConfig['messages'] | LimitsConfig['bytes']>;
type Per = Limit['per'];

/** The key a connection is counted under together with others. */
export type KeyOf = (per: Exclude<Per, 'connection'>) => string;

type Take = (bucket: TokenBucket, count: number, now?: number) => number;

type Admit = (count: number, now?: number) => number;

const free = () => 0;
const oneOf = (admit: Admit | undefined) => (admit ? (now?: number) => admit(1, now) : free);

/** setTimeout holds no more, and fires at once beyond it: a debt of months would be forgiven. */
const LONGEST_MS = 2_147_483_647;

/** What is read of a route. */
interface MeteredRoute {
  readonly name: string;
  readonly limits: Pick<LimitsConfig, 'messages' | 'bytes'>;
}

interface MeterDeps {
  readonly store: Store;
  /** Clock of the buckets that a lone connection has to itself; `performance.now` unless a test brings its own. */
  readonly now?: Clock;
}

/**
 * Compiles a route's per-message limits, which are judged once a frame or a chunk and must cost next to nothing: one
 * bucket for a lone connection, or one of the store's, shared by all that are counted together.
 */
export function createMeters({ name, limits }: MeteredRoute, deps: MeterDeps): (keyOf: KeyOf) => Meter {
  const { messages, bytes } = limits;
  const forMessages =
    messages && compile(`${name}/messages`, messages, messages.burst ?? messages.rate.count, deps);
  // Bytes are counted when they have come; with `throttle` a debt is waited for, not refused.
  const forBytes = bytes && compile(`${name}/bytes`, bytes, bytes.rate.count, deps);
  return (keyOf) => ({
    admitMessage: oneOf(forMessages?.(keyOf, take)),
    admitBytes: forBytes?.(keyOf, debit) ?? free,
  });
}

function compile(rule: string, limit: Limit & { rate: Rate }, burst: number, { store, now }: MeterDeps) {
  const { rate, per, over } = limit;
  const buckets = store.buckets(`${rule}/${per}`, rate, burst);
  return function meterFor(keyOf: KeyOf, spend: Take): Admit {
    const own = per === 'connection' ? new TokenBucket(rate, burst, now) : undefined;
    const key = per === 'connection' ? '' : keyOf(per);
    return function admitNext(count, now) {
      const wait = spend(own ?? buckets.bucket(key), count, now);
      if (wait > 0 && over === 'close')
        throw new GatewayError('RATE_LIMITED', { detail: `${count} more per ${per}` });
      return Math.min(wait, LONGEST_MS);
    };
  };
}

const take: Take = (bucket, count, now) => bucket.take(count, now);
const debit: Take = (bucket, count, now) => bucket.debit(count, now);
