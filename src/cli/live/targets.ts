import type { Config, RouteConfig } from '../../config/schema.ts';
import { kindsOf, type UpstreamKind } from '../../config/upstream-kinds.ts';
import type { UpstreamContext } from '../../upstream/context.ts';
import type { Endpoint } from '../../upstream/endpoint.ts';
import { Pool } from '../../upstream/pool.ts';
import { targetsOf } from '../../upstream/target.ts';
import { reasonOf, type Trial } from './trial.ts';

/** Every target of every route, looked up and dialled as sessions would: at all of its addresses, through TLS, nothing said. */
export function targetTrials({ routes }: Config, context: UpstreamContext): Trial[] {
  return routes.flatMap((route) =>
    kindsOf(route.upstream).flatMap((kind) =>
      targetsOf(route.upstream, kind).map(({ name }, index) => ({
        target: name,
        of: `route ${route.name}, ${kind}`,
        run: (signal) => dialTarget(withOne(route, index), kind, context, signal),
      })),
    ),
  );
}

/** The same route with one of its targets, which nothing but this asks after. */
function withOne(route: RouteConfig, index: number): RouteConfig {
  const { upstream } = route;
  const { websocket, tcp, http, poll } = upstream;
  const one = {
    websocket: pick(websocket),
    tcp: pick(tcp),
    http: pick(http),
    poll: poll && { ...poll, target: pick(poll.target) ?? [] },
  };
  return { ...route, upstream: { ...upstream, ...one, health: undefined } };

  function pick<T>(list: readonly T[] | undefined): T[] | undefined {
    return list?.slice(index, index + 1);
  }
}

async function dialTarget(
  route: RouteConfig,
  kind: UpstreamKind,
  context: UpstreamContext,
  signal: AbortSignal,
): Promise<string> {
  const pool = new Pool(route, kind, context);
  try {
    await pool.ready(signal);
    if (pool.endpoints.length === 0)
      throw pool.unresolved()[0]?.error ?? new Error('its name was not found in time');
    return await dialAll(pool, signal);
  } finally {
    pool.close();
  }
}

/** One address that connects is enough; those that do not are told. */
async function dialAll(pool: Pool, signal: AbortSignal): Promise<string> {
  const { endpoints } = pool;
  const startedAt = performance.now();
  const dials = await Promise.allSettled(endpoints.map((endpoint) => dial(pool, endpoint, signal)));
  const failures = dials.flatMap((dialled, index) =>
    dialled.status === 'rejected' ? [failureText(endpoints[index], dialled.reason, endpoints.length)] : [],
  );
  if (failures.length === dials.length) throw new Error(failures.join(', '));
  if (failures.length > 0) return `connects, but not at ${failures.join(', ')}`;
  return `connects in ${Math.round(performance.now() - startedAt)} ms`;
}

async function dial(pool: Pool, endpoint: Endpoint, signal: AbortSignal): Promise<void> {
  const socket = await pool.connect(endpoint, signal);
  socket.destroy();
}

function failureText(endpoint: Endpoint | undefined, error: unknown, count: number): string {
  return count === 1 ? reasonOf(error) : `${endpoint?.address} (${reasonOf(error)})`;
}
