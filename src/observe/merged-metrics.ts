import { AggregatorRegistry, Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { registerBuildInfo } from './build.ts';
import { countDroppedLines } from './dropped-metrics.ts';

/** Everything that one process has counted, as data: plain, so that it can be sent. */
export type MetricSnapshot = readonly SnapshotMetric[];

interface SnapshotMetric {
  readonly name: string;
  readonly type: unknown;
  readonly aggregator?: unknown;
}

/** What is not the sum of what the workers say. */
const RULES: Readonly<Record<string, 'min' | 'max' | 'first'>> = {
  sallyport_build_info: 'first',
  // What one has not noticed yet is not to be overlooked.
  sallyport_certificate_not_after_seconds: 'min',
  sallyport_issuer_keys_age_seconds: 'max',
  sallyport_upstream_healthy: 'min',
  sallyport_store_answering: 'min',
  sallyport_store_hearing: 'min',
  sallyport_store_gateways: 'max',
  process_start_time_seconds: 'min',
  // Each has so many of its own.
  process_max_fds: 'min',
};

/** What goes on counting when a process has ended: a total that falls would be taken for a new beginning. */
const LASTING: readonly unknown[] = ['counter', 'histogram', 'summary'];

/** What the workers have counted, and the primary, put together. */
export class MergedMetrics {
  readonly #registry = new Registry();
  readonly #workers: Gauge;
  readonly #deaths: Counter;
  /** By process: what it has said last. */
  readonly #last = new Map<string, MetricSnapshot>();
  /** The totals of those that have ended, as they were last heard. */
  #departed: MetricSnapshot = [];

  /** `droppedLines` are those of the primary's own log. */
  constructor(droppedLines: () => number) {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry });
    registerBuildInfo(this.#registry);
    countDroppedLines(this.#registry, droppedLines);
    this.#workers = new Gauge({
      name: 'sallyport_workers',
      help: 'Workers that have answered this scrape; one that did not is counted as it was last heard. Absent without workers.',
      registers,
    });
    this.#deaths = new Counter({
      name: 'sallyport_worker_deaths_total',
      help: 'Workers that ended without being told to, and were replaced. Absent without workers.',
      registers,
    });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** A process is there, and may be heard. Returns its undo: its totals stay as they were last heard. */
  began(name: string): () => void {
    this.#last.set(name, []);
    return () => {
      this.#departed = merge([this.#departed, totalsIn(this.#last.get(name) ?? [])]);
      this.#last.delete(name);
    };
  }

  died(): void {
    this.#deaths.inc();
  }

  /** One scrape, of what these processes have said now; of those that have not, their totals as last heard. */
  async render(said: ReadonlyMap<string, MetricSnapshot>): Promise<string> {
    const isThere = ([name]: readonly [string, unknown]) => this.#last.has(name);
    this.#workers.set([...said].filter(isThere).length);
    const own = await this.#registry.getMetricsAsJSON();
    // From here on at one moment: who ended between its parts would be counted twice.
    const present = [...said].filter(isThere);
    for (const [name, snapshot] of present) this.#last.set(name, snapshot);
    const silent = [...this.#last].filter(([name]) => !said.has(name)).map(([, last]) => totalsIn(last));
    const now = present.map(([, snapshot]) => snapshot);
    const all = [own, ...now, ...silent, this.#departed].map((snapshot) => snapshot.map(ruled));
    return AggregatorRegistry.aggregate(all).metrics();
  }
}

function totalsIn(snapshot: MetricSnapshot): MetricSnapshot {
  return snapshot.filter(({ type }) => LASTING.includes(type));
}

function merge(snapshots: readonly MetricSnapshot[]): MetricSnapshot {
  const merged = AggregatorRegistry.aggregate(snapshots.map((each) => [...each]));
  return merged.getMetricsAsArray() as unknown as MetricSnapshot;
}

function ruled(metric: SnapshotMetric): SnapshotMetric {
  const aggregator = RULES[metric.name];
  return aggregator === undefined ? metric : { ...metric, aggregator };
}
