import type { AdminConfig } from '../config/admin.ts';
import { endpointPaths } from '../config/endpoints.ts';
import { type LoadedConfig, loadConfig } from '../config/load.ts';
import type { UrlTarget } from '../config/pool.ts';
import { formatProblem, type Warning } from '../config/problem.ts';
import type { Config, RouteConfig, UpstreamConfig } from '../config/schema.ts';
import { kindsOf, servedKinds, type UpstreamKind, upgradesTo } from '../config/upstream-kinds.ts';
import { DEFAULT_IPV6_PREFIX } from '../http/address.ts';
import { shownUrl } from '../http/query.ts';
import type { RequestKind } from '../http/request.ts';
import type { Context } from './context.ts';
import { limitsText } from './limit-text.ts';
import { checkMaterials } from './materials.ts';
import { table } from './table.ts';
import { endpoint, tcpText, weighed } from './target-text.ts';

/**
 * `sallyport check FILE`: warnings on stderr, what the configuration comes to on stdout. Resolves with what was read. Throws
 * ConfigError.
 */
export async function check(context: Context, file: string): Promise<LoadedConfig> {
  const loaded = await loadConfig(file, context);
  const { config, warnings } = loaded;
  for (const warning of warnings) warn(warning);
  for (const warning of await checkMaterials(file, loaded)) warn(warning);
  context.stdout.write(
    `${table(listenerRows(config))}\n${table(limitRows(config))}\n${table(routeRows(config))}`,
  );
  return loaded;

  function warn(warning: Warning): void {
    context.stderr.write(`warning: ${formatProblem(file, warning)}\n`);
  }
}

function listenerRows(config: Config): string[][] {
  const { listeners, admin } = config;
  const open = listeners.map(({ host, port, tls }) => [
    tls ? 'https, wss' : 'http, ws',
    endpoint(host, port),
  ]);
  const endpoints = endpointPaths(config).join(', ');
  return [
    ['LISTENER', 'ADDRESS'],
    ...open,
    ...(admin ? [['admin', adminText(admin)]] : []),
    ...(endpoints === '' ? [] : [['endpoints', endpoints]]),
  ];
}

function adminText({ host, port = 0, socket }: AdminConfig): string {
  return socket === undefined ? endpoint(host, port) : `unix:${socket}`;
}

function limitRows({ limits, store, workers }: Config): string[][] {
  const isAuto = limits.connections === 'auto';
  return [
    ['LIMIT', 'VALUE'],
    ['connections', isAuto ? 'auto, from the limit of open files' : `${limits.connections}`],
    ...(workers === undefined
      ? []
      : [['workers', workers === 'auto' ? 'auto, one for each core' : `${workers}`]]),
    ...(store === undefined ? [] : [['shared in', storeText(store)]]),
    ...(limits.ipv6Prefix === DEFAULT_IPV6_PREFIX ? [] : [['ipv6Prefix', `${limits.ipv6Prefix}`]]),
  ];
}

function storeText({ redis, prefix, onFailure }: NonNullable<Config['store']>): string {
  const meanwhile = onFailure === 'local' ? 'each gateway has its part' : 'clients are refused';
  return `${redis.join(', ')} under ${prefix}; while that is away ${meanwhile}`;
}

/** In the order in which routes are tried; a route with two upstreams has a row for each. */
function routeRows({ routes }: Config): string[][] {
  const rows = routes.flatMap((route) =>
    kindsOf(route.upstream).map((upstream) => {
      const kinds = kindsTo(upstream, route);
      return [
        matchText(route),
        kinds.map((kind) => `${kind}s`).join(', '),
        route.name,
        upstreamText(upstream, route),
        authText(route),
        limitsText(kinds, route.limits),
      ];
    }),
  );
  return [['MATCH', 'TAKES', 'ROUTE', 'UPSTREAM', 'AUTH', 'LIMITS'], ...rows];
}

function matchText({ match: { host = '', path, ignoreCase } }: RouteConfig): string {
  return `${host}${path}${ignoreCase ? ' in any case' : ''}`;
}

/** What the route takes to one of its upstreams. */
function kindsTo(kind: UpstreamKind, { upstream }: RouteConfig): RequestKind[] {
  const upgrades = upgradesTo(upstream);
  return servedKinds(upstream).filter((served) => kind === (served === 'upgrade' ? upgrades : 'http'));
}

function upstreamText(kind: UpstreamKind, { upstream }: RouteConfig): string {
  const targets = {
    websocket: upstream.websocket,
    poll: upstream.poll?.target,
    post: upstream.post?.target,
    http: upstream.http,
  };
  const where = kind === 'tcp' ? tcpText(upstream) : targets[kind]?.map(urlText).join(', ');
  const place = `${kind} ${where}`;
  return [place, ...prefixText(kind, upstream), ...balanceText(upstream)].join(' ');
}

function urlText({ url, weight }: UrlTarget): string {
  return weighed(shownUrl(url), weight);
}

/** A bridge beside http gets the whole path. */
function prefixText(kind: UpstreamKind, { stripPrefix }: UpstreamConfig): string[] {
  return kind === 'http' && stripPrefix !== undefined ? [`without ${stripPrefix}`] : [];
}

function balanceText({ balance }: UpstreamConfig): string[] {
  if (balance === undefined) return [];
  if (typeof balance === 'string') return [`by ${balance}`];
  const { from, name } = balance.hash;
  return [`by hash of ${name === '' ? from : `${from} ${name}`}`];
}

/** Every proof that is asked for. */
function authText({ auth }: RouteConfig): string {
  if (auth === 'none') return 'none';
  const tokens = [...auth.issuer, ...(auth.keys === undefined ? [] : ['API keys'])];
  const sources = auth.token.map(({ from, name }) => (name === '' ? from : `${from}:${name}`));
  const proofs = [
    auth.certificate && 'certificate',
    tokens.length > 0 && `${tokens.join(', ')} by ${sources.join(', ')}`,
    auth.external && `asks ${shownUrl(auth.external.url)}`,
  ];
  return proofs.filter(Boolean).join(' and ');
}
