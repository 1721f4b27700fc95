import type { Finding, Path } from './problem.ts';
import { isTree, valueAt } from './tree.ts';

/** What a route's upstream can be; exactly one of them. */
export const UPSTREAM_KINDS = ['websocket', 'tcp', 'poll', 'http'] as const;
export type UpstreamKind = (typeof UPSTREAM_KINDS)[number];

/** A plain HTTP route has requests, not connections with messages; the tcp bridge alone has choices of its own. */
const WITHOUT_EFFECT: Readonly<Record<UpstreamKind, readonly string[]>> = {
  websocket: ['upstream.protocols', 'upstream.text'],
  tcp: ['upstream.tls'],
  poll: ['upstream.protocols', 'upstream.text'],
  http: [
    'upstream.protocols',
    'upstream.text',
    'limits.connections',
    'limits.messages',
    'limits.bytes',
    'limits.messageSize',
    'timeouts.lifetime',
    'timeouts.close',
    'keepalive',
    'refuse',
    'auth.onExpiry',
  ],
};

/** Keys that are right by themselves, but do nothing with the upstream their route has. Nothing is ignored in silence. */
export function checkUnusedKeys(tree: unknown): Finding[] {
  const routes = valueAt(tree, ['routes']);
  if (!Array.isArray(routes)) return [];
  return routes.flatMap((route: unknown, index) => {
    const kinds = kindsOf(valueAt(route, ['upstream']));
    const [kind] = kinds;
    return kind === undefined || kinds.length > 1 ? [] : idleKeys(route, kind, ['routes', index]);
  });
}

function idleKeys(route: unknown, kind: UpstreamKind, base: Path): Finding[] {
  const idle = WITHOUT_EFFECT[kind]
    .map((key) => key.split('.'))
    .filter((path) => valueAt(route, path) !== undefined);
  const found = idle.map((path) => ({
    path: [...base, ...path],
    message: `has no effect with ${kind === 'http' ? 'an http' : `a ${kind}`} upstream`,
    hint: 'remove it',
    atKey: true,
  }));
  return [...found, ...idleTls(route, kind, base)];
}

function idleTls(route: unknown, kind: UpstreamKind, base: Path): Finding[] {
  const path = ['upstream', 'tls'];
  if (kind === 'tcp' || valueAt(route, path) === undefined) return [];
  const isSecure = /"(wss|https):/i.test(JSON.stringify(valueAt(route, ['upstream', kind])) ?? '');
  if (isSecure) return [];
  return [
    { path: [...base, ...path], message: 'has no effect: no target is wss:// or https://', atKey: true },
  ];
}

/** The kinds an upstream names. */
export function kindsOf(upstream: unknown): UpstreamKind[] {
  if (!isTree(upstream)) return [];
  return UPSTREAM_KINDS.filter((kind) => upstream[kind] !== undefined);
}
