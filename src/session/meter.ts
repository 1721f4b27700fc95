import type { Grant } from '../admission/grant.ts';
import { type LimitDeps, unheard } from '../admission/limit-deps.ts';
import { compileKey } from '../admission/limit-keys.ts';
import { burstOf } from '../config/limit-lists.ts';
import type { LimitsConfig } from '../config/schema.ts';
import type { Rate } from '../config/units.ts';
import type { GatewayRequest } from '../http/request.ts';
import { type Clock, TokenBucket } from '../store/buckets.ts';
import { Allowance, type Share } from './allowance.ts';

/** What one connection may still send; the semantics are SessionHandle's. */
export interface Meter {
  admitMessage(now?: number): number;
  admitBytes(count: number, now?: number): number;
}

/** Makes the meter of a connection that was let in; the turn it waits for is given back with what else the grant releases. */
export type MeterFactory = (request: GatewayRequest, grant: Grant) => Meter;

type Kind = 'messages' | 'bytes';
type Limit = NonNullable<LimitsConfig[Kind]>[number] & {
  readonly rate: Rate;
  readonly burst?: number | undefined;
};

/** What is read of a route. */
interface MeteredRoute {
  readonly name: string;
  readonly limits: Pick<LimitsConfig, Kind>;
}

interface MeterDeps extends LimitDeps {
  /** Clock of lone connections, and of who asks without saying when; `performance.now` unless a test brings its own. */
  readonly now?: Clock;
}

type ShareOf = (request: GatewayRequest, grant: Grant) => Share;

const steady: Clock = () => performance.now();

/**
 * Compiles a route's limits of what a connection sends: one bucket for a lone connection, or one of the store's, shared by
 * all that are counted together.
 */
export function createMeters({ name, limits }: MeteredRoute, deps: MeterDeps): MeterFactory {
  const { messages = [], bytes = [] } = limits;
  const { now: clock = steady } = deps;
  const messageShares = messages.map((limit) => compile(name, 'messages', limit, deps));
  const byteShares = bytes.map((limit) => compile(name, 'bytes', limit, deps));
  return function meter(request, grant) {
    const forMessages = allowance(messageShares, request, grant);
    const forBytes = allowance(byteShares, request, grant);
    if (forMessages) grant.releases.push(() => forMessages.giveBack());
    return forMessages || forBytes ? new ConnectionMeter(forMessages, forBytes, clock) : UNLIMITED;
  };
}

/** Of connections that no limit meets. */
const UNLIMITED: Meter = { admitMessage: () => 0, admitBytes: () => 0 };

class ConnectionMeter implements Meter {
  readonly #messages: Allowance | undefined;
  readonly #bytes: Allowance | undefined;
  readonly #clock: Clock;

  constructor(messages: Allowance | undefined, bytes: Allowance | undefined, clock: Clock) {
    this.#messages = messages;
    this.#bytes = bytes;
    this.#clock = clock;
  }

  admitMessage(now?: number): number {
    return this.#messages?.admit(now ?? this.#clock()) ?? 0;
  }

  admitBytes(count: number, now?: number): number {
    return this.#bytes?.settle(count, now ?? this.#clock()) ?? 0;
  }
}

function allowance(shares: readonly ShareOf[], request: GatewayRequest, grant: Grant): Allowance | undefined {
  if (shares.length === 0) return undefined;
  return new Allowance(shares.map((shareOf) => shareOf(request, grant)));
}

function compile(
  route: string,
  kind: Kind,
  limit: Limit,
  { store, limits: observer = unheard, ipv6Prefix, now }: MeterDeps,
): ShareOf {
  const { rate, per, over } = limit;
  const burst = burstOf(limit);
  const hit = { limit: kind, per };
  const closes = over === 'close';
  const rule = {
    hit,
    closes,
    // Bytes are counted when they have come.
    isStrict: closes && kind === 'messages',
    buckets: store.buckets(`${route}/${kind}/${per}`, rate, burst),
    onExceeded: observer.watch(route, hit, closes ? 'closed' : 'throttled'),
  };
  if (per === 'connection') return () => ({ rule, own: new TokenBucket(rate, burst, now), key: '' });
  const keyOf = compileKey(per, ipv6Prefix);
  return (request, grant) => ({ rule, own: undefined, key: keyOf(request, grant) });
}
