import { domainToASCII } from 'node:url';
import type { UrlTarget } from '../config/pool.ts';
import type { UpstreamConfig } from '../config/schema.ts';
import { type AddressTarget, fixedTargets } from '../config/tcp/targets.ts';
import { readUnix } from '../config/unix.ts';
import type { UpstreamKind } from '../config/upstream-kinds.ts';
import { escapeSegment } from '../http/target.ts';
import type { AdmittedRequest } from './forward.ts';

type PathParts = Pick<AdmittedRequest, 'path' | 'query' | 'captures'>;

/** A target of the configuration, taken apart. It has as many endpoints as its host has addresses. */
export interface Target {
  /**
   * `host:port`, IPv6 in brackets; with `#2` and so on behind it for another one of the same host and port in its
   * list. `unix:PATH` for a unix socket.
   */
  readonly name: string;
  /** A name in lower case and ASCII, or an address without brackets; `localhost` for a unix socket. */
  readonly host: string;
  readonly port: number;
  /** Of a unix socket, which is dialled in place of host and port. */
  readonly socketPath: string | undefined;
  /** How HTTP names it (RFC 9110 §7.2): `host:port`, without the port where it is the default one. */
  readonly authority: string;
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
  if (kind === 'tcp') {
    const secure = upstream.tls !== undefined;
    return withNames(fixedTargets(upstream.tcp).map((address) => ({ ...fromAddress(address), secure })));
  }
  const urls = kind === 'poll' || kind === 'post' ? upstream[kind]?.target : upstream[kind];
  return withNames((urls ?? []).map((target) => fromUrl(target, kind)));
}

type Nameless = Omit<Target, 'name'>;

function fromAddress(address: AddressTarget): Nameless {
  const { weight = 1 } = address;
  const rest = { weight, secure: false, path: undefined, query: undefined, base: undefined };
  if ('socketPath' in address)
    return { ...rest, host: 'localhost', port: 0, authority: 'localhost', socketPath: address.socketPath };
  const { port } = address;
  const host = address.host.includes(':') ? address.host : domainToASCII(address.host);
  return { ...rest, host, port, authority: hostPort(host, port), socketPath: undefined };
}

/** Takes apart a URL or unix socket that the schema has accepted. */
function fromUrl({ url, weight = 1 }: UrlTarget, kind: UpstreamKind): Nameless {
  const unix = readUnix(url);
  if (unix === undefined) return { ...partsOf(url), socketPath: undefined, weight };
  // What stands behind its path is what stands behind the host in a URL.
  const scheme = kind === 'websocket' ? 'ws' : 'http';
  return { ...partsOf(`${scheme}://localhost${unix.base}`), socketPath: unix.socketPath, weight };
}

function partsOf(url: string): Omit<Nameless, 'socketPath' | 'weight'> {
  const [, scheme = '', path, query] = URL_PARTS.exec(url) ?? [];
  const { host, hostname, port, pathname, search } = new URL(url);
  const known = scheme.toLowerCase() as keyof typeof DEFAULT_PORTS;
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? DEFAULT_PORTS[known] : Number(port),
    authority: host,
    secure: known === 'https' || known === 'wss',
    ...(known.startsWith('http')
      ? { base: { pathname, search }, path: undefined, query: undefined }
      : { base: undefined, path, query }),
  };
}

/** Counts and health are kept by name, so no two of a list share one. */
function withNames(targets: readonly Nameless[]): Target[] {
  const seen = new Map<string, number>();
  return targets.map((target) => {
    const { host, port, socketPath } = target;
    const base = socketPath === undefined ? hostPort(host, port) : `unix:${socketPath}`;
    const count = (seen.get(base) ?? 0) + 1;
    seen.set(base, count);
    return { ...target, name: count === 1 ? base : `${base}#${count}` };
  });
}

/** `host:port`, IPv6 in brackets. */
function hostPort(host: string, port: number): string {
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
  return withQueries(asked, query ?? '', request.query);
}

/** Path and query for an http:// upstream: after the base's own path, and with the base's own query first. */
function joinPath({ pathname, search }: Base, path: string, query: string | undefined): string {
  const root = pathname.replace(/\/$/, '');
  // `OPTIONS *` asks about a whole server; a service below a base path is not the whole of it.
  if (path === '*') return root === '' && search === '' ? path : pathname + search;
  return withQueries(root + path, search.slice(1), query);
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

/** The target's own query, if any, then the client's; where that is all there is, its `?` stays even with nothing behind it. */
function withQueries(path: string, own: string, query: string | undefined): string {
  if (own === '') return query === undefined ? path : `${path}?${query}`;
  return query ? `${path}?${own}&${query}` : `${path}?${own}`;
}
