/**
 * A service names its places as it sees them: by the Host it is asked for, below its target's own path, without the
 * prefix that was left out. Here they get the names by which the client reaches them. Pure.
 */

/** One request's places, on both sides. */
export interface Places {
  /** The Host the service was asked for, and how it is reached. */
  readonly host: string;
  readonly scheme: 'http' | 'https';
  /** What the client calls that: `https://app.example.com`; undefined where it is called the same. */
  readonly client: string | undefined;
  /** The target's own path, without a slash at its end; empty if it has none. */
  readonly base: string;
  /** What was left out at the beginning of the path; empty if nothing was. */
  readonly prefix: string;
  /** The same, after what a proxy before us has left out. */
  readonly fullPrefix: string;
}

const ABSOLUTE = /^(?:(https?):)?\/\/([^/?#]*)(.*)$/is;

/**
 * A Location or Content-Location (RFC 9110 §10.2.2, §8.7) for the client. References to other hosts, to paths outside
 * of the target's own and to what is relative to the request stay as they are.
 */
export function mapLocation(value: string, places: Places): string {
  if (value.startsWith('/') && value[1] !== '/') return asPath(mapPath(value, places) ?? value);
  const [, scheme, authority = '', rest = ''] = ABSOLUTE.exec(value) ?? [];
  if (!isSameHost(authority, scheme, places)) return value;
  const path = mapPath(rest.startsWith('/') ? rest : `/${rest}`, places);
  if (path === undefined) return value;
  if (places.client === undefined) return value.slice(0, value.length - rest.length) + path;
  return (scheme === undefined ? places.client.slice(places.client.indexOf('//')) : places.client) + path;
}

/**
 * What begins with two slashes names a host to browsers, for whom a backslash is one, and tabs are nothing. Behind a
 * dot-segment it is a path again (WHATWG URL, "URL serializing").
 */
function asPath(text: string): string {
  return /^\/\t*[/\\]/.test(text) ? `/.${text}` : text;
}

function isSameHost(
  authority: string,
  scheme: string | undefined,
  { host, client, ...places }: Places,
): boolean {
  const isSame = authority !== '' && authority.toLowerCase() === host.toLowerCase();
  // With a Host of its own the service speaks of what we reach it by; else it may know how the client does.
  return isSame && (client === undefined || (scheme?.toLowerCase() ?? places.scheme) === places.scheme);
}

/** Undefined for a path the client cannot reach. A path that has the prefix already is of a service that knows of it. */
function mapPath(path: string, { base, prefix, fullPrefix }: Places): string | undefined {
  if (prefix !== '' && (isBelow(path, prefix) || isBelow(path, fullPrefix))) return path;
  if (!isBelow(path, base)) return undefined;
  const rest = path.slice(base.length);
  return prefix + (rest.startsWith('/') || (rest === '' && prefix !== '') ? rest : `/${rest}`);
}

function isBelow(path: string, base: string): boolean {
  return path.startsWith(base) && /^(?:[/?#]|$)/.test(path.slice(base.length));
}

const PATH_ATTRIBUTE = /(;[ \t]*path[ \t]*=[ \t]*)(\/[^;]*)/gi;

/**
 * A Set-Cookie (RFC 6265 §5.2.4) whose Path covers for the client what it covers for the service. Without a Path a
 * browser derives it from its own URL, which is right already.
 */
export function mapCookie(value: string, places: Places): string {
  // Browsers take these with the path / only.
  if (/^__host-/i.test(value)) return value;
  return value.replace(
    PATH_ATTRIBUTE,
    (_whole, name: string, path: string) => name + cookiePath(path, places),
  );
}

function cookiePath(path: string, places: Places): string {
  const { base, prefix } = places;
  const bare = path.trimEnd().replace(/\/$/, '');
  // All that the client reaches lies below: without a slash at its end it covers the prefix itself, too.
  if (bare === '' || isBelow(base, bare)) return prefix === '' ? '/' : prefix;
  return mapPath(path, places) ?? path;
}
