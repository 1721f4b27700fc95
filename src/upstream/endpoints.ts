import type { DialObserver, EndpointRecord } from './context.ts';
import { Endpoint, endpointName } from './endpoint.ts';
import type { Target } from './target.ts';

export interface EndpointsOptions {
  readonly now: () => number;
  readonly random: () => number;
  readonly observer: Pick<DialObserver, 'forgotten' | 'healthChanged'>;
}

/**
 * All endpoints by route and name: counts and health belong to these, not to the pool that uses them, so that a pool
 * made from a new configuration goes on where the last one was. One that is gone stays until the last session leaves
 * it.
 */
export class Endpoints {
  readonly #options: EndpointsOptions;
  readonly #all = new Map<string, Endpoint>();
  /** What counts as one though nothing of it outlives its route: a rule of targets that clients name. */
  readonly #others = new Set<EndpointRecord>();

  constructor(options: EndpointsOptions) {
    this.#options = options;
  }

  [Symbol.iterator](): Iterator<Endpoint> {
    return this.#all.values();
  }

  /** All that observers see: endpoints, and what counts as one. */
  *records(): Iterable<EndpointRecord> {
    yield* this.#all.values();
    yield* this.#others;
  }

  /** Has a record listed among those that observers see. Returns the undo. */
  enlist(record: EndpointRecord): () => void {
    this.#others.add(record);
    return () => {
      if (this.#others.delete(record)) this.#options.observer.forgotten(record);
    };
  }

  /**
   * The endpoint of that name, or a new one; a pool that uses it counts itself in. `isLate`: its target has had
   * others for a while, so it starts slowly.
   */
  obtain(route: string, target: Target, address: string, isLate: boolean): Endpoint {
    const key = keyOf(route, endpointName(target, address));
    const known = this.#all.get(key);
    const endpoint = known ?? new Endpoint(route, target, address, this.#options);
    if (isLate && (known === undefined || known.isGone)) endpoint.standing.join(this.#options.now());
    endpoint.target = target;
    this.#all.set(key, endpoint);
    return endpoint;
  }

  /** A pool gives it no new sessions from now on. */
  drop(endpoint: Endpoint): void {
    endpoint.pools -= 1;
    this.settle(endpoint);
  }

  /** Forgets an endpoint that is gone once nothing leads to it; call it when a session has left. */
  settle(endpoint: Endpoint): void {
    const key = keyOf(endpoint.route, endpoint.name);
    if (!endpoint.isGone || endpoint.live > 0 || this.#all.get(key) !== endpoint) return;
    this.#all.delete(key);
    this.#options.observer.forgotten(endpoint);
  }
}

function keyOf(route: string, name: string): string {
  return `${route} ${name}`;
}
