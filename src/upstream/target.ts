import { domainToASCII } from 'node:url';
import type { AddressTarget, UrlTarget } from '../config/pool.ts';
import type { UpstreamConfig } from '../config/schema.ts';
import type { UpstreamKind } from '../config/upstream-kinds.ts';
import { escapeSegment } from '../http/target.ts';
import type { AdmittedRequest } from './forward.ts';

type PathParts = Pick<AdmittedRequest, 'path' | 'query' | 'captures'>;

/** A target of the configuration, taken apart. It has as many endpoints as its host has addresses. */
export interface Target {
  /**
   * `host:port`, IPv6 in brackets; with `#2` and so on behind it for another one of the same host and port in its
   * list.
   */
  readonly name: string;
  /** A name in lower case and ASCII, or an address without brackets. */
  readonly host: string;
  readonly port: number;
  /** Over TLS. */
  readonly secure: boolean;
  readonly weight: number;
  /** Of a ws:// URL, as written; undefined if it has none. */
  readonly path: string | undefined;
  /** Of a ws:// URL, as written, without the `?`; undefined if it has none. */
  readonly query: string | undefined;
  /** Of an http:// URL: stands before the path and query of every request. */
  readonly base: Base | undefined;
}

export type Base = Pick<URL, 'pathname' | 'search'>;

const URL_PARTS = /^(\w+):\/\/[^/?#]+(\/[^?#]*)?(?:\?([^#]*))?$/;
const DEFAULT_PORTS = { http: 80, ws: 80, https: 443, wss: 443 } as const;

/** The targets of one kind that an upstream names, in their order. */
export function targetsOf(upstream: UpstreamConfig, kind: UpstreamKind): Target[] {
  if (kind === 'tcp') return withNames((upstream.tcp ?? []).map(fromAddress));
  const urls = kind === 'poll' ? upstream.poll?.target : upstream[kind];
  return withNames((urls ?? []).map(fromUrl));
}

type Nameless = Omit<Target, 'name'>;

function fromAddress({ host, port, weight = 1 }: AddressTarget): Nameless {
  const name = host.includes(':') ? host : domainToASCII(host);
  return { host: name, port, weight, secure: false, path: undefined, query: undefined, base: undefined };
}

/** Takes apart a URL that the schema has accepted. */
function fromUrl({ url, weight = 1 }: UrlTarget): Nameless {
  const [, scheme = '', path, query] = URL_PARTS.exec(url) ?? [];
  const { hostname, port, pathname, search } = new URL(url);
  const known = scheme.toLowerCase() as keyof typeof DEFAULT_PORTS;
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? DEFAULT_PORTS[known] : Number(port),
    secure: known === 'https' || known === 'wss',
    weight,
    ...(known.startsWith('http')
      ? { base: { pathname, search }, path: undefined, query: undefined }
      : { base: undefined, path, query }),
  };
}

/** Counts and health are kept by name, so no two of a list share one. */
function withNames(targets: readonly Nameless[]): Target[] {
  const seen = new Map<string, number>();
  return targets.map((target) => {
    const base = hostPort(target.host, target.port);
    const count = (seen.get(base) ?? 0) + 1;
    seen.set(base, count);
    return { ...target, name: count === 1 ? base : `${base}#${count}` };
  });
}

/** `host:port`, IPv6 in brackets. */
export function hostPort(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** What of a route says which path its upstream is asked for. */
export interface PathRules {
  readonly match: { readonly path: string };
  readonly upstream: { readonly stripPrefix?: string | undefined };
}

/**
 * Path and query to ask a target for. A WebSocket target without a path of its own is asked for the client's; one with a
 * path for that, each `{name}` in it filled with the segment the route captured, and behind it what a trailing `/*` of
 * the route stands for. An http:// target is asked for the client's path without `stripPrefix`, behind its base path.
 * The client's query always goes on, and what is the client's stays byte for byte.
 */
export function requestTarget(
  { path, query, base }: Target,
  request: PathParts,
  { match, upstream: { stripPrefix } }: PathRules,
): string {
  if (base !== undefined) {
    const rest = stripPrefix === undefined ? request.path : withoutPrefix(request.path, stripPrefix);
    return joinPath(base, rest, request.query);
  }
  const asked = path === undefined ? request.path : ownPath(path, request, match.path);
  return withQueries(asked, [query ?? '', request.query]);
}

/** Path and query for an http:// upstream: after the base's own path, and with the base's own query first. */
export function joinPath({ pathname, search }: Base, path: string, query: string): string {
  const root = pathname.replace(/\/$/, '');
  // `OPTIONS *` asks about a whole server; a service below a base path is not the whole of it.
  if (path === '*') return root === '' && search === '' ? path : pathname + search;
  return withQueries(root + path, [search.slice(1), query]);
}

/** A client's path without as many segments as `prefix` has, which the route has found at its beginning: `/app` alone leaves `/`. */
export function withoutPrefix(path: string, prefix: string): string {
  return behind(path, prefix.split('/').length - 1);
}

/** The path of a WebSocket target for one request. */
function ownPath(path: string, request: PathParts, matchPath: string): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => escapeSegment(request.captures[name] ?? ''));
  if (!matchPath.endsWith('/*')) return filled;
  return filled.replace(/\/$/, '') + behind(request.path, matchPath.split('/').length - 2);
}

/** What stands behind the first segments of a path, as sent; a slash if nothing does. */
function behind(path: string, count: number): string {
  return `/${path
    .split('/')
    .slice(count + 1)
    .join('/')}`;
}

function withQueries(path: string, queries: readonly string[]): string {
  const given = queries.filter((query) => query !== '');
  return given.length === 0 ? path : `${path}?${given.join('&')}`;
}
