import { collectDefaultMetrics, Registry } from 'prom-client';
import type { LimitObserver } from '../admission/limit-deps.ts';
import type { LingerObserver } from '../bridge/parking.ts';
import type { GoodbyeObserver } from '../bridge/poll/goodbyes.ts';
import type { PushObserver } from '../bridge/poll/pushes.ts';
import type { RouteConfig } from '../config/schema.ts';
import type { ConnectionObserver } from '../listener/observer.ts';
import type { DialObserver, EndpointRecord } from '../upstream/context.ts';
import type { CertificateObserver, CertificateRecord } from '../watched-certificates.ts';
import type { FileObserver } from '../watched-files.ts';
import { registerBuildInfo } from './build.ts';
import { createCertificateMetrics } from './certificate-metrics.ts';
import { createConnectionMetrics } from './connections.ts';
import { countDroppedLines } from './dropped-metrics.ts';
import { createFileMetrics } from './file-metrics.ts';
import { createGoodbyeMetrics } from './goodbye-metrics.ts';
import { createHandshakeMetrics } from './handshake-metrics.ts';
import type { Observer, SessionRecord } from './index.ts';
import { createIssuerMetrics, type IssuerRecords } from './issuer-metrics.ts';
import { createLimitMetrics } from './limit-metrics.ts';
import { createLingerMetrics } from './linger-metrics.ts';
import type { MetricSnapshot } from './merged-metrics.ts';
import { createPushMetrics } from './push-metrics.ts';
import { createRequestMetrics } from './request-metrics.ts';
import { seriesOf } from './series.ts';
import { createSessionMetrics } from './session-metrics.ts';
import { createStoreMetrics, type StoreRecord } from './store-metrics.ts';
import { TargetMetrics } from './target-metrics.ts';
import { createUpstreamMetrics } from './upstream-metrics.ts';

/** Counts what the gateway does; `render` is one Prometheus scrape. */
export interface Metrics extends Observer, Omit<DialObserver, 'healthChanged'> {
  /** Everything counted, in Prometheus' text format. */
  render(): Promise<string>;
  /** The same as data, for who puts that of several processes together. */
  snapshot(): Promise<MetricSnapshot>;
  /** The Content-Type of what `render` gives. */
  readonly contentType: string;
  /** Counts what befalls connections, whatever they ask for. */
  readonly connections: ConnectionObserver;
  /** Counts what becomes of certificates that are renewed. */
  readonly certificates: CertificateObserver;
  /** Counts what becomes of files of API keys and credentials that change. */
  readonly files: FileObserver;
  /** Counts what the limits of routes do. */
  readonly limits: LimitObserver;
  /** Counts what becomes of the goodbyes to HTTP services. */
  readonly goodbyes: GoodbyeObserver;
  /** Counts what becomes of sessions whose clients are lost. */
  readonly lingering: LingerObserver;
  /** Counts what becomes of messages that are pushed. */
  readonly pushes: PushObserver;
  /** Counts an outage of the shared store. */
  readonly storeFailed: () => void;
}

/** What metrics are taken from, besides what is told of. */
export interface MetricsSources {
  /** The sessions open now: their live counters are added at each scrape, so a message costs nothing here. */
  readonly open: () => Iterable<SessionRecord>;
  /** How many lines the log has dropped. */
  readonly droppedLines?: () => number;
  /** Those that sessions may lead to; one that is forgotten takes its labels along. */
  readonly endpoints?: () => Iterable<EndpointRecord>;
  /** Whose keys are watched. */
  readonly issuers?: () => IssuerRecords;
  /** The certificates in service. */
  readonly certificates?: () => Iterable<CertificateRecord>;
  /** The store that gateways share, once it is open; undefined: there is none. */
  readonly store?: () => StoreRecord | undefined;
  /** Those of the configuration: their series are there from the start, each at 0. */
  readonly routes?: readonly Pick<RouteConfig, 'name' | 'upstream'>[];
  /** Where the gateway answers requests itself: likewise. */
  readonly paths?: readonly string[];
}

/**
 * Metrics in a registry of their own, labelled by what the configuration names and by closed sets only.
 *
 * Make one per process: Node's own gauges (event loop, garbage collection) watch until the process ends.
 */
export function createMetrics(sources: MetricsSources): Metrics {
  const registry = new Registry();
  const parts = createParts(registry, sources);
  const { sessions, requests, handshakes, targets, upstreams, goodbyes, lingering } = parts;
  registerProcess(registry, sources);
  createIssuerMetrics(registry, sources.issuers ?? (() => []));

  return {
    contentType: registry.contentType,
    ...createLoneParts(registry, sources),
    goodbyes,
    lingering,
    opened(session, phases) {
      requests.opened(session);
      handshakes.add(session.route, phases);
    },
    ended(...ending) {
      sessions.ended(...ending);
      targets.ended(ending[0]);
    },
    over: sessions.over,
    refused(request, error, _durationMs, phases) {
      requests.refused(request, error);
      if (phases !== undefined) handshakes.add(request.route ?? '', phases);
    },
    served: requests.served,
    dialled: upstreams.dialled,
    forgotten: upstreams.forgotten,
    render: () => stock().metrics(),
    snapshot: () => stock().getMetricsAsJSON(),
  };

  function stock(): Registry {
    for (const part of [sessions, targets, upstreams]) part.takeStock();
    return registry;
  }
}

/** What is of the process, and nothing else is told of. */
function createLoneParts(registry: Registry, { certificates, store }: MetricsSources) {
  return {
    connections: createConnectionMetrics(registry),
    certificates: createCertificateMetrics(registry, certificates ?? (() => [])),
    files: createFileMetrics(registry),
    limits: createLimitMetrics(registry),
    pushes: createPushMetrics(registry),
    storeFailed: createStoreMetrics(registry, store ?? (() => undefined)),
  };
}

/** What has series of routes. */
function createParts(
  registry: Registry,
  { open, endpoints = () => [], routes = [], paths = [] }: MetricsSources,
) {
  const series = routes.map(seriesOf);
  const sessions = createSessionMetrics(registry, open, series);
  const lingering = series.flatMap(({ route, lingers }) => (lingers ? [route] : []));
  return {
    sessions,
    requests: createRequestMetrics(registry, series, paths),
    handshakes: createHandshakeMetrics(registry, series),
    targets: new TargetMetrics(registry, open, routes),
    upstreams: createUpstreamMetrics(registry, endpoints, series),
    goodbyes: createGoodbyeMetrics(registry, series),
    lingering: createLingerMetrics(registry, lingering),
  };
}

function registerProcess(registry: Registry, { droppedLines = () => 0 }: MetricsSources): void {
  collectDefaultMetrics({ register: registry });
  registerBuildInfo(registry);
  countDroppedLines(registry, droppedLines);
}
