import type { BalanceConfig } from '../config/pool.ts';
import type { Config } from '../config/schema.ts';
import type { UpstreamDesk, UpstreamView } from '../observe/admin/upstreams.ts';
import { describeError } from '../observe/redact.ts';
import type { Sessions } from '../session/registry.ts';
import type { EndpointRecord, PoolRecord, UpstreamContext } from '../upstream/context.ts';
import { Endpoint } from '../upstream/endpoint.ts';

/** So many are told at a time: more than anybody reads. */
const MOST = 1_000;

/** Where the routes of a gateway lead to, for its operators. */
export function createUpstreamDesk(
  { pools, endpoints, now }: Pick<UpstreamContext, 'pools' | 'endpoints' | 'now'>,
  sessions: Sessions,
  routes: Config['routes'],
): UpstreamDesk {
  const policies = new Map(routes.map(({ name, upstream }) => [name, policyText(upstream.balance)]));

  function* all(count: (record: EndpointRecord) => number): Iterable<UpstreamView> {
    const places = placesIn(pools);
    for (const record of endpoints.records()) {
      const view = { ...viewOf(record, now()), sessions: count(record) };
      const kinds = places.get(`${record.route} ${record.name}`) ?? [];
      yield {
        ...view,
        kinds: record instanceof Endpoint ? kinds : ['tcp'],
        balance: policies.get(record.route),
      };
    }
    for (const pool of pools) yield* unresolved(pool);
  }

  return {
    async list(route) {
      const found = [...all(counter(sessions))].filter((each) => route === undefined || each.route === route);
      // Each in the order of the configuration.
      const order = [...policies.keys()];
      found.sort((a, b) => order.indexOf(a.route) - order.indexOf(b.route));
      return { upstreams: found.slice(0, MOST), more: Math.max(0, found.length - MOST) };
    },
  };
}

/** The kinds that lead to each endpoint, by its route and name. */
function placesIn(pools: Iterable<PoolRecord>): Map<string, string[]> {
  const kinds = new Map<string, string[]>();
  for (const { route, kind, endpoints } of pools) {
    for (const { name } of endpoints) {
      const key = `${route} ${name}`;
      const known = kinds.get(key) ?? [];
      if (!known.includes(kind)) kinds.set(key, [...known, kind]);
    }
  }
  return kinds;
}

/** How many sessions lead to each. A rule is the label of its sessions. */
function counter(sessions: Sessions) {
  const counts = new Map<string, number>();
  for (const { route, target, label } of sessions) {
    for (const name of new Set([target, label ?? target])) {
      const key = `${route} ${name}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
  }
  return ({ route, name }: EndpointRecord) => counts.get(`${route} ${name}`) ?? 0;
}

function viewOf(record: EndpointRecord, now: number): Omit<UpstreamView, 'kinds' | 'sessions'> {
  const { route, name: target, live: inFlight } = record;
  if (!(record instanceof Endpoint)) return { route, target, state: 'unknown', inFlight };
  const { address, isGone, standing, outage } = record;
  return {
    route,
    target,
    address: record.target.socketPath === undefined ? address : undefined,
    state: isGone ? 'gone' : standing.state(now),
    ...(outage !== undefined && {
      since: new Date(Date.now() - (now - outage.at)).toISOString(),
      by: outage.by,
      error: describeError(outage.cause),
    }),
    weight: record.target.weight,
    inFlight,
  };
}

function unresolved(pool: PoolRecord): UpstreamView[] {
  const { route, kind } = pool;
  return pool.unresolved().map(({ target, error }) => {
    const failure = describeError(error.cause);
    return { route, kinds: [kind], target, state: 'unresolved', error: failure, inFlight: 0, sessions: 0 };
  });
}

/** Absent: as the kind has it. */
function policyText(balance: BalanceConfig | undefined): string | undefined {
  if (typeof balance !== 'object') return balance;
  const { from, name } = balance.hash;
  return `hash: ${name === '' ? from : `${from}:${name}`}`;
}
