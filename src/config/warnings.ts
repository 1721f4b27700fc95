import { shownUrl } from '../http/query.ts';
import { anyAudience } from './any-audience.ts';
import { certificateWarnings } from './client-certificates.ts';
import { displacedEndpoints, shadowedEndpoints } from './endpoints.ts';
import { unguardedFalls } from './falls.ts';
import { isUrl } from './fields.ts';
import { idleRevocations } from './idle-revocations.ts';
import { namelessLimits, openLimits } from './limit-rules.ts';
import { hasIdleLimit } from './limits.ts';
import { nearMisses } from './near-misses.ts';
import { entryWarnings, rebinding } from './origin-warnings.ts';
import { sessionConfigOf } from './poll/index.ts';
import type { Finding, Path } from './problem.ts';
import { reach } from './reach.ts';
import type { AuthConfig, Config, IssuerConfig, ListenerConfig, RouteConfig } from './schema.ts';
import { SECRETS, WATCHED_SECRETS } from './secret-places.ts';
import { shadowedRoutes } from './shadows.ts';
import { storeWarnings } from './store.ts';
import { openTunnel, placelessNames, smallMessages, wideBlocks } from './tcp/warnings.ts';
import { ticketWarnings } from './tickets.ts';
import { places, valueAt } from './tree.ts';
import { servedKinds } from './upstream-kinds.ts';

/**
 * What is legal, but what a careful operator wants to hear. `written` is the configuration as it stands in the
 * file, before variables and `file:` were replaced.
 */
export function findWarnings(config: Config, written: unknown): Finding[] {
  return [
    ...config.listeners.flatMap((listener, index) => plainListener(listener, index, config)),
    ...noListener(config, written),
    ...openAdmin(config),
    ...trustedEverybody(config),
    ...rebinding(config),
    ...Object.entries(config.issuers).flatMap(([name, issuer]) => issuerWarnings(name, issuer, config)),
    ...config.routes.flatMap(routeWarnings),
    ...config.routes.flatMap(({ auth }, index) =>
      auth === 'none'
        ? openLimits(written, ['routes', index])
        : namelessLimits(written, ['routes', index], auth),
    ),
    ...lonePrefixes(config),
    ...colonNames(config),
    ...anyAudience(config),
    ...storeWarnings(config),
    ...idleRevocations(config),
    ...[...SECRETS, ...WATCHED_SECRETS]
      .flatMap((pattern) => places(written, pattern))
      .flatMap(({ path }) => literalSecret(path, written)),
    ...shadowedRoutes(config),
    ...unguardedFalls(config),
    ...nearMisses(config),
    ...shadowedEndpoints(config),
    ...displacedEndpoints(config),
    ...certificateWarnings(config),
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

/** In a program that gives plain data it is meant. */
function noListener({ listeners }: Config, written: unknown): Finding[] {
  if (listeners.length > 0 || valueAt(written, ['listeners']) === undefined) return [];
  return warn(['listeners'], 'nothing listens: clients come only through `gateway.attach(server)`');
}

function openAdmin({ admin }: Config): Finding[] {
  if (admin === undefined || reach(admin.host) === 'loopback') return [];
  const also = admin.secret === undefined ? '' : ', and its secret can be read on the way';
  return warn(['admin', 'host'], `metrics are open to everybody who reaches this address${also}`);
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

function issuerWarnings(name: string, issuer: IssuerConfig, config: Config): Finding[] {
  const path = ['issuers', name];
  const isUsed = config.routes.some(({ auth }) => auth !== 'none' && auth.issuer.includes(name));
  return [
    ...(isUsed ? [] : warn(path, 'no route uses this issuer', { atKey: true })),
    ...shortSecret(issuer, path),
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
  const text = valueAt(written, path);
  if (typeof text !== 'string' || text.startsWith('file:') || text.includes('${')) return [];
  return warn(path, 'stands in the file for all to read', {
    hint: `take it from the environment with \${NAME}, or from file:PATH`,
  });
}

/** Where the keys, or the document that says where they are, come from. */
function plainKeys({ jwks, discovery, issuer }: IssuerConfig, path: Path): Finding[] {
  const source = discovery ? issuer : jwks;
  if (source === undefined || !isUrl(source)) return [];
  const { protocol, hostname } = new URL(source);
  if (protocol === 'https:' || reach(hostname) === 'loopback') return [];
  return warn(
    [...path, discovery ? 'issuer' : 'jwks'],
    'keys over plain http: who can change them on the way can sign any token',
  );
}

function routeWarnings(route: RouteConfig, index: number): Finding[] {
  const path = ['routes', index];
  return [
    ...(route.auth === 'none' ? openTunnel(route, path) : authWarnings(route.auth, path)),
    ...entryWarnings(route, path),
    ...unnoticedLoss(route, path),
    ...unverified(route, path),
    ...lentCredentials(route, path),
    ...smallMessages(route, path),
    ...wideBlocks(route, path),
    ...placelessNames(route, path),
    ...ticketWarnings(route, path),
  ];
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
  const isWatched = keepalive !== 'off' || hasIdleLimit(timeouts.idle) || timeouts.lifetime !== undefined;
  if (isWatched || !servedKinds(upstream).includes('upgrade')) return [];
  return warn([...path, 'keepalive'], 'a client that vanishes keeps its connection for ever', {
    hint: 'set timeouts.idle or timeouts.lifetime',
  });
}

/** `/app` alone leaves nothing but `/` once `/app` is stripped, which is seldom all that was meant. */
function lonePrefixes({ routes }: Config): Finding[] {
  return routes.flatMap(({ match: { path }, upstream: { stripPrefix } }, index) => {
    if (path !== stripPrefix || routes.some(({ match }) => match.path === `${path}/*`)) return [];
    return warn(
      ['routes', index, 'match', 'path'],
      `takes ${path} alone, and nothing below it: the service is asked for / only`,
      { hint: `for all of it write ${path}/*` },
    );
  });
}

/** Other routers' way to write a name; here it is a segment like any other. */
function colonNames({ routes }: Config): Finding[] {
  return routes.flatMap(({ match }, index) => {
    const names = match.path.split('/').filter((segment) => /^:[a-z_]\w*$/i.test(segment));
    return names.flatMap((name) =>
      warn(['routes', index, 'match', 'path'], `\`${name}\` is taken as it stands`, {
        hint: `for any segment write {${name.slice(1)}}`,
      }),
    );
  });
}

/** The upstream, and the service that is asked about clients. */
function unverified({ auth, upstream }: RouteConfig, path: Path): Finding[] {
  const external = auth === 'none' ? undefined : auth.external;
  return [
    ...(upstream.tls?.verify === 'off' ? believed([...path, 'upstream', 'tls', 'verify']) : []),
    ...(external?.tls?.verify === 'off' ? believed([...path, 'auth', 'external', 'tls', 'verify']) : []),
  ];
}

function believed(path: Path): Finding[] {
  return warn(
    path,
    'whoever answers is believed: who can change the way there can read and change everything',
    { hint: 'give tls.ca what its certificate is signed with, or tls.servername the name it carries' },
  );
}

function lentCredentials({ auth, upstream }: RouteConfig, path: Path): Finding[] {
  const { credentials, websocket = [], http = [] } = upstream;
  if (credentials === undefined) return [];
  const targets = [...websocket, ...http, ...(sessionConfigOf(upstream)?.target ?? [])];
  const exposed = targets.find(({ url }) => isPlain(url));
  return [
    ...(auth === 'none'
      ? warn([...path, 'auth'], 'anybody who reaches the gateway acts with its credentials at the upstream')
      : []),
    ...(exposed === undefined
      ? []
      : warn(
          [...path, 'upstream', 'credentials'],
          `go to ${shownUrl(exposed.url)} in plain text: they can be read on the way`,
        )),
  ];
}

/** Over the net, and not encrypted. */
function isPlain(url: string): boolean {
  const parsed = URL.parse(url);
  return /^(?:ws|http):$/.test(parsed?.protocol ?? '') && reach(parsed?.hostname ?? '') === 'public';
}

function warn(path: Path, message: string, more: Pick<Finding, 'hint' | 'atKey'> = {}): Finding[] {
  return [{ path, message, ...more }];
}
