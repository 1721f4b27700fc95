import { domainToASCII } from 'node:url';
import type { AddressTarget, UrlTarget } from '../config/pool.ts';
import type { UpstreamConfig } from '../config/schema.ts';
import { readUnix } from '../config/unix.ts';
import type { UpstreamKind } from '../config/upstream-kinds.ts';
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
  if (kind === 'tcp') return withNames((upstream.tcp ?? []).map(fromAddress));
  const urls = kind === 'poll' ? upstream.poll?.target : upstream[kind];
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

/**
 * Path and query to ask a WebSocket target for. Without a path of its own, the client's is kept; with one, that path is
 * asked for, each `{name}` in it filled with the segment the route captured. The client's query always goes on. An http:// target is asked for the same
 * as by a plain request.
 */
export function requestTarget({ path, query, base }: Target, request: PathParts): string {
  if (base !== undefined) return joinPath(base, request.path, request.query);
  const filled = path === undefined ? request.path : fill(path, request.captures);
  const queries = [query, request.query].filter((part) => part !== undefined && part !== '');
  return queries.length === 0 ? filled : `${filled}?${queries.join('&')}`;
}

/** Path and query for an http:// upstream: after the base's own path, and with the base's own query first. */
export function joinPath(base: Base, path: string, query: string): string {
  const queries = [base.search.slice(1), query].filter((part) => part !== '');
  return base.pathname.replace(/\/$/, '') + path + (queries.length === 0 ? '' : `?${queries.join('&')}`);
}

/** Percent-encoded, so that a captured segment stays one segment. */
function fill(path: string, captures: Readonly<Record<string, string>>): string {
  return path.replace(/\{(\w+)\}/g, (_whole, name: string) => encodeURIComponent(captures[name] ?? ''));
}
