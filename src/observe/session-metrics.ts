import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Traffic } from '../bridge/contract.ts';
import { ERROR_CODES, GatewayError } from '../errors.ts';
import type { Observer, SessionRecord } from './index.ts';
import type { RouteSeries } from './series.ts';

/** Sessions last from one message to days. */
const DURATION_SECONDS = [1, 10, 60, 300, 1_800, 3_600, 14_400, 43_200, 86_400];

/** The ways in which sessions end every day, and those that an alert asks for: each is a series for every route. */
const LIKELY_ENDINGS = [
  ['1000', 'client'],
  ['1000', 'upstream'],
  ['1001', 'client'],
  ['1001', 'gateway'],
  ['1005', 'client'],
  ['1006', 'client'],
  ['1008', 'gateway'],
  ['1011', 'gateway'],
  ['1014', 'upstream'],
] as const;

export interface SessionMetrics extends Pick<Observer, 'ended' | 'over'> {
  /** Brings the registry up to date, right before it is read. */
  takeStock(): void;
}

/** Counts in a registry the sessions that `open` lists and those that have ended, and what they have carried. */
export function createSessionMetrics(
  registry: Registry,
  open: () => Iterable<SessionRecord>,
  series: readonly RouteSeries[],
): SessionMetrics {
  const meters = createMeters(registry);
  const { sessions, messages, bytes, undelivered, endings, durations } = meters;
  const addTraffic = (record: Carried) => countTraffic(meters, record);
  const totals = new Totals();
  beginAtZero(series, totals, meters);

  return {
    ended(session, ending, durationMs) {
      const { route } = session;
      totals.add(session);
      countUndelivered(undelivered, session);
      endings.inc({ route, code: closeLabel(ending.code), by: ending.by });
      durations.observe({ route }, durationMs / 1000);
    },
    /** What its connections were was counted with them. */
    over: (session) => countUndelivered(undelivered, session),
    /** Sums ended and open sessions in one go, so that no session ends in between and is missed or counted twice. */
    takeStock() {
      for (const meter of [sessions, messages, bytes]) meter.reset();
      for (const total of totals) {
        sessions.set({ route: total.route, bridge: total.bridge }, 0);
        addTraffic(total);
      }
      for (const session of open()) {
        sessions.inc({ route: session.route, bridge: session.bridge });
        addTraffic(session);
      }
    },
  };
}

function beginAtZero(
  series: readonly RouteSeries[],
  totals: Totals,
  { endings, durations, undelivered }: ReturnType<typeof createMeters>,
): void {
  for (const { route, bridge } of series) {
    if (bridge === undefined) continue;
    totals.obtain(route, bridge);
    for (const [code, by] of LIKELY_ENDINGS) endings.inc({ route, code, by }, 0);
    durations.zero({ route });
    if (bridge === 'poll' || bridge === 'post') undelivered.inc({ route }, 0);
  }
}

function createMeters(registry: Registry) {
  const registers = [registry];
  return {
    sessions: new Gauge({
      name: 'sallyport_sessions_open',
      help: 'Sessions open now.',
      labelNames: ['route', 'bridge'],
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
    undelivered: undeliveredMessages(registry),
    endings: new Counter({
      name: 'sallyport_sessions_ended_total',
      help: 'Sessions that ended, by WebSocket close code and by who ended them.',
      labelNames: ['route', 'code', 'by'],
      registers,
    }),
    durations: new Histogram({
      name: 'sallyport_session_duration_seconds',
      help: 'How long ended sessions were open.',
      labelNames: ['route'],
      buckets: DURATION_SECONDS,
      registers,
    }),
  };
}

type Carried = Pick<SessionRecord, 'route' | 'up' | 'down'>;

function countTraffic(
  { messages, bytes }: ReturnType<typeof createMeters>,
  { route, up, down }: Carried,
): void {
  messages.inc({ route, direction: 'up' }, up.messages);
  messages.inc({ route, direction: 'down' }, down.messages);
  bytes.inc({ route, direction: 'up' }, up.bytes);
  bytes.inc({ route, direction: 'down' }, down.bytes);
}

function countUndelivered(counter: Counter<'route'>, { route, undelivered }: SessionRecord): void {
  if (undelivered) counter.inc({ route }, undelivered);
}

function undeliveredMessages(registry: Registry) {
  return new Counter({
    name: 'sallyport_undelivered_messages_total',
    help: 'Messages of clients that an HTTP service has not accepted when their session ended.',
    labelNames: ['route'],
    registers: [registry],
  });
}

/** What the ended sessions of one route and bridge have carried. */
interface Total {
  readonly route: string;
  readonly bridge: SessionRecord['bridge'];
  readonly up: Traffic;
  readonly down: Traffic;
}

/** The sums of ended sessions, by route and bridge. */
class Totals {
  readonly #totals = new Map<string, Total>();

  [Symbol.iterator](): Iterator<Total> {
    return this.#totals.values();
  }

  /** That of a route and bridge, begun at zero. */
  obtain(route: string, bridge: SessionRecord['bridge']): Total {
    const key = `${bridge} ${route}`;
    const total = this.#totals.get(key) ?? { route, bridge, up: zero(), down: zero() };
    this.#totals.set(key, total);
    return total;
  }

  add({ route, bridge, up, down }: SessionRecord): void {
    const total = this.obtain(route, bridge);
    increase(total.up, up);
    increase(total.down, down);
  }
}

function zero(): Traffic {
  return { messages: 0, bytes: 0 };
}

function increase(sum: Traffic, part: Traffic): void {
  sum.messages += part.messages;
  sum.bytes += part.bytes;
}

const OUR_CLOSE_CODES: ReadonlySet<number> = new Set(ERROR_CODES.map((code) => new GatewayError(code).close));

/** Peers may choose any of 4,000 close codes: those neither registered (RFC 6455 §7.4.1) nor ours count as `4xxx`. */
function closeLabel(code: number): string {
  const registered = code >= 1000 && code <= 1015;
  return registered || OUR_CLOSE_CODES.has(code) ? String(code) : `${Math.trunc(code / 1000)}xxx`;
}
