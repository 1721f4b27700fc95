import type { RequestKind } from '../http/request.ts';
import { POLL_HEADERS } from './poll/index.ts';
import type { Finding, Path } from './problem.ts';
import { valueAt } from './tree.ts';
import { isLegal, kindsOf, servedKinds, type UpstreamKind, upgradesTo } from './upstream-kinds.ts';

/** What a key needs in order to have an effect: one of these kinds of upstream, or a route that serves these requests. */
type Need = { readonly upstream: readonly UpstreamKind[] } | { readonly serves: RequestKind };

/** Keys that not every route has a use for. */
const NEEDS: Readonly<Record<string, Need>> = {
  'upstream.protocols': { upstream: ['tcp'] },
  'upstream.text': { upstream: ['tcp'] },
  'upstream.frames': { upstream: ['tcp'] },
  'upstream.lineSize': { upstream: ['tcp'] },
  'upstream.targets': { upstream: ['tcp'] },
  'upstream.allow': { upstream: ['tcp'] },
  'upstream.allowClaim': { upstream: ['tcp'] },
  'upstream.proxyProtocol': { upstream: ['tcp'] },
  'upstream.tcpProtocol': { upstream: ['tcp'] },
  'upstream.connectTcp': { upstream: ['tcp'] },
  'upstream.resume': { upstream: ['tcp'] },
  'upstream.upgrades': { upstream: ['http'] },
  'limits.connections': { serves: 'upgrade' },
  'limits.messages': { serves: 'upgrade' },
  'limits.bytes': { serves: 'upgrade' },
  'limits.messageSize': { serves: 'upgrade' },
  'limits.fragments': { serves: 'upgrade' },
  'timeouts.idle.client': { serves: 'upgrade' },
  'timeouts.idle.upstream': { serves: 'upgrade' },
  'timeouts.lifetime': { serves: 'upgrade' },
  'timeouts.close': { serves: 'upgrade' },
  keepalive: { serves: 'upgrade' },
  refuse: { serves: 'upgrade' },
  'auth.onExpiry': { serves: 'upgrade' },
  compression: { serves: 'upgrade' },
  cors: { serves: 'request' },
  login: { serves: 'request' },
  'limits.requests': { serves: 'request' },
  'limits.uploads': { serves: 'request' },
  'timeouts.response': { serves: 'request' },
  'upstream.stripPrefix': { upstream: ['http'] },
  'upstream.host': { upstream: ['websocket', 'poll', 'post', 'http'] },
  'upstream.credentials': { upstream: ['websocket', 'poll', 'post', 'http'] },
  'upstream.headers': { upstream: ['websocket', 'poll', 'post', 'http'] },
  'upstream.answerHeaders': { upstream: ['websocket', 'http'] },
};

/** Keys that are right by themselves, but do nothing with the upstream their route has. Nothing is ignored in silence. */
export function checkUnusedKeys(tree: unknown): Finding[] {
  const routes = valueAt(tree, ['routes']);
  const list: unknown[] = Array.isArray(routes) ? routes : [];
  const found = list.flatMap((route, index) => {
    const upstream = valueAt(route, ['upstream']);
    // An upstream that is refused as a whole needs no complaint about its parts.
    return isLegal(kindsOf(upstream)) ? idleKeys(route, upstream, ['routes', index]) : [];
  });
  return [...idleHost(tree), ...found];
}

/** A unix socket has none. */
function idleHost(tree: unknown): Finding[] {
  const has = (key: string) => valueAt(tree, ['admin', key]) !== undefined;
  return has('socket') && has('host') ? [idle(['admin', 'host'], 'with socket')] : [];
}

function idleKeys(route: unknown, upstream: unknown, base: Path): Finding[] {
  const written = Object.entries(NEEDS).map(([key, need]) => ({ path: key.split('.'), need }));
  const found = written
    .filter(({ path }) => valueAt(route, path) !== undefined)
    .flatMap(({ path, need }) => {
      const reason = idleBecause(need, upstream);
      return reason === undefined ? [] : [idle([...base, ...path], reason)];
    });
  return [
    ...found,
    ...idleSwitch(upstream, base),
    ...idleCompression(route, upstream, base),
    ...idleHeaders(upstream, base),
    ...idleTls(upstream, base),
    ...idleTokenKeys(route, base),
  ];
}

function idle(path: Path, reason: string): Finding {
  return { path, message: `has no effect ${reason}`, hint: 'remove it', atKey: true };
}

function idleBecause(need: Need, upstream: unknown): string | undefined {
  if ('upstream' in need)
    return kindsOf(upstream).some((kind) => need.upstream.includes(kind))
      ? undefined
      : `without ${need.upstream.join(' or ')}`;
  return servedKinds(upstream).includes(need.serves)
    ? undefined
    : `on a route that takes no ${need.serves === 'upgrade' ? 'upgrades' : 'plain requests'}`;
}

/** With a bridge beside http, all upgrades go there. */
function idleSwitch(upstream: unknown, base: Path): Finding[] {
  const [bridge, http] = kindsOf(upstream);
  if (http === undefined || valueAt(upstream, ['upgrades']) === undefined) return [];
  return [idle([...base, 'upstream', 'upgrades'], `beside ${bridge}, which takes the upgrades`)];
}

/** Only where both peers speak WebSocket is compression negotiated. */
function idleCompression(route: unknown, upstream: unknown, base: Path): Finding[] {
  const kind = upgradesTo(upstream);
  if (valueAt(route, ['compression']) === undefined || (kind !== 'tcp' && !isSession(kind))) return [];
  return [idle([...base, 'compression'], `where WebSockets lead to ${kind}: they are never compressed`)];
}

/** It is a session with an HTTP service. */
const isSession = (kind: string | undefined) => kind === 'poll' || kind === 'post';

/** Plain requests beside the polls would be changed all the same. */
function idleHeaders(upstream: unknown, base: Path): Finding[] {
  const set = valueAt(upstream, ['headers', 'set']);
  const kinds = kindsOf(upstream);
  if (typeof set !== 'object' || set === null || !kinds.every(isSession)) return [];
  return Object.keys(set)
    .filter((name) => POLL_HEADERS.includes(name.toLowerCase()))
    .map((name) =>
      idle([...base, 'upstream', 'headers', 'set', name], `with ${kinds[0]} alone, which says it itself`),
    );
}

/** Clients that prove themselves otherwise are not asked for a token. */
function idleTokenKeys(route: unknown, base: Path): Finding[] {
  const auth = valueAt(route, ['auth']);
  const has = (key: string) => valueAt(auth, [key]) !== undefined;
  if (has('issuer') || has('keys')) return [];
  return ['token', 'forwardToken']
    .filter(has)
    .map((key) => idle([...base, 'auth', key], 'without issuer or keys: no token is looked for'));
}

function idleTls(upstream: unknown, base: Path): Finding[] {
  if (valueAt(upstream, ['tls']) === undefined) return [];
  const path = [...base, 'upstream', 'tls'];
  const kinds = kindsOf(upstream);
  if (kinds.includes('tcp')) return [];
  const tls = valueAt(upstream, ['tls']);
  if (typeof tls === 'string' && tls !== 'on') return [idle(path, 'without tcp')];
  if (valueAt(tls, ['starttls']) !== undefined) return [idle([...path, 'starttls'], 'without tcp')];
  const isSecure = kinds.some((kind) =>
    /"(wss|https):/i.test(JSON.stringify(valueAt(upstream, [kind])) ?? ''),
  );
  if (isSecure) return [];
  return [{ path, message: 'has no effect: no target is wss:// or https://', atKey: true }];
}
