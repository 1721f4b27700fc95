import { isIPv6 } from 'node:net';
import { badRequest } from './fields.ts';

/** What a request asks for: its target and its Host. What is let through here means the same to every upstream. */

/** Visible ASCII without `"`, `#`, `<`, `>`, `?` and the backslash, which some peers read as a slash. */
const PATH = /^\/[!$-;=@-[\]-~]*$/;
/** Visible ASCII without `#`: a query is nobody's path, and browsers leave much in it unescaped. */
const QUERY = /^[!"$-~]*$/;
const HOST = /^(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\])$/;

export interface Target {
  /** As sent; see GatewayRequest. */
  readonly path: string;
  /** As sent, without the `?`. */
  readonly query: string;
}

/** Takes a request target in origin form (RFC 9112 §3.2.1) apart. Throws BAD_REQUEST for other forms and for paths that peers read in different ways. */
export function parseTarget(target: string): Target {
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  const query = mark < 0 ? '' : target.slice(mark + 1);
  if (!PATH.test(path)) throw badRequest('the request target is not a path');
  if (!QUERY.test(query)) throw badRequest('the query holds characters that must be escaped');
  const segments = path.slice(1).split('/');
  segments.forEach(function check(segment, index) {
    // Upstreams that merge slashes would read //admin as /admin, past the route that guards it.
    if (segment === '' && index < segments.length - 1) throw badRequest('the path has an empty segment');
    checkSegment(segment);
  });
  return { path, query };
}

function checkSegment(segment: string): void {
  const text = decode(segment);
  if (/[/\\]/.test(text)) throw badRequest('the path has an escaped slash');
  if (/\p{Cc}/u.test(text)) throw badRequest('the path has an escaped control character');
  const name = nameOf(text);
  if (name === '.' || name === '..') throw badRequest('the path has a dot-segment');
}

function decode(segment: string): string {
  try {
    return readSegment(segment);
  } catch {
    throw badRequest('the path has a malformed escape');
  }
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

/** A path segment with its escapes read as UTF-8. Throws URIError if they are malformed; the listener refuses such paths. */
export function readSegment(segment: string): string {
  return segment.includes('%') ? decodeURIComponent(segment) : segment;
}

/**
 * A decoded segment without the `;parameters` behind its name. Java servers ignore those, so `/admin;x/keys` has to take
 * the route that guards `/admin/*`; and `..;` is `..` to them.
 */
export function nameOf(segment: string): string {
  const end = segment.indexOf(';');
  return end < 0 ? segment : segment.slice(0, end);
}

/** Whether `text` is one label of a host name, as a wildcard stands for. */
export function isLabel(text: string): boolean {
  return text !== '' && !text.includes('.');
}
