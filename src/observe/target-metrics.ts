import { Counter, type Registry } from 'prom-client';
import type { RouteConfig } from '../config/schema.ts';
import type { SessionRecord } from './index.ts';
import { targetsIn } from './series.ts';

/** More than any configuration names; those beyond count together. */
const MAX_TARGETS = 1_000;
const OTHERS = 'other';

/** What the ended sessions with one target have carried, in bytes. */
interface Total {
  readonly route: string;
  readonly target: string;
  up: number;
  down: number;
}

/**
 * Counts in a registry the bytes that sessions have exchanged with each TCP target, by what of it the configuration names: a
 * target, or the rule that allowed one.
 */
export class TargetMetrics {
  readonly #open: () => Iterable<SessionRecord>;
  readonly #bytes: Counter<'route' | 'target' | 'direction'>;
  readonly #totals = new Map<string, Total>();

  /** The series of what `routes` name are there from the start. */
  constructor(
    registry: Registry,
    open: () => Iterable<SessionRecord>,
    routes: readonly Pick<RouteConfig, 'name' | 'upstream'>[] = [],
  ) {
    this.#open = open;
    for (const route of routes) for (const target of targetsIn(route)) this.#obtain(route.name, target);
    this.#bytes = new Counter({
      name: 'sallyport_target_bytes_total',
      help: 'Payload bytes exchanged with TCP targets: up is towards the target, down towards the client.',
      labelNames: ['route', 'target', 'direction'],
      registers: [registry],
    });
  }

  ended({ route, label, up, down }: SessionRecord): void {
    if (label === undefined) return;
    const total = this.#obtain(route, label);
    total.up += up.bytes;
    total.down += down.bytes;
  }

  /** Sums ended and open sessions in one go, right before the registry is read, so that none is missed or counted twice. */
  takeStock(): void {
    this.#bytes.reset();
    for (const { route, label, up, down } of this.#open()) {
      if (label !== undefined) this.#add({ ...this.#obtain(route, label), up: up.bytes, down: down.bytes });
    }
    for (const total of this.#totals.values()) this.#add(total);
  }

  #add({ route, target, up, down }: Total): void {
    this.#bytes.inc({ route, target, direction: 'up' }, up);
    this.#bytes.inc({ route, target, direction: 'down' }, down);
  }

  #obtain(route: string, label: string): Total {
    const known = this.#totals.get(`${route} ${label}`);
    if (known !== undefined) return known;
    if (this.#totals.size >= MAX_TARGETS && label !== OTHERS) return this.#obtain(route, OTHERS);
    const total = { route, target: label, up: 0, down: 0 };
    this.#totals.set(`${route} ${label}`, total);
    return total;
  }
}
