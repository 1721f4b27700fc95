import type { AdmittedRequest } from './forward.ts';

type PathParts = Pick<AdmittedRequest, 'path' | 'query' | 'captures'>;

/** Where a WebSocket is to go: a URL of the configuration, taken apart. */
export interface WebSocketTarget {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
  /** Path and query to ask this target for. */
  targetFor(request: PathParts): string;
}

const URL_PARTS = /^(wss?):\/\/(?:\[([^\]]+)\]|([^:/?#]+))(?::(\d+))?(\/[^?#]*)?(?:\?([^#]*))?$/i;

/**
 * Takes apart a ws:// or wss:// URL that the schema has accepted. Without a path, the client's own path is kept; with one, that path is
 * asked for, each `{name}` in it filled with the segment the route captured. The client's query always goes on.
 */
export function parseWebSocketUrl(text: string): WebSocketTarget {
  const [, scheme, ipv6, name, port, path, query] = URL_PARTS.exec(text) ?? [];
  const secure = scheme?.toLowerCase() === 'wss';
  return {
    host: ipv6 ?? name ?? '',
    port: port === undefined ? (secure ? 443 : 80) : Number(port),
    secure,
    targetFor(request) {
      const filled = path === undefined ? request.path : fill(path, request.captures);
      const queries = [query, request.query].filter((part) => part !== undefined && part !== '');
      return queries.length === 0 ? filled : `${filled}?${queries.join('&')}`;
    },
  };
}

/**
 * Where the WebSockets of a service go whose http:// or https:// base the schema has accepted: to the same host and port,
 * for the same path and query as its plain requests.
 */
export function webSocketTargetOf(url: string): WebSocketTarget {
  const base = new URL(url);
  const secure = base.protocol === 'https:';
  return {
    host: base.hostname.replace(/^\[|\]$/g, ''),
    port: Number(base.port || (secure ? 443 : 80)),
    secure,
    targetFor: ({ path, query }) => joinPath(base, path, query),
  };
}

/** Path and query for an http:// upstream: after the base's own path, and with the base's own query first. */
export function joinPath(base: URL, path: string, query: string): string {
  const queries = [base.search.slice(1), query].filter((part) => part !== '');
  return base.pathname.replace(/\/$/, '') + path + (queries.length === 0 ? '' : `?${queries.join('&')}`);
}

/** Percent-encoded, so that a captured segment stays one segment. */
function fill(path: string, captures: Readonly<Record<string, string>>): string {
  return path.replace(/\{(\w+)\}/g, (_whole, name: string) => encodeURIComponent(captures[name] ?? ''));
}
