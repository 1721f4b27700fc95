import type { UpstreamKind } from '../config/upstream-kinds.ts';
import type { DialFailure } from '../errors.ts';
import { type CertificateWatch, unwatched } from '../watched-certificates.ts';
import { type Connect, openSocket } from './connect.ts';
import type { Endpoint } from './endpoint.ts';
import { Endpoints } from './endpoints.ts';
import type { Outage } from './health/standing.ts';
import { Resolver } from './names/resolver.ts';
import { createOwnAddresses, type IsOwn } from './targets/own-addresses.ts';

/** Hears what becomes of dials. Must not throw and must not wait. */
export interface DialObserver {
  /** `outcome` is `connected`, the code of the failure, `outpaced` (another address was quicker) or `abandoned`. */
  dialled(endpoint: EndpointRecord, outcome: string, durationMs: number): void;
  /** Nothing leads to this endpoint any more, and nothing will. */
  forgotten(endpoint: EndpointRecord): void;
  /** It is well no more, and why; or it is well again. */
  healthChanged(endpoint: EndpointRecord, outage: Outage | undefined): void;
}

/** An endpoint as observers see it. */
export interface EndpointRecord {
  readonly route: string;
  readonly name: string;
  readonly live: number;
  /** New sessions go there as to any other. Absent: nobody knows. */
  isWell?(now: number): boolean;
}

/** The targets of one kind of one route, as observers see them. */
export interface PoolRecord {
  readonly route: string;
  readonly kind: UpstreamKind;
  /** Where new sessions go. */
  readonly endpoints: readonly Endpoint[];
  /** The targets whose name has no address, and why. */
  unresolved(): readonly DialFailure[];
}

/**
 * What the pools of one gateway share: names, and what is known of endpoints, which outlives the pools of one
 * configuration.
 */
export interface UpstreamContext {
  readonly resolver: Resolver;
  readonly endpoints: Endpoints;
  /** Those that are open. */
  readonly pools: Set<PoolRecord>;
  readonly connect: Connect;
  readonly observer: DialObserver;
  /** What upstreams are shown and believed by. */
  readonly certificates: CertificateWatch;
  /** Whether an address is one of this machine's own. */
  readonly isOwn: IsOwn;
  /** Milliseconds that only grow. */
  readonly now: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
}

/** A context of its own; whoever makes it closes its resolver. */
export function createUpstreamContext(parts: Partial<UpstreamContext> = {}): UpstreamContext {
  const { now = () => performance.now(), random = Math.random, observer = SILENT } = parts;
  return {
    resolver: parts.resolver ?? new Resolver({ now }),
    endpoints: parts.endpoints ?? new Endpoints({ now, random, observer }),
    pools: parts.pools ?? new Set(),
    connect: parts.connect ?? openSocket,
    observer,
    certificates: parts.certificates ?? unwatched,
    isOwn: parts.isOwn ?? createOwnAddresses(now),
    now,
    random,
  };
}

const SILENT: DialObserver = { dialled() {}, forgotten() {}, healthChanged() {} };
