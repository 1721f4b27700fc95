import type { Config, RouteConfig } from '../../config/schema.ts';
import { readTable } from '../../config/tcp/table-file.ts';
import { fixedTargets, isDynamic } from '../../config/tcp/targets.ts';
import { kindsOf, type UpstreamKind } from '../../config/upstream-kinds.ts';
import type { UpstreamContext } from '../../upstream/context.ts';
import type { Endpoint } from '../../upstream/endpoint.ts';
import { Pool } from '../../upstream/pool.ts';
import { targetsOf } from '../../upstream/target.ts';
import { ask, pathFor } from './asking.ts';
import { reasonOf, type Trial } from './trial.ts';

/** Every target of every route, those of tables among them, looked up and asked as for sessions: at all of its addresses. */
export function targetTrials({ routes }: Config, context: UpstreamContext): Trial[] {
  return routes
    .map(withTable)
    .flatMap((route) =>
      kindsOf(route.upstream).flatMap((kind) =>
        kind === 'tcp' && isDynamic(route.upstream.tcp) ? [notTried(route)] : trialsOf(route, kind, context),
      ),
    );
}

function trialsOf(route: RouteConfig, kind: UpstreamKind, context: UpstreamContext): Trial[] {
  return targetsOf(route.upstream, kind).map((target, index) => ({
    target: target.name,
    of: `route ${route.name}, ${kind}`,
    run: (signal) =>
      askTarget(withOne(route, index), { kind, path: pathFor(route, kind, target) }, context, signal),
  }));
}

/** What clients name, nobody knows before they do. */
function notTried({ name, upstream }: RouteConfig): Trial {
  const target = isDynamic(upstream.tcp) ? upstream.tcp.template : '';
  return { target, of: `route ${name}, tcp`, run: async () => 'is not tried: clients name it' };
}

/** A route with the table of its targets in the place of what clients choose by, each of them once. */
function withTable(route: RouteConfig): RouteConfig {
  const { tcp, targets } = route.upstream;
  if (!isDynamic(tcp) || targets === undefined) return route;
  const entries =
    'file' in targets ? readTable(targets.file).entries.values() : Object.values(targets.entries);
  const each = new Map([...entries].map((where) => [JSON.stringify(where), where]));
  return { ...route, upstream: { ...route.upstream, tcp: [...each.values()], targets: undefined } };
}

/** The same route with one of its targets, which nothing but this asks after. */
export function withOne(route: RouteConfig, index: number): RouteConfig {
  const { upstream } = route;
  const { websocket, tcp, http, poll, post } = upstream;
  const one = {
    websocket: pick(websocket),
    tcp: tcp && pick(fixedTargets(tcp)),
    http: pick(http),
    poll: poll && { ...poll, target: pick(poll.target) ?? [] },
    post: post && { ...post, target: pick(post.target) ?? [] },
  };
  return { ...route, upstream: { ...upstream, ...one, health: undefined } };

  function pick<T>(list: readonly T[] | undefined): T[] | undefined {
    return list?.slice(index, index + 1);
  }
}

interface Asked {
  readonly kind: UpstreamKind;
  readonly path: string;
}

async function askTarget(
  route: RouteConfig,
  asked: Asked,
  context: UpstreamContext,
  signal: AbortSignal,
): Promise<string> {
  const pool = new Pool(route, asked.kind, context);
  try {
    await pool.ready(signal);
    if (pool.endpoints.length === 0)
      throw pool.unresolved()[0]?.error ?? new Error('its name was not found in time');
    return await askAll(pool, asked, signal);
  } finally {
    pool.close();
  }
}

/** One address that will do is enough; those that will not are told. */
async function askAll(pool: Pool, asked: Asked, signal: AbortSignal): Promise<string> {
  const { endpoints } = pool;
  const startedAt = performance.now();
  const outcomes = await Promise.allSettled(endpoints.map((endpoint) => ask(pool, endpoint, asked, signal)));
  const ms = Math.round(performance.now() - startedAt);
  const failures = outcomes.flatMap((outcome, index) =>
    outcome.status === 'rejected' ? [failureText(endpoints[index], outcome.reason, endpoints.length)] : [],
  );
  const told = outcomes.find((outcome) => outcome.status === 'fulfilled')?.value;
  if (told === undefined) throw new Error(failures.join(', '));
  if (failures.length > 0) return `${told}, but not at ${failures.join(', ')}`;
  return `${told} (${ms} ms)`;
}

function failureText(endpoint: Endpoint | undefined, error: unknown, count: number): string {
  return count === 1 ? reasonOf(error) : `${endpoint?.address} (${reasonOf(error)})`;
}
