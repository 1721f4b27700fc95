import { Counter, collectDefaultMetrics, Registry } from 'prom-client';
import type { LimitObserver } from '../admission/limit-deps.ts';
import type { ConnectionObserver } from '../listener/observer.ts';
import type { DialObserver, EndpointRecord } from '../upstream/context.ts';
import type { CertificateObserver, CertificateRecord } from '../watched-certificates.ts';
import { createCertificateMetrics } from './certificate-metrics.ts';
import { createConnectionMetrics } from './connections.ts';
import type { Observer, SessionRecord } from './index.ts';
import { createIssuerMetrics, type IssuerRecords } from './issuer-metrics.ts';
import { createLimitMetrics } from './limit-metrics.ts';
import { createRequestMetrics } from './request-metrics.ts';
import { createSessionMetrics } from './session-metrics.ts';
import { createUpstreamMetrics } from './upstream-metrics.ts';

/** Counts what the gateway does; `render` is one Prometheus scrape. */
export interface Metrics extends Observer, DialObserver {
  /** Everything counted, in Prometheus' text format. */
  render(): Promise<string>;
  /** The Content-Type of what `render` gives. */
  readonly contentType: string;
  /** Counts what befalls connections, whatever they ask for. */
  readonly connections: ConnectionObserver;
  /** Counts what becomes of certificates that are renewed. */
  readonly certificates: CertificateObserver;
  /** Counts what the limits of routes do. */
  readonly limits: LimitObserver;
}

/**
 * Metrics in a registry of their own, labelled by what the configuration names and by closed sets only. `open` lists
 * the sessions open now: their live counters are added at each scrape, so a message costs nothing here. `droppedLines`
 * says how many lines the log has dropped; `endpoints` lists those that sessions may lead to, and one that is forgotten
 * takes its labels along. `issuers` lists whose keys are watched, `certificates` the certificates in service.
 *
 * Make one per process: Node's own gauges (event loop, garbage collection) watch until the process ends.
 */
export function createMetrics(
  open: () => Iterable<SessionRecord>,
  droppedLines: () => number = () => 0,
  endpoints: () => Iterable<EndpointRecord> = () => [],
  issuers: () => IssuerRecords = () => [],
  certificates: () => Iterable<CertificateRecord> = () => [],
): Metrics {
  const registry = new Registry();
  const sessions = createSessionMetrics(registry, open);
  const requests = createRequestMetrics(registry);
  const upstreams = createUpstreamMetrics(registry, endpoints);
  collectDefaultMetrics({ register: registry });
  countDroppedLines(registry, droppedLines);
  createIssuerMetrics(registry, issuers);

  return {
    contentType: registry.contentType,
    connections: createConnectionMetrics(registry),
    certificates: createCertificateMetrics(registry, certificates),
    limits: createLimitMetrics(registry),
    opened: requests.opened,
    ended: sessions.ended,
    refused: requests.refused,
    served: requests.served,
    dialled: upstreams.dialled,
    forgotten: upstreams.forgotten,
    render() {
      sessions.takeStock();
      upstreams.takeStock();
      return registry.metrics();
    },
  };
}

/** The log has its own count, which is read at each scrape. */
function countDroppedLines(registry: Registry, droppedLines: () => number): void {
  new Counter({
    name: 'sallyport_log_lines_dropped_total',
    help: 'Log lines dropped because their destination was full, gone or not read.',
    registers: [registry],
    collect() {
      this.reset();
      this.inc(droppedLines());
    },
  });
}
