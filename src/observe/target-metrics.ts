import { Counter, type Registry } from 'prom-client';
import type { SessionRecord } from './index.ts';

/** More than any configuration names; those beyond count together. */
const MAX_TARGETS = 1_000;
const OTHERS = 'other';

type Carried = Pick<SessionRecord, 'route' | 'label' | 'up' | 'down'>;

export interface TargetMetrics {
  ended(session: SessionRecord): void;
  /** Brings the registry up to date, right before it is read. */
  takeStock(): void;
}

/**
 * Counts in a registry the bytes that sessions have exchanged with each TCP target, by what of it the configuration names: a
 * target, or the rule that allowed one.
 */
export function createTargetMetrics(registry: Registry, open: () => Iterable<SessionRecord>): TargetMetrics {
  const bytes = new Counter({
    name: 'sallyport_target_bytes_total',
    help: 'Payload bytes exchanged with TCP targets: up is towards the target, down towards the client.',
    labelNames: ['route', 'target', 'direction'],
    registers: [registry],
  });
  /** What ended sessions have carried. */
  const totals = new Map<string, { route: string; target: string; up: number; down: number }>();

  return {
    ended(session) {
      const total = totalOf(session);
      if (total === undefined) return;
      total.up += session.up.bytes;
      total.down += session.down.bytes;
    },
    /** Sums ended and open sessions in one go, so that none is missed or counted twice. */
    takeStock() {
      bytes.reset();
      const begun = [...open()].flatMap((session) => {
        const total = totalOf(session);
        return total === undefined ? [] : [{ ...total, up: session.up.bytes, down: session.down.bytes }];
      });
      for (const { route, target, up, down } of [...totals.values(), ...begun]) {
        bytes.inc({ route, target, direction: 'up' }, up);
        bytes.inc({ route, target, direction: 'down' }, down);
      }
    },
  };

  function totalOf({ route, label }: Carried) {
    if (label === undefined) return undefined;
    return obtain(route, totals.size < MAX_TARGETS || totals.has(keyOf(route, label)) ? label : OTHERS);
  }

  function obtain(route: string, target: string) {
    const key = keyOf(route, target);
    const total = totals.get(key) ?? { route, target, up: 0, down: 0 };
    totals.set(key, total);
    return total;
  }
}

function keyOf(route: string, target: string): string {
  return `${route} ${target}`;
}
