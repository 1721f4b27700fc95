import { loadConfig } from '../config/load.ts';
import type { UrlTarget } from '../config/pool.ts';
import { formatProblem } from '../config/problem.ts';
import type { Config, LimitsConfig, RouteConfig, UpstreamConfig } from '../config/schema.ts';
import { formatByteRate, formatRate, formatSize } from '../config/units.ts';
import { kindsOf } from '../config/unused-keys.ts';
import type { Context } from './context.ts';
import { checkMaterials } from './materials.ts';
import { table } from './table.ts';

/** `sallyport check FILE`: warnings on stderr, what the configuration comes to on stdout. Throws ConfigError and CommandError. */
export async function check(context: Context, file: string): Promise<void> {
  const { config, warnings } = await loadConfig(file, context);
  for (const warning of warnings) context.stderr.write(`warning: ${formatProblem(file, warning)}\n`);
  await checkMaterials(config);
  context.stdout.write(`${table(listenerRows(config))}\n${table(routeRows(config))}`);
}

function listenerRows({ listeners, admin }: Config): string[][] {
  const open = listeners.map(({ host, port, tls }) => [
    tls ? 'https, wss' : 'http, ws',
    endpoint(host, port),
  ]);
  return [['LISTENER', 'ADDRESS'], ...open, ...(admin ? [['admin', endpoint(admin.host, admin.port)]] : [])];
}

function endpoint(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port === 0 ? 'any' : port}`;
}

function routeRows({ routes }: Config): string[][] {
  const rows = routes.map((route) => [
    route.name,
    `${route.match.host ?? ''}${route.match.path}`,
    upstreamText(route),
    authText(route),
    limitsText(route.limits),
  ]);
  return [['ROUTE', 'MATCH', 'UPSTREAM', 'AUTH', 'LIMITS'], ...rows];
}

function upstreamText({ upstream }: RouteConfig): string {
  const targets = {
    websocket: upstream.websocket?.map(urlText),
    tcp: upstream.tcp?.map(({ host, port, weight }) => weighed(endpoint(host, port), weight)),
    poll: upstream.poll?.target.map(urlText),
    http: upstream.http?.map(urlText),
  };
  const parts = kindsOf(upstream).map((kind) => `${kind} ${targets[kind]?.join(', ')}`);
  return [...parts, ...balanceText(upstream)].join(' ');
}

function urlText({ url, weight }: UrlTarget): string {
  return weighed(url, weight);
}

function weighed(target: string, weight: number | undefined): string {
  return weight === undefined ? target : `${target} (${weight})`;
}

function balanceText({ balance }: UpstreamConfig): string[] {
  if (balance === undefined) return [];
  if (typeof balance === 'string') return [`by ${balance}`];
  const { from, name } = balance.hash;
  return [`by hash of ${name === '' ? from : `${from} ${name}`}`];
}

function authText({ auth }: RouteConfig): string {
  if (auth === 'none') return 'none';
  const sources = auth.token.map(({ from, name }) => (name === '' ? from : `${from}:${name}`));
  return `${auth.issuer.join(', ')} by ${sources.join(', ')}`;
}

function limitsText({ upgrades, connections, messages, bytes, messageSize }: LimitsConfig): string {
  const parts = [
    upgrades && `upgrades ${formatRate(upgrades.rate)} per ${upgrades.per}`,
    connections && `connections ${connections.max} per ${connections.per}`,
    messages && `messages ${formatRate(messages.rate)} per ${messages.per}`,
    bytes && `bytes ${formatByteRate(bytes.rate)} per ${bytes.per}`,
    messageSize && `messages up to ${formatSize(messageSize)}`,
  ];
  return parts.filter(Boolean).join(', ') || 'none';
}
