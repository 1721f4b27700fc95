import type { RouteConfig } from './config/schema.ts';
import type { RequestKind } from './http/request.ts';
import { isLabel, nameOf, readSegment } from './http/target.ts';

/** What the router reads of a route: it serves the kinds it has a handler for. */
export interface Routable {
  readonly match: RouteConfig['match'];
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
  /** Segments captured by `{name}`, decoded. */
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
) => Routed<Serving<R, K>> | Unrouted<R>;

type Segment = { readonly literal: string } | { readonly capture: string };

/**
 * Compiles the routes' matches: the first that fits and serves the kind wins. `host` is in lower case without a port,
 * `path` as checked by the listener. `*.example.com` stands for one label; `{name}` for one segment that is not empty; a
 * trailing `/*` for everything below, the bare slash included: `/chat/*` takes `/chat/` and `/chat/a/b`, not `/chat`.
 */
export function createRouter<R extends Routable>(routes: readonly R[]): Router<R> {
  const find = { upgrade: createFinder(routes, 'upgrade'), request: createFinder(routes, 'request') };
  return function findRoute<K extends RequestKind>(host: string, path: string, kind: K) {
    const segments = path.slice(1).split('/').map(readSegment);
    const found = find[kind](host, segments) as Routed<Serving<R, K>> | undefined;
    if (found !== undefined) return found;
    return { other: find[kind === 'upgrade' ? 'request' : 'upgrade'](host, segments)?.route };
  };
}

/** Finds among the routes that serve a kind. */
function createFinder<R extends Routable>(routes: readonly R[], kind: RequestKind) {
  const compiled = routes
    .filter((route) => route[kind] !== undefined)
    .map((route) => ({
      route,
      fitsHost: matchHost(route.match.host),
      capture: matchPath(route.match.path),
    }));
  return function findAmong(host: string, segments: readonly string[]): Routed<R> | undefined {
    for (const { route, fitsHost, capture } of compiled) {
      const captures = fitsHost(host) ? capture(segments) : undefined;
      if (captures) return { route, captures };
    }
    return undefined;
  };
}

function matchHost(pattern: string | undefined): (host: string) => boolean {
  if (pattern === undefined) return () => true;
  if (!pattern.startsWith('*.')) {
    const exact = pattern.replace(/^\[|\]$/g, '');
    return (host) => host === exact;
  }
  const parent = pattern.slice(1);
  return (host) => host.endsWith(parent) && isLabel(host.slice(0, -parent.length));
}

function matchPath(pattern: string): (segments: readonly string[]) => Record<string, string> | undefined {
  const open = pattern.endsWith('/*');
  const wanted = (open ? pattern.slice(0, -2) : pattern).split('/').slice(1).map(compileSegment);
  return function captureFrom(segments) {
    if (open ? segments.length <= wanted.length : segments.length !== wanted.length) return undefined;
    const captures: Record<string, string> = {};
    for (const [index, want] of wanted.entries()) {
      const segment = segments[index] as string;
      if ('literal' in want ? nameOf(segment) !== want.literal : segment === '') return undefined;
      if ('capture' in want) captures[want.capture] = segment;
    }
    return captures;
  };
}

function compileSegment(text: string): Segment {
  return text.startsWith('{') ? { capture: text.slice(1, -1) } : { literal: text };
}
