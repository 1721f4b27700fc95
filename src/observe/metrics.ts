import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Traffic } from '../bridge/contract.ts';
import { ERROR_CODES, GatewayError } from '../errors.ts';
import type { ConnectionObserver } from '../listener/observer.ts';
import type { DialObserver, EndpointRecord } from '../upstream/context.ts';
import { createConnectionMetrics } from './connections.ts';
import type { Observer, SessionRecord } from './index.ts';

/** Counts what the gateway does; `render` is one Prometheus scrape. */
export interface Metrics extends Observer, DialObserver {
  /** Everything counted, in Prometheus' text format. */
  render(): Promise<string>;
  /** The Content-Type of what `render` gives. */
  readonly contentType: string;
  /** Counts what befalls connections, whatever they ask for. */
  readonly connections: ConnectionObserver;
}

/** Sessions last from one message to days. */
const DURATION_SECONDS = [1, 10, 60, 300, 1_800, 3_600, 14_400, 43_200, 86_400];
/** Dials take from one turn of the loop next door to the whole of `timeouts.handshake`. */
const DIAL_SECONDS = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Sum of the ended sessions of one route and bridge. */
interface Tally {
  readonly route: string;
  readonly bridge: SessionRecord['bridge'];
  readonly up: Traffic;
  readonly down: Traffic;
}

/**
 * Metrics in a registry of their own, labelled by what the configuration names and by closed sets only. `open` lists
 * the sessions open now: their live counters are added at each scrape, so a message costs nothing here. `droppedLines`
 * says how many lines the log has dropped; `endpoints` lists those that sessions may lead to, and one that is forgotten
 * takes its labels along.
 *
 * Make one per process: Node's own gauges (event loop, garbage collection) watch until the process ends.
 */
export function createMetrics(
  open: () => Iterable<SessionRecord>,
  droppedLines: () => number = () => 0,
  endpoints: () => Iterable<EndpointRecord> = () => [],
): Metrics {
  const registry = new Registry();
  const meters = createMeters(registry);
  const tallies = new Map<string, Tally>();
  /** All that dials have come to: a closed set. */
  const outcomes = new Set<string>();
  collectDefaultMetrics({ register: registry });
  countDroppedLines(registry, droppedLines);

  function tallyOf({ route, bridge }: SessionRecord): Tally {
    const key = `${bridge} ${route}`;
    const tally = tallies.get(key) ?? { route, bridge, up: zero(), down: zero() };
    tallies.set(key, tally);
    return tally;
  }

  /** Sums ended and open sessions in one go, so that no session ends in between and is missed or counted twice. */
  function takeStock(): void {
    const { sessions, messages, bytes } = meters;
    for (const meter of [sessions, messages, bytes]) meter.reset();
    function add(route: string, { up, down }: Pick<SessionRecord, 'up' | 'down'>): void {
      messages.inc({ route, direction: 'up' }, up.messages);
      messages.inc({ route, direction: 'down' }, down.messages);
      bytes.inc({ route, direction: 'up' }, up.bytes);
      bytes.inc({ route, direction: 'down' }, down.bytes);
    }
    for (const tally of tallies.values()) {
      sessions.set({ route: tally.route, bridge: tally.bridge }, 0);
      add(tally.route, tally);
    }
    for (const session of open()) {
      sessions.inc({ route: session.route, bridge: session.bridge });
      add(session.route, session);
    }
    meters.live.reset();
    meters.healthy.reset();
    for (const endpoint of endpoints()) {
      const labels = { route: endpoint.route, target: endpoint.name };
      meters.live.set(labels, endpoint.live);
      meters.healthy.set(labels, endpoint.isWell(performance.now()) ? 1 : 0);
    }
  }

  return {
    contentType: registry.contentType,
    connections: createConnectionMetrics(registry),
    render() {
      takeStock();
      return registry.metrics();
    },
    opened({ route }) {
      meters.upgrades.inc({ route, outcome: 'accepted' });
    },
    ended(session, ending, durationMs) {
      const { route, up, down } = session;
      const tally = tallyOf(session);
      addTraffic(tally.up, up);
      addTraffic(tally.down, down);
      meters.ended.inc({ route, code: closeLabel(ending.code), by: ending.by });
      meters.durations.observe({ route }, durationMs / 1000);
    },
    refused({ kind, route = '' }, error) {
      if (kind === 'upgrade') meters.upgrades.inc({ route, outcome: error.code });
      else meters.requests.inc({ route, status: statusLabel(error.status) });
    },
    served(_request, { route, status }) {
      meters.requests.inc({ route, status: statusLabel(status) });
    },
    dialled({ route, name }, outcome, durationMs) {
      meters.dials.inc({ route, target: name, outcome });
      outcomes.add(outcome);
      if (outcome === 'connected') meters.dialSeconds.observe({ route }, durationMs / 1000);
    },
    forgotten({ route, name }) {
      for (const outcome of outcomes) meters.dials.remove({ route, target: name, outcome });
    },
  };
}

/** `route` is empty on what was refused before a route was found. */
function createMeters(registry: Registry) {
  const registers = [registry];
  return {
    sessions: new Gauge({
      name: 'sallyport_sessions_open',
      help: 'Sessions open now.',
      labelNames: ['route', 'bridge'],
      registers,
    }),
    upgrades: new Counter({
      name: 'sallyport_upgrades_total',
      help: 'Upgrade requests, by outcome: accepted, or the code of the refusal.',
      labelNames: ['route', 'outcome'],
      registers,
    }),
    messages: new Counter({
      name: 'sallyport_messages_total',
      help: 'Messages passed on: up is towards the upstream, down towards the client.',
      labelNames: ['route', 'direction'],
      registers,
    }),
    bytes: new Counter({
      name: 'sallyport_payload_bytes_total',
      help: 'Payload bytes passed on: up is towards the upstream, down towards the client.',
      labelNames: ['route', 'direction'],
      registers,
    }),
    ended: new Counter({
      name: 'sallyport_sessions_ended_total',
      help: 'Sessions that ended, by WebSocket close code and by who ended them.',
      labelNames: ['route', 'code', 'by'],
      registers,
    }),
    live: new Gauge({
      name: 'sallyport_upstream_sessions',
      help: 'Sessions and requests that lead to each target now, dials under way among them.',
      labelNames: ['route', 'target'],
      registers,
    }),
    healthy: new Gauge({
      name: 'sallyport_upstream_healthy',
      help: '1: the target gets its share; 0: its dials or checks fail, and others are tried first.',
      labelNames: ['route', 'target'],
      registers,
    }),
    dials: new Counter({
      name: 'sallyport_upstream_dials_total',
      help: 'Dials, by outcome: connected, the code of the failure, outpaced by another address, or abandoned by the client.',
      labelNames: ['route', 'target', 'outcome'],
      registers,
    }),
    dialSeconds: new Histogram({
      name: 'sallyport_upstream_dial_seconds',
      help: 'How long dials took that worked, the handshake with the upstream included.',
      labelNames: ['route'],
      buckets: DIAL_SECONDS,
      registers,
    }),
    durations: new Histogram({
      name: 'sallyport_session_duration_seconds',
      help: 'How long ended sessions were open.',
      labelNames: ['route'],
      buckets: DURATION_SECONDS,
      registers,
    }),
    requests: new Counter({
      name: 'sallyport_requests_total',
      help: 'Plain HTTP requests, by class of status.',
      labelNames: ['route', 'status'],
      registers,
    }),
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

const OUR_CLOSE_CODES: ReadonlySet<number> = new Set(ERROR_CODES.map((code) => new GatewayError(code).close));

/** Peers may choose any of 4,000 close codes: those neither registered (RFC 6455 §7.4.1) nor ours count as `4xxx`. */
function closeLabel(code: number): string {
  const registered = code >= 1000 && code <= 1015;
  return registered || OUR_CLOSE_CODES.has(code) ? String(code) : `${Math.trunc(code / 1000)}xxx`;
}

function statusLabel(status: number): string {
  return `${Math.trunc(status / 100)}xx`;
}

function zero(): Traffic {
  return { messages: 0, bytes: 0 };
}

function addTraffic(sum: Traffic, part: Traffic): void {
  sum.messages += part.messages;
  sum.bytes += part.bytes;
}
