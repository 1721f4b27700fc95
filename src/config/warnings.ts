import { unguardedFalls } from './falls.ts';
import { isUrl } from './fields.ts';
import { nearMisses } from './near-misses.ts';
import { loginWarnings, originWarnings, rebinding } from './origin-warnings.ts';
import type { Finding, Path } from './problem.ts';
import { reach } from './reach.ts';
import type { AuthConfig, Config, IssuerConfig, ListenerConfig, RouteConfig } from './schema.ts';
import { shadowedRoutes } from './shadows.ts';
import { valueAt } from './tree.ts';
import { servedKinds } from './upstream-kinds.ts';

/**
 * What is legal, but what a careful operator wants to hear. `written` is the configuration as it stands in the
 * file, before variables and `file:` were replaced.
 */
export function findWarnings(config: Config, written: unknown): Finding[] {
  return [
    ...config.listeners.flatMap((listener, index) => plainListener(listener, index, config)),
    ...openAdmin(config),
    ...trustedEverybody(config),
    ...rebinding(config),
    ...Object.entries(config.issuers).flatMap(([name, issuer]) =>
      issuerWarnings(name, issuer, config, written),
    ),
    ...config.routes.flatMap(routeWarnings),
    ...shadowedRoutes(config),
    ...unguardedFalls(config),
    ...nearMisses(config),
  ];
}

/** Behind a trusted proxy that speaks TLS for it, a listener without is usual. */
function plainListener(listener: ListenerConfig, index: number, { trustedProxies }: Config): Finding[] {
  const isExposed = reach(listener.host) === 'public' && trustedProxies.length === 0;
  if (listener.tls !== undefined || !isExposed) return [];
  return warn(
    ['listeners', index],
    'plain text on a public address: tokens and messages can be read on the way',
    {
      hint: 'add tls, listen on 127.0.0.1, or name the proxy that speaks TLS under trustedProxies',
    },
  );
}

function openAdmin({ admin }: Config): Finding[] {
  if (admin === undefined || reach(admin.host) === 'loopback') return [];
  return warn(['admin', 'host'], 'metrics are open to everybody who reaches this address');
}

function trustedEverybody({ trustedProxies }: Config): Finding[] {
  return trustedProxies.flatMap(([, prefix], index) =>
    prefix === 0
      ? warn(
          ['trustedProxies', index],
          'every client may claim any address: limits and rules per address are void',
        )
      : [],
  );
}

function issuerWarnings(name: string, issuer: IssuerConfig, config: Config, written: unknown): Finding[] {
  const path = ['issuers', name];
  const isUsed = config.routes.some(({ auth }) => auth !== 'none' && auth.issuer.includes(name));
  return [
    ...(isUsed ? [] : warn(path, 'no route uses this issuer', { atKey: true })),
    ...shortSecret(issuer, path),
    ...literalSecret(path, written),
    ...plainKeys(issuer, path),
  ];
}

/** RFC 7518 §3.2: a key of at least the hash's size. */
function shortSecret({ secret, algorithms }: IssuerConfig, path: Path): Finding[] {
  if (secret === undefined) return [];
  const bytes = Buffer.byteLength(secret);
  const needed = Math.max(...algorithms.map((name) => Number(name.slice(2)) / 8));
  if (bytes >= needed) return [];
  return warn(
    [...path, 'secret'],
    `has ${bytes} bytes; ${algorithms.join(', ')} needs ${needed} or it can be guessed`,
  );
}

function literalSecret(path: Path, written: unknown): Finding[] {
  const text = valueAt(written, [...path, 'secret']);
  if (typeof text !== 'string' || text.startsWith('file:') || text.includes('${')) return [];
  return warn([...path, 'secret'], 'stands in the file for all to read', {
    hint: `take it from the environment with \${NAME}, or from file:PATH`,
  });
}

function plainKeys({ jwks }: IssuerConfig, path: Path): Finding[] {
  if (jwks === undefined || !isUrl(jwks)) return [];
  const { protocol, hostname } = new URL(jwks);
  if (protocol === 'https:' || reach(hostname) === 'loopback') return [];
  return warn([...path, 'jwks'], 'keys over plain http: who can change them on the way can sign any token');
}

function routeWarnings(route: RouteConfig, index: number): Finding[] {
  const path = ['routes', index];
  return [
    ...(route.auth === 'none' ? openTunnel(route, path) : authWarnings(route.auth, path)),
    ...originWarnings(route, path),
    ...loginWarnings(route, path),
    ...unnoticedLoss(route, path),
    ...unverifiedUpstream(route, path),
  ];
}

function openTunnel({ upstream }: RouteConfig, path: Path): Finding[] {
  if (upstream.tcp === undefined) return [];
  return warn([...path, 'auth'], 'anybody who reaches the gateway can talk to this TCP service');
}

function authWarnings({ token }: AuthConfig, path: Path): Finding[] {
  return token.flatMap(({ from }, index) =>
    from === 'query'
      ? warn([...path, 'auth', 'token', index], 'tokens in URLs end up in histories and in logs of proxies', {
          hint: 'prefer subprotocol',
        })
      : [],
  );
}

function unnoticedLoss({ keepalive, timeouts, upstream }: RouteConfig, path: Path): Finding[] {
  const isWatched =
    keepalive !== 'off' || (timeouts.idle ?? Infinity) < Infinity || timeouts.lifetime !== undefined;
  if (isWatched || !servedKinds(upstream).includes('upgrade')) return [];
  return warn([...path, 'keepalive'], 'a client that vanishes keeps its connection for ever', {
    hint: 'set timeouts.idle or timeouts.lifetime',
  });
}

function unverifiedUpstream({ upstream }: RouteConfig, path: Path): Finding[] {
  if (upstream.tls?.verify !== 'off') return [];
  return warn(
    [...path, 'upstream', 'tls', 'verify'],
    'whoever answers is believed: who can change the way to the upstream can read and change everything',
    { hint: 'give tls.ca what its certificate is signed with, or tls.servername the name it carries' },
  );
}

function warn(path: Path, message: string, more: Pick<Finding, 'hint' | 'atKey'> = {}): Finding[] {
  return [{ path, message, ...more }];
}
