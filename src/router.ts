import type { RouteConfig } from './config/schema.ts';
import { fitsPair, readSegment, type SegmentPattern, splitPair } from './config/segments.ts';
import { badRequest } from './http/fields.ts';
import { type Reading, readingsOf } from './http/readings.ts';
import type { RequestKind } from './http/request.ts';
import { isLabel } from './http/target.ts';

/** What the router reads of a route: it serves the kinds it has a handler for. */
export interface Routable {
  readonly name?: string;
  readonly match: RouteConfig['match'];
  readonly paths?: RouteConfig['paths'];
  readonly upgrade?: object | undefined;
  readonly request?: object | undefined;
}

/** A route that serves a kind. */
export type Serving<R extends Routable, K extends RequestKind> = R & {
  readonly [kind in K]: NonNullable<R[kind]>;
};

/** The route a request takes, and what its path says about the route's `{name}`s. */
export interface Routed<R> {
  readonly route: R;
  /** Segments captured by `{name}`, as sent. */
  readonly captures: Readonly<Record<string, string>>;
}

/** No route takes the request. */
export interface Unrouted<R> {
  readonly route?: undefined;
  /** The route that would take a request of the other kind. */
  readonly other: R | undefined;
}

export type Router<R extends Routable> = <K extends RequestKind>(
  host: string,
  path: string,
  kind: K,
  name?: string,
) => Routed<Serving<R, K>> | Unrouted<R>;

/** A route's match, compiled. */
interface Matcher<R> {
  readonly route: R;
  fitsHost(host: string): boolean;
  fitsPath(reading: Reading): boolean;
  /** Of a path that fits as it was sent. */
  capture(path: string): Routed<R>['captures'];
}

const NONE = Object.freeze({});

/**
 * Compiles the routes' matches: the first that fits and serves the kind wins. `host` is in lower case without a port,
 * `path` as checked by `parseTarget`. `*.example.com` stands for one label; `{name}` for one segment that is not empty, `{one}:{two}`
 * for one with a colon amid it, of which the last counts; a trailing `/*` for everything below, the bare slash included: `/chat/*` takes `/chat/` and `/chat/a/b`, not `/chat`.
 *
 * The router throws BAD_REQUEST for a path that would take another route as another server reads it: whichever way was
 * taken, it could be the one around a guard. With a `name` only the route of that name is looked at. A route with `paths: strict` takes paths with one reading only.
 */
export function createRouter<R extends Routable>(routes: readonly R[]): Router<R> {
  const find = { upgrade: createFinder(routes, 'upgrade'), request: createFinder(routes, 'request') };
  return function findRoute<K extends RequestKind>(host: string, path: string, kind: K, name?: string) {
    // `OPTIONS *` asks about a server as a whole.
    const [asSent, ...others] = readingsOf(path === '*' ? '/' : path);
    const found = find[kind](host, asSent, name);
    for (const reading of others) {
      if (find[kind](host, reading, name) !== found)
        throw badRequest('the path could be read as leading to different routes');
    }
    if (found === undefined)
      return { other: find[kind === 'upgrade' ? 'request' : 'upgrade'](host, asSent, name)?.route };
    const route = found.route as Serving<R, K>;
    if (route.paths === 'strict' && others.length > 0)
      throw badRequest('the path could be read in different ways');
    return { route, captures: found.capture(path) };
  };
}

/** Finds among the routes that serve a kind. */
function createFinder<R extends Routable>(routes: readonly R[], kind: RequestKind) {
  const matchers = routes.filter((route) => route[kind] !== undefined).map(compileMatch);
  return function findAmong(host: string, reading: Reading, name?: string): Matcher<R> | undefined {
    const among = name === undefined ? matchers : matchers.filter(({ route }) => route.name === name);
    return among.find((matcher) => matcher.fitsHost(host) && matcher.fitsPath(reading));
  };
}

function compileMatch<R extends Routable>(route: R): Matcher<R> {
  const { host, path, ignoreCase = false } = route.match;
  return {
    route,
    fitsHost: matchHost(host),
    fitsPath: matchPath(path, ignoreCase),
    capture: captureOf(path),
  };
}

/** Compiles whether a host, in lower case and without a port, is the one of a route's `match`. */
export function matchHost(pattern: string | undefined): (host: string) => boolean {
  if (pattern === undefined) return () => true;
  if (!pattern.startsWith('*.')) {
    const exact = pattern.replace(/^\[|\]$/g, '');
    return (host) => host === exact;
  }
  const parent = pattern.slice(1);
  return (host) => host.endsWith(parent) && isLabel(host.slice(0, -parent.length));
}

function matchPath(pattern: string, ignoreCase: boolean): Matcher<unknown>['fitsPath'] {
  const isOpen = pattern.endsWith('/*');
  const wanted = (isOpen ? pattern.slice(0, -2) : pattern).split('/').slice(1);
  const fits = wanted.map((text) => matchSegment(text, ignoreCase));
  return function fitsPath(reading) {
    const hasLength = isOpen ? reading.length > fits.length : reading.length === fits.length;
    return hasLength && fits.every((fitsSegment, index) => fitsSegment(reading[index] as string));
  };
}

function matchSegment(text: string, ignoreCase: boolean): (segment: string) => boolean {
  const wanted = readSegment(text);
  if (wanted.kind === 'one') return (segment) => segment !== '';
  if (wanted.kind === 'pair') return (segment) => fitsPair(wanted, segment);
  if (!ignoreCase) return (segment) => segment === text;
  const lower = text.toLowerCase();
  return (segment) => segment.toLowerCase() === lower;
}

function captureOf(pattern: string): Matcher<unknown>['capture'] {
  const wanted = pattern.split('/').map(readSegment);
  if (wanted.every(({ kind }) => kind === 'fixed')) return () => NONE;
  return function capture(path) {
    const segments = path.split('/');
    const captures: Record<string, string> = {};
    for (const [index, pattern] of wanted.entries())
      Object.assign(captures, captureSegment(pattern, segments[index] as string));
    return captures;
  };
}

function captureSegment(pattern: SegmentPattern, segment: string): Routed<unknown>['captures'] {
  if (pattern.kind === 'fixed') return NONE;
  if (pattern.kind === 'one') return { [pattern.name]: segment };
  const parts = splitPair(pattern, segment);
  // Decoded it fits, or it would not be here.
  if (parts === undefined) throw badRequest('the path has a malformed segment');
  return { [pattern.names[0]]: parts[0], [pattern.names[1]]: parts[1] };
}
