import { sessionConfigOf } from '../config/poll/index.ts';
import type { RouteConfig } from '../config/schema.ts';
import { isDynamic } from '../config/tcp/targets.ts';
import { servedKinds, upgradesTo } from '../config/upstream-kinds.ts';
import { targetsOf } from '../upstream/target.ts';
import type { SessionRecord } from './index.ts';

/**
 * What a route of the configuration can count. Its series are there from the start: a rate over one that comes later misses what
 * made it come, and an alert cannot tell 0 from nothing.
 */
export interface RouteSeries {
  readonly route: string;
  /** Undefined where it takes no upgrades. */
  readonly bridge: SessionRecord['bridge'] | undefined;
  readonly servesRequests: boolean;
  /** Its sessions may outlive their clients. */
  readonly lingers: boolean;
}

/** What the bytes of its TCP sessions are counted under, as far as that is known from the start. */
export function targetsIn({ upstream }: Pick<RouteConfig, 'upstream'>): string[] {
  const { tcp, targets, allow = [] } = upstream;
  if (!isDynamic(tcp)) return namesOf(upstream);
  if (targets === undefined) return allow.map(({ text }) => text);
  if ('file' in targets) return [];
  return Object.values(targets.entries).flatMap((entry) => namesOf({ ...upstream, tcp: [entry] }));
}

function namesOf(upstream: RouteConfig['upstream']): string[] {
  return targetsOf(upstream, 'tcp').map(({ name }) => name);
}

export function seriesOf({ name, upstream }: Pick<RouteConfig, 'name' | 'upstream'>): RouteSeries {
  const kind = upgradesTo(upstream);
  const servesRequests = servedKinds(upstream).includes('request');
  const lingers = sessionConfigOf(upstream)?.linger !== undefined || upstream.resume !== undefined;
  return { route: name, bridge: kind === 'http' ? 'websocket' : kind, servesRequests, lingers };
}
