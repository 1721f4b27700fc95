import type { AdmittedRequest } from './forward.ts';

type PathParts = Pick<AdmittedRequest, 'path' | 'query' | 'captures'>;

/** A ws:// or wss:// URL of the configuration, taken apart. */
export interface WebSocketTarget {
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
  /** Path and query to ask this target for. */
  targetFor(request: PathParts): string;
}

const URL_PARTS = /^(wss?):\/\/(?:\[([^\]]+)\]|([^:/?#]+))(?::(\d+))?(\/[^?#]*)?(?:\?([^#]*))?$/i;

/**
 * Takes apart a URL that the schema has accepted. Without a path, the client's own path is kept; with one, that path is
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

/** Percent-encoded, so that a captured segment stays one segment. */
function fill(path: string, captures: Readonly<Record<string, string>>): string {
  return path.replace(/\{(\w+)\}/g, (_whole, name: string) => encodeURIComponent(captures[name] ?? ''));
}
