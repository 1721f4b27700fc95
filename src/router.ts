import type { RouteConfig } from './config/schema.ts';
import { isLabel, nameOf, readSegment } from './http/target.ts';

/** The route a request takes, and what its path says about the route's `{name}`s. */
export interface Routed<R> {
  readonly route: R;
  /** Segments captured by `{name}`, decoded. */
  readonly captures: Readonly<Record<string, string>>;
}

export type Router<R> = (host: string, path: string) => Routed<R> | undefined;

type Segment = { readonly literal: string } | { readonly capture: string };

/**
 * Compiles the routes' matches: the first that fits wins. `host` is in lower case without a port, `path` as checked by the
 * listener. `*.example.com` stands for one label; `{name}` for one segment that is not empty; a trailing `/*` for
 * everything below, the bare slash included: `/chat/*` takes `/chat/` and `/chat/a/b`, not `/chat`.
 */
export function createRouter<R extends { match: RouteConfig['match'] }>(routes: readonly R[]): Router<R> {
  const compiled = routes.map((route) => ({
    route,
    fitsHost: matchHost(route.match.host),
    capture: matchPath(route.match.path),
  }));
  return function findRoute(host, path) {
    const segments = path.slice(1).split('/').map(readSegment);
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
