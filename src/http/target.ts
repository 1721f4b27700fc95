import { isIPv6 } from 'node:net';
import { badRequest } from './fields.ts';

/** What a request asks for: its target and its Host. */

/** Visible ASCII without `#` and `?`. Browsers leave more in a path than RFC 3986 allows; none of it is a delimiter to anybody. */
const PATH = /^\/[!"$->@-~]*$/;
/** Visible ASCII without `#`: a query is nobody's path, and browsers leave much in it unescaped. */
const QUERY = /^[!"$-~]*$/;
const ABSOLUTE = /^https?:\/\/([^/?]*)(.*)$/i;
const HOST = /^(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\])$/;

export interface Target {
  /** As sent; see GatewayRequest. */
  readonly path: string;
  /** As sent, without the `?`; undefined if there is no `?`. */
  readonly query: string | undefined;
  /** `host[:port]` of a target in absolute form, not checked yet. */
  readonly authority: string | undefined;
}

/**
 * Takes a request target apart: origin form, absolute form with http or https, or the `*` of OPTIONS (RFC 9112 §3.2). Throws
 * BAD_REQUEST for anything else. What the path could be read as is for `readingsOf`.
 */
export function parseTarget(target: string, method: string): Target {
  if (target.startsWith('/')) return { ...splitTarget(target), authority: undefined };
  if (target === '*' && method === 'OPTIONS') return { path: '*', query: undefined, authority: undefined };
  const [, authority, rest = ''] = ABSOLUTE.exec(target) ?? [];
  if (authority === undefined) throw badRequest('the request target is not a path');
  // OPTIONS of a whole server, as a client says it to a proxy (RFC 9112 §3.2.4).
  if (rest === '' && method === 'OPTIONS') return { path: '*', query: undefined, authority };
  return { ...splitTarget(rest.startsWith('/') ? rest : `/${rest}`), authority };
}

function splitTarget(target: string): Pick<Target, 'path' | 'query'> {
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  const query = mark < 0 ? undefined : target.slice(mark + 1);
  if (!PATH.test(path)) throw badRequest('the path holds characters that must be escaped');
  if (query !== undefined && !QUERY.test(query))
    throw badRequest('the query holds characters that must be escaped');
  return { path, query };
}

/** Reads `host[:port]` of a Host header: the host in lower case, IPv6 without brackets. Throws BAD_REQUEST if it is none. */
export function parseHost(authority: string): string {
  const [, host, port] = /^(\[[^\]]*\]|[^:]*)(?::(\d{1,5}))?$/.exec(authority.toLowerCase()) ?? [];
  if (host === undefined || host.length > 255 || !HOST.test(host)) throw badRequest('Host is malformed');
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535))
    throw badRequest('Host has no valid port');
  if (!host.startsWith('[')) return host;
  const address = host.slice(1, -1);
  if (!isIPv6(address)) throw badRequest('Host is malformed');
  return address;
}

/**
 * A path segment as sent, fit to stand in any path or query: its own escapes stay as they are, and what could end a
 * segment or a parameter is escaped.
 */
export function escapeSegment(segment: string): string {
  return segment.replace(/[^\w.!~*'()%-]/g, encodeURIComponent);
}

/** Whether `text` is one label of a host name, as a wildcard stands for. */
export function isLabel(text: string): boolean {
  return text !== '' && !text.includes('.');
}
