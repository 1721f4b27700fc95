import { domainToASCII } from 'node:url';
import type { AddressTarget, UrlTarget } from '../config/pool.ts';
import type { UpstreamConfig } from '../config/schema.ts';
import type { UpstreamKind } from '../config/upstream-kinds.ts';
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
